"""The database of what comes and goes: app keys, and what was held back. Not the ledger, and never in its file.

SQLite here keeps a rollback journal: writes are rare, several processes write, and no WAL can be reset by two of them.
It is truncated rather than deleted, which spares the folder a write each time. Calls are short; they run in one thread
of their own, off the event loop. Reads of a few rows are first tried in place: that takes microseconds where a way
through a thread takes a large part of a millisecond.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from phigate.errors import SettingsError, UnavailableError
from phigate.store.migrate import current, upgrade

_T = TypeVar("_T")
_BUSY_S: Final = 2.0
_SQLITE: Final = "sqlite:///"


class StateDatabase:
    """One connection in one thread, to a SQLite file or to the database of a URL."""

    def __init__(self, place: Path | str, *, branch: str = "state") -> None:
        self._branch = branch
        self._url = f"{_SQLITE}{place}" if isinstance(place, Path) else place
        self._engine: sa.Engine | None = None
        self._reader: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="phigate-state")

    async def run(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Run a piece of work in one transaction, durable when this returns.

        Raises `UnavailableError` (code ``state_unavailable``) when the database cannot do it now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.do, work)

    def peek(self, sql: str, parameters: Sequence[Any]) -> list[Any] | None:
        """Read a few rows in place, in the caller's thread; None where that would wait, or is not to be had.

        Never waits for another process's lock. The caller then asks again with `run`, which does.
        """
        if self._engine is None or not self._url.startswith(_SQLITE):
            return None
        try:
            if self._reader is None:
                path = Path(self._url.removeprefix(_SQLITE))
                # Threads: the one of the event loop alone reads here.
                self._reader = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error:
            return None

    def do(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Do the same in the calling thread; for commands."""
        try:
            if self._engine is None:
                self._engine = _engine(self._url, self._branch)
            with self._engine.begin() as connection:
                return work(connection)
        except sa.exc.SQLAlchemyError as error:
            raise UnavailableError("the database of app keys and held parts fails", code="state_unavailable") from error

    def close(self) -> None:
        """Give connection and thread back."""
        self._thread.shutdown()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _engine(url: str, branch: str) -> sa.Engine:
    if url.startswith(_SQLITE):
        engine = _sqlite(Path(url.removeprefix(_SQLITE)))
    elif url.startswith("postgresql"):
        engine = sa.create_engine(url, pool_pre_ping=True, pool_size=1)
    else:
        raise SettingsError("expected a database URL that begins with sqlite:/// or postgresql, found another")
    with _alone(url), engine.connect() as connection:
        if not current(connection, branch):
            connection.rollback()
            upgrade(connection, branch)
            connection.commit()
    return engine


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Keep other workers of this host out while the tables of a new SQLite file are made: one makes, the rest find."""
    if not url.startswith(_SQLITE):
        yield  # a migration on PostgreSQL takes its own advisory lock
        return
    with Path(url.removeprefix(_SQLITE) + ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sqlite(path: Path) -> sa.Engine:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level="IMMEDIATE")
        for pragma in ("PRAGMA journal_mode=TRUNCATE", "PRAGMA synchronous=FULL", "PRAGMA trusted_schema=OFF"):
            connection.execute(pragma).fetchall()
        return connection

    return sa.create_engine("sqlite://", creator=connect, poolclass=StaticPool)
