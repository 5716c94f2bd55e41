"""What the appender asks of a database, as promises. SQL and the traps of each database are in its own module.

All calls come from the one writer thread; none is safe elsewhere. Between `begin` and `commit` or `rollback` the head
row is locked: no other replica moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phigate.errors import PhigateError


class Trouble(StrEnum):
    """Why a statement failed, as far as the appender must know."""

    DOWN = "down"  # no connection, a lock or statement timeout: nothing is known to be wrong with what is stored
    FULL = "full"  # no room on the disk
    DAMAGED = "damaged"  # an I/O error: what is stored must be checked before it is continued
    CLASH = "clash"  # a row that stands already: a unique index or a trigger refused


class StorageError(PhigateError):
    """A statement failed before COMMIT; the transaction is void. The appender catches it."""

    def __init__(self, trouble: Trouble, what: str) -> None:
        super().__init__(f"the database failed to {what}: {trouble.value}")
        self.trouble = trouble


class CommitUnknownError(StorageError):
    """COMMIT did not answer. The transaction may stand; only a look under the lock tells."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head row. ``frontier`` is `Frontier.to_bytes`; ``last_ts`` the largest timestamp, in microseconds."""

    log_id: int
    origin: str
    size: int
    root: bytes
    frontier: bytes
    last_ts: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One entry with its place and its index columns."""

    idx: int
    eid: str
    kind: str
    rid: str | None
    attempt: int | None
    entry: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """One full tile: 256 hashes."""

    level: int
    n: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Growth:
    """One batch: the rows, the tiles that they complete, the head that results, and its batch row's time."""

    rows: Sequence[Row]
    tiles: Sequence[Tile]
    head: Head
    ts: int


class Reader(Protocol):
    """Reads of one log. Outside a transaction each sees the newest committed state."""

    def leaves(self, log_id: int, start: int, end: int) -> list[bytes]:
        """Return the leaf hashes [start, end), in order, as far as there are any."""
        ...

    def tiles(self, log_id: int, level: int, start: int, end: int) -> list[bytes]:
        """Return full tiles [start, end) of a level, in order, as far as there are any."""
        ...

    def rows(self, log_id: int, start: int, end: int) -> list[Row]:
        """Return the entries [start, end), in order, as far as there are any."""
        ...


class Storage(Reader, Protocol):
    """One connection that may write. ``alone`` says whether no other process can append to the same log."""

    alone: bool

    def open(self) -> None:
        """Connect. Raises `StorageError`."""
        ...

    def close(self) -> None:
        """Drop the connection, whatever its state. Never raises."""
        ...

    def release(self) -> None:
        """Let another process append: nothing is appended here any more. Call after `close`."""
        ...

    def boot_lives(self, boot: str) -> bool:
        """Return whether another boot is connected to this log now."""
        ...

    def begin(self, origin: str, *, seen: int = -1) -> Head | None:
        """Begin a transaction and lock the head row of a log; None where the log does not exist yet.

        ``seen`` is a size whose `batch_root` may be asked for next.
        """
        ...

    def create(self, origin: str) -> Head:
        """Insert the head row of an empty log, within the transaction."""
        ...

    def batch_root(self, log_id: int, size: int) -> bytes | None:
        """Return the root of the batch that ended at this size."""
        ...

    def find(self, log_id: int, eids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Return index and leaf hash of those of the entries that stand."""
        ...

    def taken(self, log_id: int, slots: Iterable[tuple[str, int, str]]) -> set[tuple[str, int, str]]:
        """Return those of the (rid, attempt, kind) that have an entry."""
        ...

    def grow(self, growth: Growth) -> None:
        """Insert rows, tiles and batch, and move the head, within the transaction."""
        ...

    def close_head(self, log_id: int) -> None:
        """Mark a log as closed, within the transaction: it never grows again."""
        ...

    def commit(self) -> None:
        """Make it durable. Raises `CommitUnknownError` when the answer did not come."""
        ...

    def rollback(self) -> None:
        """End the transaction without a change. Never raises."""
        ...

    def newest_checkpoint(self, log_id: int) -> bytes | None:
        """Return the newest signed checkpoint."""
        ...

    def add_checkpoint(self, log_id: int, size: int, note: bytes) -> None:
        """Keep a signed checkpoint, within the transaction."""
        ...

    def newest_anchor(self, log_id: int, kind: str) -> bytes | None:
        """Return the newest piece of outside evidence of a kind: a keyring, a timestamp."""
        ...

    def add_anchor(self, log_id: int, size: int, kind: str, blob: bytes) -> None:
        """Keep a piece of outside evidence, within the transaction."""
        ...

    def newest_heartbeat(self, log_id: int, start: int) -> bytes | None:
        """Return the newest heartbeat at or after an index."""
        ...

    def open_intents(self, log_id: int, start: int) -> list[Row]:
        """Return the intents at or after an index that have no outcome."""
        ...
