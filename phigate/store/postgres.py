"""The ledger in PostgreSQL: several replicas append to one log, one at a time, by the lock on its head row.

READ COMMITTED on purpose: a waiter then reads the head anew once it has the lock, where REPEATABLE READ would fail.
An index comes from the head, never from a sequence, which leaves gaps on rollback. A server that does not keep what it
acknowledged (fsync, full_page_writes or synchronous_commit off) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from phigate.errors import LedgerStateError, SettingsError
from phigate.store.migrate import current, upgrade
from phigate.store.statements import SharedStatements
from phigate.store.storage import CommitUnknownError, Growth, Head, Row, StorageError, Trouble

_SESSION: Final = (
    "SET lock_timeout = '2s'",
    "SET statement_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET search_path = public, pg_temp",  # nobody puts a table of his own in front
)
_MUST_BE_ON: Final = ("fsync", "full_page_writes", "synchronous_commit")
_CONNECT: Final = {"connect_timeout": 2, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2}
# One statement, one round trip: the lock on the head is held for that much less.
_GROW: Final = (
    "WITH e AS (INSERT INTO ledger_entry (log_id, idx, eid, kind, rid, attempt, entry, leaf)"
    " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bytea[], %s::bytea[])),"
    " b AS (INSERT INTO ledger_batch (log_id, size, root, ts) VALUES (%s, %s, %s, %s))"
    " UPDATE ledger_head SET size = %s, root = %s, frontier = %s, last_ts = %s WHERE log_id = %s"
)


class PostgresStorage(SharedStatements):
    """The `Storage` of one replica: one connection, used by one thread. ``boot`` names who holds it."""

    alone = False

    def __init__(self, url: str, *, boot: str = "") -> None:
        self._url = url
        self._boot = boot
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None

    def open(self) -> None:
        """Connect, migrate, refuse a server that forgets, and show that this boot lives."""
        with _translated("connect"):
            if self._engine is None:
                self._engine = sa.create_engine(self._url, poolclass=NullPool, connect_args=_CONNECT)
                with self._engine.connect() as connection:
                    if not current(connection, "ledger"):
                        connection.rollback()
                        upgrade(connection, "ledger")
                        connection.commit()
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for statement in _SESSION:
            self._run(statement)
        for name in _MUST_BE_ON:
            value = self._run(f"SHOW {name}")[0][0]
            if value in {"off", "local"} and not (value == "local" and not self._has_standby()):
                raise LedgerStateError(f"expected a server with {name} = on, found {value}: it would lose entries")
        if self._boot:
            self._run("SELECT pg_advisory_lock_shared(%s)", (_boot_key(self._boot),))

    def _has_standby(self) -> bool:
        return bool(self._run("SHOW synchronous_standby_names")[0][0])

    def close(self) -> None:
        """Drop the connection, whatever its state."""
        if self._connection is not None:
            try:
                self._connection.invalidate()
                self._connection.close()
            except (sa.exc.SQLAlchemyError, OSError):
                pass
        self._connection = None

    def release(self) -> None:
        """Forget the engine; locks end with the connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def boot_lives(self, boot: str) -> bool:
        """Return whether the replica of a boot is connected: it holds a lock that nobody can take while it is."""
        key = _boot_key(boot)
        if self._run("SELECT pg_try_advisory_lock(%s)", (key,))[0][0]:
            self._run("SELECT pg_advisory_unlock(%s)", (key,))
            return False
        return True

    def _run(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        if self._connection is None:
            raise StorageError(Trouble.DOWN, "answer without a connection")
        with _translated("run a statement"):
            result = self._connection.exec_driver_sql(sql.replace("?", "%s"), parameters or None)
            return list(result) if result.returns_rows else []

    def begin(self, origin: str) -> Head | None:
        """Begin, and wait for the lock on the head row, 2 seconds at most."""
        self._run("BEGIN")
        return self._head(origin, suffix=" FOR UPDATE")

    def create(self, origin: str) -> Head:
        """Insert the head row, or lock that of the replica which was quicker."""
        self._run(
            "INSERT INTO ledger_head (log_id, origin, size, root, frontier, last_ts, closed)"
            " SELECT COALESCE(MAX(log_id), 0) + 1, %s, 0, %s, ''::bytea, 0, FALSE FROM ledger_head"
            " ON CONFLICT DO NOTHING",
            (origin, sha256(b"").digest()),
        )
        head = self._head(origin, suffix=" FOR UPDATE")
        if head is None:  # two origins created at once took the same number
            raise StorageError(Trouble.DOWN, "create a log, another was created at the same time")
        return head

    def find(self, log_id: int, eids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Look entries up by their id."""
        sql = "SELECT eid, idx, leaf FROM ledger_entry WHERE log_id = %s AND eid = ANY(%s)"
        return {row[0]: (row[1], bytes(row[2])) for row in self._run(sql, (log_id, list(eids)))}

    def taken(self, log_id: int, slots: Iterable[tuple[str, int, str]]) -> set[tuple[str, int, str]]:
        """Look entries up by what they are about."""
        wanted = set(slots)
        sql = "SELECT rid, attempt, kind FROM ledger_entry WHERE log_id = %s AND rid = ANY(%s)"
        found = {(row[0], row[1], row[2]) for row in self._run(sql, (log_id, [slot[0] for slot in wanted]))}
        return wanted & found

    def grow(self, growth: Growth) -> None:
        """Insert one batch and move the head."""
        head, rows = growth.head, growth.rows
        if growth.tiles:
            self._run(
                "INSERT INTO ledger_tile (log_id, level, n, hashes)"
                " SELECT %s, * FROM unnest(%s::int[], %s::bigint[], %s::bytea[])",
                (
                    head.log_id,
                    [t.level for t in growth.tiles],
                    [t.n for t in growth.tiles],
                    [t.hashes for t in growth.tiles],
                ),
            )
        columns = ([getattr(row, name) for row in rows] for name in Row.__slots__)
        batch = (head.log_id, head.size, head.root, growth.ts)
        self._run(
            _GROW, (head.log_id, *columns, *batch, head.size, head.root, head.frontier, head.last_ts, head.log_id)
        )

    def close_head(self, log_id: int) -> None:
        """Mark the log as closed."""
        self._run("UPDATE ledger_head SET closed = TRUE WHERE log_id = %s", (log_id,))

    def commit(self) -> None:
        """Commit; the WAL has reached the disk, and the synchronous standby if there is one, when this returns."""
        try:
            self._run("COMMIT")
        except StorageError as error:
            raise CommitUnknownError(error.trouble, "commit") from error

    def rollback(self) -> None:
        """Roll back; a connection that cannot is dropped, which rolls back as well."""
        try:
            if self._connection is not None:
                self._run("ROLLBACK")
        except StorageError:
            self.close()


def _boot_key(boot: str) -> int:
    """Return the 64-bit number of a boot's lock."""
    return int.from_bytes(sha256(b"phigate boot " + boot.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Map PostgreSQL's errors once, by their SQLSTATE."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise StorageError(_trouble(getattr(error.orig, "sqlstate", None)), what) from error
    except sa.exc.InvalidRequestError as error:  # a connection that the server cut, used once more
        raise StorageError(Trouble.DOWN, what) from error
    except sa.exc.NoSuchModuleError as error:
        raise SettingsError(
            "expected a database URL of the form postgresql+psycopg://…, found another driver"
        ) from error
    except ModuleNotFoundError as error:
        raise SettingsError("expected the package psycopg, found none: pip install 'phigate[postgres]'") from error


def _trouble(sqlstate: str | None) -> Trouble:
    """Class 23 is a clash, 53100 a full disk, 58 and XX damage; the rest says nothing about what is stored."""
    if sqlstate is None:
        return Trouble.DOWN
    if sqlstate.startswith("23"):
        return Trouble.CLASH
    if sqlstate == "53100":
        return Trouble.FULL
    return Trouble.DAMAGED if sqlstate[:2] in {"58", "XX"} else Trouble.DOWN
