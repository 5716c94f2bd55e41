"""The ledger in one SQLite file per segment: one writer connection, in one thread, in one process.

What could silently weaken it is closed here (docs/ledger-format.md): WAL with synchronous=FULL, no memory map, no
deferred transaction, no second writer (lock file), rows only ever added (triggers, recursive triggers, an authorizer
that refuses to drop the triggers). One writer connection alone also avoids the WAL-reset fault of SQLite before 3.51.3.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from phigate.errors import LedgerStateError
from phigate.store.migrate import upgrade
from phigate.store.statements import SharedStatements
from phigate.store.storage import CommitUnknownError, Growth, Head, StorageError, Trouble
from phigate.tlog.merkle import EMPTY_ROOT

LOG_ID: Final = 1  # one log per file
_BUSY_S: Final = 2.0
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",  # macOS: an fsync that reaches the disk
    "PRAGMA checkpoint_fullfsync=ON",
    "PRAGMA recursive_triggers=ON",  # so that INSERT OR REPLACE meets BEFORE DELETE
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
)
# What SQLite says of its own files where the disk has no room for them.
_NEEDS_ROOM: Final = frozenset({"SQLITE_CANTOPEN", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN"})
_ROOM_BYTES: Final = 256 * 1024
_BUSY: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_BUSY_SNAPSHOT"})
_FORBIDDEN: Final = frozenset(
    {
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
    }
)


class SQLiteStorage(SharedStatements):
    """The `Storage` of one file. ``connect`` exists so that tests can put a failing connection underneath."""

    alone = True  # the lock file keeps other writers away

    def __init__(self, path: Path, *, connect: Callable[..., sqlite3.Connection] = sqlite3.connect) -> None:
        self.path = path
        self._connect = connect
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None
        self._raw_connection: sqlite3.Connection | None = None  # what the two above stand on
        self._lock: int | None = None

    def open(self) -> None:
        """Take the lock file, create or migrate the database, and connect."""
        self._take_lock()
        with _translated("open the file", self.path.parent):
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
                _sync_folder(self.path.parent)
            engine = sa.create_engine("sqlite://", creator=self._raw, poolclass=StaticPool)
            self._engine = engine
            self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            upgrade_if_needed(self._connection)
            # The migration's rollback journal is gone from here on: one that came back after a power cut, since
            # nobody had synced its removal, would be rolled back over entries that were acknowledged meanwhile.
            _sync_folder(self.path.parent)
            driver = self._connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.set_authorizer(_authorize)
            self._raw_connection = driver

    def _raw(self) -> sqlite3.Connection:
        raw = self._connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            raw.execute(pragma).fetchall()
        return raw

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        handle = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise LedgerStateError(
                f"expected to be the only process that appends to {self.path.name}, found another: stop it first"
            ) from error
        self._lock = handle

    def close(self) -> None:
        """Drop the connection; the lock file stays ours until `release`."""
        for closing in (self._connection, self._engine):
            if closing is not None:
                try:
                    closing.close() if isinstance(closing, sa.Connection) else closing.dispose()
                except (sa.exc.SQLAlchemyError, sqlite3.Error):
                    continue
        self._connection = self._engine = self._raw_connection = None

    def release(self) -> None:
        """Give the lock file back. Call after `close`, when this process appends no more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def boot_lives(self, boot: str) -> bool:
        """Return False: who has the lock file is alone."""
        del boot
        return False

    def _driver(self) -> sqlite3.Connection:
        if self._raw_connection is None:
            raise StorageError(Trouble.DOWN, "answer without a connection")
        return self._raw_connection

    def _run(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Run on the driver's connection: SQLAlchemy's own work would cost more than these statements do."""
        driver = self._driver()
        with _translated("run a statement", self.path.parent):
            return driver.execute(sql, parameters).fetchall()

    def _many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        driver = self._driver()
        if rows:
            with _translated("insert rows", self.path.parent):
                driver.executemany(sql, rows)

    def begin(self, origin: str, *, seen: int = -1) -> Head | None:
        """Begin at once as the writer, so that no read is ever upgraded."""
        del seen
        self._run("BEGIN IMMEDIATE")
        return self._head(origin)

    def create(self, origin: str) -> Head:
        """Insert the one head row of this file."""
        head = Head(LOG_ID, origin, 0, EMPTY_ROOT, b"", 0, closed=False)
        self._run(
            "INSERT INTO ledger_head (log_id, origin, size, root, frontier, last_ts, closed) VALUES (?,?,?,?,?,?,?)",
            (head.log_id, head.origin, head.size, head.root, head.frontier, head.last_ts, head.closed),
        )
        return head

    def find(self, log_id: int, eids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Look entries up by their id."""
        found: dict[str, tuple[int, bytes]] = {}
        for eid in eids:
            rows = self._run("SELECT idx, leaf FROM ledger_entry WHERE log_id = ? AND eid = ?", (log_id, eid))
            if rows:
                found[eid] = (rows[0][0], bytes(rows[0][1]))
        return found

    def taken(self, log_id: int, slots: Iterable[tuple[str, int, str]]) -> set[tuple[str, int, str]]:
        """Look entries up by what they are about."""
        sql = "SELECT 1 FROM ledger_entry WHERE log_id = ? AND rid = ? AND attempt = ? AND kind = ?"
        return {slot for slot in slots if self._run(sql, (log_id, *slot))}

    def grow(self, growth: Growth) -> None:
        """Insert one batch and move the head."""
        head = growth.head
        self._many(
            "INSERT INTO ledger_entry (log_id, idx, eid, kind, rid, attempt, entry, leaf) VALUES (?,?,?,?,?,?,?,?)",
            [(head.log_id, r.idx, r.eid, r.kind, r.rid, r.attempt, r.entry, r.leaf) for r in growth.rows],
        )
        self._many(
            "INSERT INTO ledger_tile (log_id, level, n, hashes) VALUES (?,?,?,?)",
            [(head.log_id, tile.level, tile.n, tile.hashes) for tile in growth.tiles],
        )
        self._run(
            "INSERT INTO ledger_batch (log_id, size, root, ts) VALUES (?,?,?,?)",
            (head.log_id, head.size, head.root, growth.ts),
        )
        self._run(
            "UPDATE ledger_head SET size = ?, root = ?, frontier = ?, last_ts = ? WHERE log_id = ?",
            (head.size, head.root, head.frontier, head.last_ts, head.log_id),
        )

    def close_head(self, log_id: int) -> None:
        """Mark the log as closed."""
        self._run("UPDATE ledger_head SET closed = 1 WHERE log_id = ?", (log_id,))

    def commit(self) -> None:
        """Commit; with synchronous=FULL the WAL has reached the disk when this returns."""
        try:
            self._run("COMMIT")
        except StorageError as error:
            raise CommitUnknownError(error.trouble, "commit") from error

    def rollback(self) -> None:
        """Roll back if a transaction is open; SQLite may have done so by itself."""
        try:
            if self._connection is not None and self._driver().in_transaction:
                self._run("ROLLBACK")
        except StorageError:
            self.close()


def upgrade_if_needed(connection: sa.Connection) -> None:
    """Bring the file to the newest schema."""
    upgrade(connection, "ledger")


def _authorize(action: int, table: str | None, column: str | None, *_: object) -> int:
    """Refuse what an append-only ledger never does, even to code that runs inside this process."""
    if action in _FORBIDDEN or (action == sqlite3.SQLITE_UPDATE and table != "ledger_head"):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and table in {"recursive_triggers", "writable_schema"} and column is not None:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


@contextmanager
def _translated(what: str, folder: Path) -> Iterator[None]:
    """Map SQLite's errors once, by its own error names."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise StorageError(_trouble(error.orig, folder), what) from error
    except sqlite3.Error as error:
        raise StorageError(_trouble(error, folder), what) from error
    except OSError as error:
        raise StorageError(Trouble.FULL if error.errno == 28 else Trouble.DOWN, what) from error


def _trouble(error: BaseException | None, folder: Path) -> Trouble:
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, sqlite3.IntegrityError):
        return Trouble.CLASH
    if name == "SQLITE_FULL" or (name in _NEEDS_ROOM and shutil.disk_usage(folder).free < _ROOM_BYTES):
        return Trouble.FULL
    return Trouble.DOWN if name in _BUSY else Trouble.DAMAGED


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
