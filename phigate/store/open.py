"""Put a ledger together: database, keys, this boot's record key, limits. What ``serve`` and ``demo`` call.

async with open_ledger(url, keys_folder=…, origin=…) as ledger:
    receipt = await ledger.append(draft)
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from phigate.audit.ids import uuid7
from phigate.audit.record import JSON
from phigate.audit.shapes import is_id
from phigate.errors import SettingsError
from phigate.signing import in_memory
from phigate.store.carried import Unended
from phigate.store.cosigning import Cosigning, WitnessRules
from phigate.store.duties import Duties, Rhythm
from phigate.store.key_folder import ledger_keys
from phigate.store.ledger import LedgerLimits, StoreLedger
from phigate.store.reserve import RESERVE_BYTES, Reserve
from phigate.store.sealing import Sealer
from phigate.store.sqlite import SQLiteStorage
from phigate.store.storage import Storage
from phigate.store.writer import Writer

MiB: Final = 1024 * 1024
_SQLITE: Final = "sqlite:///"


def open_ledger(
    url: str,
    *,
    keys_folder: Path,
    origin: str,
    replica: str = "",
    limits: LedgerLimits | None = None,
    rhythm: Rhythm | None = None,
    now: Callable[[], float] = time.time,
    min_free_bytes: int | None = None,
    reserve_bytes: int | None = None,
    previous: dict[str, JSON] | None = None,
    witnesses: WitnessRules | None = None,
    boot: str = "",
    carried: Sequence[Unended] = (),
) -> StoreLedger:
    """Return the ledger of an origin, not started yet: ``await start()`` and ``await close()``, or ``async with``.

    ``url`` is ``sqlite:///FILE`` or ``postgresql+psycopg://…``.
    Keys that do not exist yet are created in ``keys_folder`` (see `key_folder`).
    ``min_free_bytes`` of disk are kept for outcomes of exchanges that run; None is the default of `disk_room`.
    ``reserve_bytes`` are preallocated for these (see `reserve`); None is the default, 0 where the former is given.
    ``previous`` stands in the genesis of a new log: what it follows (see recover).
    ``witnesses`` are asked to cosign the checkpoints; None or an empty list asks nobody.
    ``boot`` names this start of this replica where it wrote to another segment before; "" makes a new one.
    ``carried`` are exchanges that an earlier segment left open.
    Raises `SettingsError`; `start` raises `LedgerStateError` when the log cannot be continued.
    """
    keys = ledger_keys(keys_folder, origin=origin, now=now())
    replica = replica or replica_name()
    record = in_memory(f"{origin}/{replica}")
    sealer = Sealer(origin, replica, boot or secrets.token_hex(16), record, now, time.monotonic)
    storage, folder = open_storage(url, boot=sealer.boot)
    reserve = _reserve(folder, min_free_bytes, reserve_bytes)
    release = reserve.release if reserve else lambda: False
    writer = Writer(storage, sealer, new_eid=lambda: new_id(now), release_room=release)
    duties = Duties(
        writer,
        checkpoint=keys.checkpoint,
        enrolment=keys.enrolment,
        record=record,
        keyring=keys.note,
        anchor=keys.anchor,
        previous=previous,
        carried=carried,
        rhythm=rhythm,
        software=software(),
    )
    room = disk_room(folder, min_free_bytes) if folder is not None else lambda: None
    cosigning = Cosigning(url, origin, witnesses, keys.keyring, now=now) if witnesses and witnesses.at else None
    return StoreLedger(writer, duties, limits=limits, room=room, reserve=reserve, cosigning=cosigning)


def _reserve(folder: Path | None, min_free_bytes: int | None, reserve_bytes: int | None) -> Reserve | None:
    if folder is None:
        return None
    default = RESERVE_BYTES if min_free_bytes is None else 0
    return Reserve(folder / "ledger.reserve", default if reserve_bytes is None else reserve_bytes)


def open_storage(url: str, *, boot: str = "") -> tuple[Storage, Path | None]:
    """Return the storage behind a database URL, and the folder whose disk it fills if that is ours to watch."""
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SQLiteStorage(path), path.parent
    if url.startswith("postgresql"):
        from phigate.store.postgres import PostgresStorage  # noqa: PLC0415 - psycopg is an extra

        return PostgresStorage(url, boot=boot), None
    raise SettingsError("expected a database URL that begins with sqlite:/// or postgresql, found another")


def disk_room(folder: Path, min_free_bytes: int | None = None) -> Callable[[], str | None]:
    """Return a check, made once a second at most, that says what is wrong when the disk has too little room.

    By default max(512 MiB, 5 % of the disk, of which no more than 8 GiB) must be free for new intents.
    """
    state: list[tuple[float, str | None]] = [(float("-inf"), None)]

    def check() -> str | None:
        at, answer = state[0]
        now = time.monotonic()
        if now - at >= 1.0:
            disk = shutil.disk_usage(folder)
            least = max(512 * MiB, min(disk.total // 20, 8192 * MiB)) if min_free_bytes is None else min_free_bytes
            short = disk.free < least
            answer = (
                f"expected {least // MiB} MiB free on the ledger's disk, found {disk.free // MiB}" if short else None
            )
            state[0] = (now, answer)
        return answer

    return check


def new_id(now: Callable[[], float] = time.time) -> str:
    """Return a fresh UUIDv7, for an exchange or an entry."""
    return uuid7(at_ms=int(now() * 1000), randomness=os.urandom(10))


def replica_name() -> str:
    """Return the host's name if it can stand in an entry, else ``gw``."""
    name = socket.gethostname().split(".", 1)[0].lower()
    return name if is_id(name) else "gw"


def software() -> str:
    """Return name and version of this program, as genesis and configuration entries cite it."""
    try:
        return f"phigate/{version('phigate')}"
    except PackageNotFoundError:
        return "phigate"
