"""The statements that are the same on both databases: reads of one log, checkpoints, outside evidence.

Written with ``?``; each database says in `_run` how it marks a value. What differs between them (locks, growth,
commit) is in the module of each.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

from phigate.store.storage import Head, Row

HEAD: Final = "SELECT log_id, origin, size, root, frontier, last_ts, closed FROM ledger_head WHERE origin = ?"
_ROWS: Final = (
    "SELECT idx, eid, kind, rid, attempt, entry, leaf FROM ledger_entry"
    " WHERE log_id = ? AND idx >= ? AND idx < ? ORDER BY idx"
)
_OPEN_INTENTS: Final = (
    "SELECT idx, eid, kind, rid, attempt, entry, leaf FROM ledger_entry AS i"
    " WHERE log_id = ? AND idx >= ? AND kind = 'intent' AND NOT EXISTS (SELECT 1 FROM ledger_entry AS o"
    " WHERE o.log_id = i.log_id AND o.rid = i.rid AND o.attempt = i.attempt AND o.kind = 'outcome') ORDER BY idx"
)


class SharedStatements:
    """What both storages answer in the same words. The promises are those of `storage.Storage`."""

    @abstractmethod
    def _run(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Run one statement and return its rows. Raises `StorageError`."""

    def _head(self, origin: str, *, suffix: str = "") -> Head | None:
        found = self._run(HEAD + suffix, (origin,))
        if not found:
            return None
        log_id, origin, size, root, frontier, last_ts, closed = found[0]
        return Head(log_id, origin, size, bytes(root), bytes(frontier), last_ts, bool(closed))

    def batch_root(self, log_id: int, size: int) -> bytes | None:
        """Return the root of the batch that ended at this size."""
        return self._one("SELECT root FROM ledger_batch WHERE log_id = ? AND size = ?", log_id, size)

    def leaves(self, log_id: int, start: int, end: int) -> list[bytes]:
        """Return leaf hashes in order."""
        sql = "SELECT leaf FROM ledger_entry WHERE log_id = ? AND idx >= ? AND idx < ? ORDER BY idx"
        return [bytes(row[0]) for row in self._run(sql, (log_id, start, end))]

    def tiles(self, log_id: int, level: int, start: int, end: int) -> list[bytes]:
        """Return full tiles in order."""
        sql = "SELECT hashes FROM ledger_tile WHERE log_id = ? AND level = ? AND n >= ? AND n < ? ORDER BY n"
        return [bytes(row[0]) for row in self._run(sql, (log_id, level, start, end))]

    def rows(self, log_id: int, start: int, end: int) -> list[Row]:
        """Return entries in order."""
        return [Row(*row) for row in self._run(_ROWS, (log_id, start, end))]

    def open_intents(self, log_id: int, start: int) -> list[Row]:
        """Return intents without an outcome."""
        return [Row(*row) for row in self._run(_OPEN_INTENTS, (log_id, start))]

    def newest_heartbeat(self, log_id: int, start: int) -> bytes | None:
        """Return the newest heartbeat at or after an index."""
        sql = (
            "SELECT entry FROM ledger_entry WHERE log_id = ? AND idx >= ? AND kind = 'heartbeat'"
            " ORDER BY idx DESC LIMIT 1"
        )
        return self._one(sql, log_id, start)

    def newest_checkpoint(self, log_id: int) -> bytes | None:
        """Return the newest signed checkpoint."""
        return self._one("SELECT note FROM ledger_checkpoint WHERE log_id = ? ORDER BY size DESC LIMIT 1", log_id)

    def add_checkpoint(self, log_id: int, size: int, note: bytes) -> None:
        """Keep a signed checkpoint."""
        self._run("INSERT INTO ledger_checkpoint (log_id, size, note) VALUES (?,?,?)", (log_id, size, note))

    def newest_anchor(self, log_id: int, kind: str) -> bytes | None:
        """Return the newest outside evidence of a kind."""
        sql = "SELECT blob FROM ledger_anchor WHERE log_id = ? AND type = ? ORDER BY size DESC LIMIT 1"
        return self._one(sql, log_id, kind)

    def add_anchor(self, log_id: int, size: int, kind: str, blob: bytes) -> None:
        """Keep outside evidence; another replica may have kept the same already."""
        sql = "INSERT INTO ledger_anchor (log_id, size, type, blob) VALUES (?,?,?,?) ON CONFLICT DO NOTHING"
        self._run(sql, (log_id, size, kind, blob))

    def _one(self, sql: str, *parameters: Any) -> bytes | None:
        found = self._run(sql, parameters)
        return bytes(found[0][0]) if found else None
