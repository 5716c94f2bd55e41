"""Fault 8: the power goes. What was acknowledged stands, whatever the disk lost of what was never synced.

And a disk that lies, which calls a write durable and then loses it: nothing can be promised, but it is never silent.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from phigate.errors import LedgerStateError
from phigate.store.open import open_ledger
from phigate.tlog.errors import TlogError
from phigate.tlog.report import Verdict
from tests.store.drafts import ORIGIN, an_intent
from tests.store.test_faults import acknowledged, assert_all_stand, report_of
from tests.store.torn import Event, after_power_cut, may_trace, record

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("PHIGATE_FAULTS", "4"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Path]:
    why = may_trace()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("recorded")
    events = record(f"sqlite:///{folder}/ledger.db", folder, folder / "keys", seconds=0.6, clients=4)
    assert {event.kind for event in events} >= {"write", "sync", "ack"}
    # What is rebuilt from the whole recording is what lies there: nothing was overlooked.
    synced = [Event(1e12, "sync", name) for name in ("ledger.db", "ledger.db-wal")]
    whole = after_power_cut([*events, *synced], random.Random(0))
    assert whole["ledger.db"] == (folder / "ledger.db").read_bytes()
    return events, folder / "keys"


def acks(events: list[Event]) -> dict[int, str]:
    return acknowledged(b"".join(event.data for event in events if event.kind == "ack").decode())


def lay(folder: Path, files: dict[str, bytes], keys: Path) -> str:
    """Put down what is left, with the keys but without the anchor's later heads."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    shutil.copytree(keys, folder / "keys")
    return f"sqlite:///{folder}/ledger.db"


async def go_on(url: str, folder: Path) -> int:
    async with open_ledger(url, keys_folder=folder / "keys", origin=ORIGIN, replica="gw", min_free_bytes=0) as ledger:
        return (await ledger.append(an_intent())).index


async def test_what_was_acknowledged_survives_a_power_cut(recorded: tuple[list[Event], Path], tmp_path: Path) -> None:
    events, keys = recorded
    chance = random.Random(20261123)
    first = next(n for n, event in enumerate(events) if event.kind == "ack" and event.data.startswith(b"ready"))
    cuts = [chance.randrange(first, len(events)) for _ in range(2 * ROUNDS)]
    known = 0
    for number, cut in enumerate(cuts):
        folder = tmp_path / str(number)
        until = events[: cut + 1]
        url = lay(folder, after_power_cut(until, chance), keys)
        # The anchor lies on another disk, which kept it: it may be ahead by a head that was signed and not committed
        # here, and never by an acknowledged entry. A new one is what stands for that disk.
        next(iter((folder / "keys").glob("anchor-*.note"))).write_bytes(b"")
        await go_on(url, folder)
        assert_all_stand(url, acks(until))
        known += len(acks(until))
    print(f"SQLite: {len(cuts)} power cuts, {known} acknowledged entries looked for, 0 lost")
    assert known > len(cuts)


async def test_a_disk_that_lies_is_found_out(recorded: tuple[list[Event], Path], tmp_path: Path) -> None:
    """The WAL's newest part is lost though it was synced: the tail is gone, and the anchor says so."""
    events, keys = recorded
    honest = after_power_cut([*events], random.Random(0))
    wrote = [n for n, event in enumerate(events) if event.kind == "write" and event.file == "ledger.db-wal"]
    lost = 0
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        cut = events[: wrote[len(wrote) * (number + 1) // (ROUNDS + 2)]]
        files = after_power_cut(cut, random.Random(number))
        assert files != honest
        url = lay(folder, files, keys)
        with pytest.raises(LedgerStateError, match=r"expected .* to extend its anchor"):
            await go_on(url, folder)
        lost += 1
    print(f"SQLite: {lost} disks that lied, 0 of them unseen")


async def test_torn_pages_are_never_silent(recorded: tuple[list[Event], Path], tmp_path: Path) -> None:
    events, keys = recorded
    files = after_power_cut([*events, Event(1e12, "sync", "ledger.db")], random.Random(0))
    del files["ledger.db-wal"]  # closed: all lies in the file
    chance = random.Random(7)
    found = 0
    for number in range(3 * ROUNDS):
        folder = tmp_path / str(number)
        data = bytearray(files["ledger.db"])
        at = chance.randrange(len(data) // 512) * 512
        before = bytes(data[at : at + 512])
        data[at : at + 512] = bytes(512)
        if before == bytes(512):
            continue
        url = lay(folder, {"ledger.db": bytes(data)}, keys)
        try:
            verdict = report_of(url).verdict
        except (TlogError, sa.exc.SQLAlchemyError):
            verdict = Verdict.INCOMPLETE  # SQLite itself finds the file malformed
        if verdict is Verdict.VERIFIED:  # an index or a free page: nothing that is evidence was in that sector
            assert_all_stand(url, acks(events))
        else:
            found += 1
    assert found > 0
