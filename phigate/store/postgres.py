"""The ledger in PostgreSQL: several replicas append to one log, one at a time, by the lock on its head row.

READ COMMITTED on purpose: a waiter then reads the head anew once it has the lock, where REPEATABLE READ would fail.
An index comes from the head, never from a sequence, which leaves gaps on rollback. A server that does not keep what it
acknowledged (fsync, full_page_writes or synchronous_commit off) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from phigate.errors import LedgerStateError, SettingsError
from phigate.store.migrate import current, upgrade
from phigate.store.statements import SharedStatements
from phigate.store.storage import CommitUnknownError, Growth, Head, StorageError, Trouble

if TYPE_CHECKING:
    from psycopg import Error as _DriverError
else:
    try:
        from psycopg import Error as _DriverError
    except ModuleNotFoundError:  # the extra is not installed: `open` says so

        class _DriverError(Exception):
            sqlstate = None


_SESSION: Final = (
    "SET lock_timeout = '2s'",
    "SET statement_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '10s'",
    "SET search_path = public, pg_temp",  # nobody puts a table of his own in front
)
_MUST_BE_ON: Final = ("fsync", "full_page_writes", "synchronous_commit")
_CONNECT: Final = {"connect_timeout": 2, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2}
# One statement for the whole batch. Entries and leaves travel as one binary value each and are cut here: the driver
# would spend more on escaping arrays of them than the server spends on storing them.
_GROW: Final = (
    "WITH e AS (INSERT INTO ledger_entry (log_id, idx, eid, kind, rid, attempt, entry, leaf)"
    " SELECT %s, %s + n, eid, kind, rid, attempt, substring(entries FROM start FOR length),"
    " substring(leaves FROM (32 * n - 31)::int FOR 32) FROM (SELECT %b::bytea AS entries, %b::bytea AS leaves) AS w,"
    " unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[])"
    " WITH ORDINALITY AS u (eid, kind, rid, attempt, start, length, n)),"
    " b AS (INSERT INTO ledger_batch (log_id, size, root, ts) VALUES (%s, %s, %b, %s))"
    " UPDATE ledger_head SET size = %s, root = %b, frontier = %b, last_ts = %s WHERE log_id = %s"
)
_TILE: Final = "INSERT INTO ledger_tile (log_id, level, n, hashes) VALUES (%s, %s, %s, %b)"
# The root that this replica saw last comes with the head: no second round trip where another replica wrote since.
_LOCK: Final = (
    "SELECT log_id, origin, size, root, frontier, last_ts, closed, (SELECT b.root FROM ledger_batch AS b"
    " WHERE b.log_id = h.log_id AND b.size = %s) FROM ledger_head AS h WHERE origin = %s FOR UPDATE"
)
# Errors after which a transaction is certainly void, the server having said so; any other leaves COMMIT in doubt.
_VOID: Final = frozenset({"22", "23", "25", "40", "42", "53", "54", "55"})

_Sent = tuple[str, tuple[Any, ...]]


class PostgresStorage(SharedStatements):
    """The `Storage` of one replica: one connection, used by one thread. ``boot`` names who holds it."""

    alone = False

    def __init__(self, url: str, *, boot: str = "") -> None:
        self._url = url
        self._boot = boot
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None
        self._pending: list[_Sent] = []  # what the transaction is to do, sent together with its COMMIT
        self._seen: tuple[int, int, bytes | None] = (0, -1, None)  # log, size and root that came with the head

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

    def begin(self, origin: str, *, seen: int = -1) -> Head | None:
        """Begin, and wait for the lock on the head row, 2 seconds at most: one round trip."""
        self._pending = []
        found = self._together(("BEGIN", ()), (_LOCK, (seen, origin)))
        if not found:
            return None
        log_id, name, size, root, frontier, last_ts, closed, then = found[0]
        self._seen = (log_id, seen, bytes(then) if then is not None else None)
        return Head(log_id, name, size, bytes(root), bytes(frontier), last_ts, bool(closed))

    def batch_root(self, log_id: int, size: int) -> bytes | None:
        """Return the root of the batch that ended at this size."""
        if self._seen[:2] == (log_id, size):
            return self._seen[2]
        return super().batch_root(log_id, size)

    def _together(self, *sent: _Sent) -> list[Any]:
        """Send statements at once and return the rows of the last one. Raises `StorageError`."""
        if self._connection is None:
            raise StorageError(Trouble.DOWN, "answer without a connection")
        with _translated("run statements"):
            raw: Any = self._connection.connection.driver_connection
            with raw.pipeline():
                for sql, parameters in sent:
                    last = raw.execute(sql, parameters or None, prepare=bool(parameters))
            return last.fetchall() if last.description is not None else []

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
        """Have one batch inserted and the head moved, in order, when the transaction commits."""
        head, rows = growth.head, growth.rows
        self._pending += [(_TILE, (head.log_id, tile.level, tile.n, tile.hashes)) for tile in growth.tiles]
        lengths = [len(row.entry) for row in rows]
        starts = list(accumulate(lengths, initial=1))[:-1]  # SQL counts from 1
        entry = (
            head.log_id,
            rows[0].idx - 1,  # as the rows are counted
            b"".join(row.entry for row in rows),
            b"".join(row.leaf for row in rows),
            _words(row.eid for row in rows),
            _words(row.kind for row in rows),
            _words(row.rid for row in rows),
            _numbers(row.attempt for row in rows),
            _numbers(starts),
            _numbers(lengths),
        )
        moved = (head.size, head.root, head.frontier, head.last_ts, head.log_id)
        self._pending.append((_GROW, (*entry, head.log_id, head.size, head.root, growth.ts, *moved)))

    def close_head(self, log_id: int) -> None:
        """Have the log marked as closed when the transaction commits."""
        self._pending.append(("UPDATE ledger_head SET closed = TRUE WHERE log_id = %s", (log_id,)))

    def commit(self) -> None:
        """Carry out what is pending and commit: one round trip.

        The WAL has reached the disk, and the synchronous standby if there is one, when this returns.
        """
        pending, self._pending = self._pending, []
        try:
            self._together(*pending, ("COMMIT", ()))
        except StorageError as error:
            state = getattr(getattr(error.__cause__, "orig", error.__cause__), "sqlstate", None) or ""
            if state[:2] in _VOID:
                raise
            raise CommitUnknownError(error.trouble, "commit") from error

    def rollback(self) -> None:
        """Roll back; a connection that cannot is dropped, which rolls back as well."""
        self._pending = []
        try:
            if self._connection is not None:
                self._run("ROLLBACK")
        except StorageError:
            self.close()


def _words(values: Iterable[str | None]) -> str:
    """Return PostgreSQL's text of an array of codes and ids, which hold nothing to escape."""
    quoted = [f'"{value}"' if value is not None else "NULL" for value in values]
    text = ",".join(quoted)
    if "\\" in text or text.count('"') != 2 * sum(word != "NULL" for word in quoted):
        raise StorageError(Trouble.DAMAGED, "store a code or id that holds a quote or a backslash")
    return f"{{{text}}}"


def _numbers(values: Iterable[int | None]) -> str:
    return f"{{{','.join('NULL' if value is None else str(value) for value in values)}}}"


def _boot_key(boot: str) -> int:
    """Return the 64-bit number of a boot's lock."""
    return int.from_bytes(sha256(b"phigate boot " + boot.encode()).digest()[:8], "big", signed=True)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Map PostgreSQL's errors once, by their SQLSTATE."""
    try:
        yield
    except _DriverError as error:
        raise StorageError(_trouble(error.sqlstate), what) from error
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
