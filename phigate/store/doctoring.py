"""What could be wrong with a ledger's surroundings: software, disk, keys, anchor, clock. Findings, not repairs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from phigate.errors import LedgerStateError, PhigateError
from phigate.store.anchor import AnchorFile
from phigate.store.guards import schema_is_watched, traces
from phigate.store.key_folder import ROOT, anchor_path, read_keyring
from phigate.store.places import end_of, half_of
from phigate.store.source import DatabaseSource
from phigate.tlog.errors import TlogError
from phigate.tlog.keyring import Keyring, Role
from phigate.tlog.note import VerifierKey

SOON_DAYS: Final = 30
GOOD, WARN, BAD = "good", "warn", "bad"
_SQLITE: Final = "sqlite:///"
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: str
    what: str


def examine(url: str, *, keys: Path, origin: str | None = None) -> Iterator[Finding]:
    """Yield what was found, good or not. Changes nothing."""
    if url.startswith(_SQLITE):
        yield from _sqlite(Path(url.removeprefix(_SQLITE)))
    else:
        yield from _postgres(url)
    try:
        with DatabaseSource(url, origin=origin) as source:
            yield from _keys(keys, source)
            yield Finding(GOOD, f"{source.size} entries of {source.origin}, {source.signed_size} of them signed")
            if source.size != source.signed_size:
                yield Finding(WARN, f"{source.size - source.signed_size} entries stand after the newest checkpoint")
    except (PhigateError, TlogError) as error:
        yield Finding(BAD, str(error))


def _sqlite(path: Path) -> Iterator[Finding]:
    version = sqlite3.sqlite_version_info
    # One writer connection avoids the precondition (two connections that write or checkpoint at once).
    old = (3, 7, 0) <= version < (3, 51, 3)
    note = (
        ": inside the range of the WAL-reset fault, which one writer avoids; do not open the file to write"
        if old
        else ""
    )
    yield Finding(WARN if old else GOOD, f"SQLite {sqlite3.sqlite_version}{note if old else ''}")
    if not path.exists():
        return
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if each.exists() and stat.S_IMODE(each.stat().st_mode) & 0o077:
            yield Finding(BAD, f"expected mode 0600 on {each.name}, found {stat.S_IMODE(each.stat().st_mode):04o}")
    disk = shutil.disk_usage(path.parent)
    share = disk.free * 100 // disk.total
    yield Finding(GOOD if share >= 5 else BAD, f"{disk.free // 2**20} MiB free on the ledger's disk, {share} %")
    kind = _filesystem(path)
    yield Finding(BAD if kind in _NETWORK else GOOD, f"file system {kind}")


def _filesystem(path: Path) -> str:
    """Return the type of the file system that holds a path, as the kernel lists it."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split(" ")
        place = fields[1].rstrip("/") + "/"
        if f"{path.resolve()}/".startswith(place) and len(place) > len(best):
            best, kind = place, fields[2]
    return kind


def _postgres(url: str) -> Iterator[Finding]:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            for name, must in (("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")):
                value = connection.execute(sa.text(f"SHOW {name}")).scalar_one()
                good = value == must or (name == "synchronous_commit" and value in {"remote_write", "remote_apply"})
                yield Finding(GOOD if good else BAD, f"{name} = {value}")
            if not connection.execute(sa.text("SHOW synchronous_standby_names")).scalar_one():
                yield Finding(WARN, "no synchronous standby: a fail-over loses entries, which is then detected")
            yield from _guards(connection)
            yield from _role(connection)
            server = connection.execute(sa.text("SELECT EXTRACT(EPOCH FROM clock_timestamp())")).scalar_one()
            skew = abs(float(server) - time.time())
            yield Finding(GOOD if skew < 1 else WARN, f"the database's clock differs by {skew:.1f} s")
    except sa.exc.SQLAlchemyError as error:
        yield Finding(BAD, f"the database cannot be asked: {type(error).__name__}")
    finally:
        engine.dispose()


def _guards(connection: sa.Connection) -> Iterator[Finding]:
    """Say whether the triggers stand, and whether somebody went around them."""

    def ask(sql: str) -> list[Any]:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]

    if not sa.inspect(connection).has_table("ledger_ddl"):
        yield Finding(WARN, "the schema is that of an earlier release: run phigate ledger roles, or start the gateway")
        return
    found = list(traces(ask))
    yield from (Finding(BAD, what) for what in found)
    if not found:
        yield Finding(GOOD, "every table refuses changes, and none was changed around its triggers")
    if not schema_is_watched(ask):
        yield Finding(WARN, "changes of the schema are not written down: run phigate ledger roles as a superuser")


def _role(connection: sa.Connection) -> Iterator[Finding]:
    """Say whether who connects could undo what keeps rows as they are."""
    mighty = connection.execute(
        sa.text(
            "SELECT rolsuper OR EXISTS (SELECT 1 FROM pg_class WHERE relname LIKE 'ledger_%'"
            " AND pg_has_role(relowner, 'USAGE')) FROM pg_roles WHERE rolname = current_user"
        )
    ).scalar_one()
    if mighty:
        yield Finding(
            WARN, "the gateway's role could switch the triggers off: divide the rights with phigate ledger roles"
        )
    else:
        yield Finding(GOOD, "the gateway's role can add and nothing else")


def _keys(folder: Path, source: DatabaseSource) -> Iterator[Finding]:
    found = read_keyring(folder)
    if found is None:
        yield Finding(WARN, f"no keyring in {folder}")
        return
    keyring, note = found
    yield Finding(GOOD, f"keyring version {keyring.version}, root keys {keyring.fingerprint}")
    if source.keyring() != note:
        yield Finding(WARN, "the database keeps another version of the keyring; the next start brings it up to date")
    if (folder / ROOT).exists():
        yield Finding(WARN, "the root key lies beside the others: take it offline, nothing here needs it")
    yield from _next_segment(folder, source, keyring)
    if keyring.quorum == 0:
        yield Finding(WARN, "no witness is asked for: who owns database and keys could rewrite the past unseen")
    for path in folder.glob("*.key"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 or path.stat().st_uid != os.getuid():
            yield Finding(BAD, f"expected {path.name} to be readable by its owner alone, found mode {mode:04o}")
    yield from _anchor(folder, source, [each.key for each in keyring.listed(Role.CHECKPOINT, source.origin)])


def _next_segment(folder: Path, source: DatabaseSource, keyring: Keyring) -> Iterator[Finding]:
    """Look for the keys of the segment that follows; where the root key lies elsewhere nobody makes them in time."""
    half = half_of(source.origin)
    if not half or (folder / ROOT).exists():
        return
    following = [each.origin for each in keyring.keys if each.role is Role.CHECKPOINT and half_of(each.origin) > half]
    left = (end_of(half) - datetime.now(UTC)).days
    if following:
        yield Finding(GOOD, f"keys of the next segment, {following[0]}, are prepared")
    else:
        level = BAD if left < SOON_DAYS else WARN
        yield Finding(level, f"no keys of the segment after {half}, {left} days left: phigate ledger keys prepare")


def _anchor(folder: Path, source: DatabaseSource, keys: list[VerifierKey]) -> Iterator[Finding]:
    for key in keys:
        try:
            known = AnchorFile(anchor_path(folder, source.origin), origin=source.origin, key=key).read()
        except LedgerStateError as error:
            yield Finding(BAD, str(error))
            return
        size = known.size if known else 0
        ahead = size > source.size
        yield Finding(
            BAD if ahead else GOOD, f"anchor of {size} entries{': the database is behind it' if ahead else ''}"
        )
