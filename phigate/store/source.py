"""A ledger database as the verifier reads it: read-only, in stretches, trusting nothing.

SQLite is opened with mode=ro, so that a reader never checkpoints the WAL of a running gateway. Since rows are only
added, a reader needs no transaction: it takes the head once and reads what lies below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any, Final, Self

import sqlalchemy as sa

from phigate.store.places import find_segment, reading_engine
from phigate.tlog.errors import GapError, IncompleteError, TlogError
from phigate.tlog.keyring import open_keyring
from phigate.tlog.source import STRETCH, Columns, Stretch
from phigate.tlog.tile import WIDTH, TileID, tile_root

KEYRING: Final = "keyring"  # type of the anchor rows that keep each version of the keyring
COSIGNED: Final = "cosigned"  # and of those that keep a checkpoint with the lines of its witnesses

Roots = dict[tuple[int, int], bytes]  # (level, index) of a full tile -> its root


class DatabaseSource:
    """One log of a database. Use as a context manager, or call `close`.

    ``origin`` names a segment, or a ledger: then the newest segment is read, as without it (see `places`).
    ``roots`` remembers the roots of full tiles from one reading of a log to the next: they never change.
    """

    def __init__(self, url: str, *, origin: str | None = None, roots: Roots | None = None) -> None:
        found = find_segment(url, origin)
        self._engine = reading_engine(found.url)
        self._roots = roots if roots is not None else {}
        self.origin: str = found.origin
        self.keeps_partial_tiles = False
        self._log_id: int = found.log_id
        self.signed_size = 0
        self.size = 0
        self.root: bytes | None = None
        self.refresh()

    def refresh(self) -> None:
        """Take in what was appended and signed since this was opened."""
        # A running gateway goes on signing. The largest checkpoint is taken before the head: what was signed by then
        # must stand in the log, and what is signed later is not this reading's business.
        signed = self._all("SELECT MAX(size) AS size FROM ledger_checkpoint WHERE log_id = :log")
        head = self._all("SELECT size, root FROM ledger_head WHERE log_id = :log")
        if not head:
            raise IncompleteError(f"expected the log {self.origin} in the database, found it gone")
        self.signed_size = signed[0].size or 0
        self.size, self.root = head[0].size, _bytes(head[0].root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    def keyring(self) -> bytes | None:
        """Return the newest keyring that the database keeps."""
        rows = self._all(
            "SELECT blob FROM ledger_anchor WHERE log_id = :log AND type = :type ORDER BY size DESC LIMIT 1",
            type=KEYRING,
        )
        return bytes(rows[0].blob) if rows else None

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Yield size and note of every checkpoint that was there when this was opened, cosigned ones as well."""
        signed = (
            "SELECT size, note FROM ledger_checkpoint WHERE log_id = :log AND size > :after AND size <= :signed"
            " ORDER BY size LIMIT 4096"
        )
        cosigned = (
            "SELECT size, blob FROM ledger_anchor WHERE log_id = :log AND type = :type AND size > :after"
            " AND size <= :signed ORDER BY size LIMIT 4096"
        )
        yield from merge(
            self._pages(signed, after=-1, signed=self.signed_size),
            self._pages(cosigned, after=-1, signed=self.signed_size, type=COSIGNED),
            key=lambda head: head[0],
        )

    def newest_checkpoint(self) -> bytes | None:
        """Return the newest checkpoint that was there when this was opened."""
        rows = self._all(
            "SELECT note FROM ledger_checkpoint WHERE log_id = :log AND size = :size", size=self.signed_size
        )
        return bytes(rows[0].note) if rows else None

    def newest_cosigned(self) -> bytes | None:
        """Return the newest checkpoint that a quorum of witnesses cosigned, None where there is none."""
        rows = self._all(
            "SELECT blob FROM ledger_anchor WHERE log_id = :log AND type = :type AND size <= :signed"
            " ORDER BY size DESC LIMIT 1",
            type=COSIGNED,
            signed=self.signed_size,
        )
        return bytes(rows[0].blob) if rows else None

    def published(self) -> bytes | None:
        """Return the checkpoint to hand out: where the keyring asks for witnesses, the newest that has them."""
        note = self.keyring()
        try:
            asks = note is not None and open_keyring(note).quorum > 0
        except TlogError:
            asks = False  # whoever verifies is told that the keyring does not check
        return (self.newest_cosigned() if asks else None) or self.newest_checkpoint()

    def batches(self) -> Iterator[tuple[int, bytes]]:
        """Yield size and root after each commit, up to the head that was read first."""
        sql = (
            "SELECT size, root FROM ledger_batch WHERE log_id = :log AND size > :after AND size <= :size"
            " ORDER BY size LIMIT 4096"
        )
        yield from self._pages(sql, after=-1, size=self.size)

    def stretches(self) -> Iterator[Stretch]:
        """Yield all entries in order. Raises `GapError` where one is missing."""
        for start in range(0, self.size, STRETCH):
            end = min(start + STRETCH, self.size)
            rows = self.rows(start, end)
            whole = next((n for n, row in enumerate(rows) if row.idx != start + n), len(rows))
            if whole:
                columns = tuple(Columns(_bytes(r.leaf), r.eid, r.kind, r.rid, r.attempt) for r in rows[:whole])
                yield Stretch(start, tuple(_bytes(row.entry) for row in rows[:whole]), columns)
            if whole != end - start:
                raise GapError(f"expected entry {start + whole}, found none", index=start + whole)

    def rows(self, start: int, end: int) -> Sequence[sa.Row[Any]]:
        """Return the entry rows [start, end) as they stand."""
        return self._all(
            "SELECT idx, eid, kind, rid, attempt, entry, leaf FROM ledger_entry"
            " WHERE log_id = :log AND idx >= :start AND idx < :end ORDER BY idx",
            start=start,
            end=end,
        )

    def key_rows(self, before: int) -> Sequence[sa.Row[Any]]:
        """Return the key entries before an index, newest first."""
        return self._all(
            "SELECT idx, entry FROM ledger_entry WHERE log_id = :log AND kind = 'key' AND idx < :before"
            " ORDER BY idx DESC",
            before=before,
        )

    def tile(self, tile: TileID) -> bytes | None:
        """Return a full tile; None where the database keeps none."""
        if tile.level < 0 or tile.width != WIDTH:
            return None
        rows = self._all(
            "SELECT hashes FROM ledger_tile WHERE log_id = :log AND level = :level AND n = :n",
            level=tile.level,
            n=tile.index,
        )
        return bytes(rows[0].hashes) if rows else None

    def any_tile(self, tile: TileID) -> bytes:
        """Return a tile of any width: what is not kept follows from entries and the tiles below."""
        kept = self.tile(tile)
        if kept is not None:
            return kept
        first = tile.index * WIDTH
        if tile.level == 0:
            hashes = [_bytes(row.leaf) for row in self.rows(first, first + tile.width)]
        else:
            hashes = self._roots_of(tile.level - 1, first, first + tile.width)
        if len(hashes) != tile.width:
            raise IncompleteError(f"{tile.path} does not follow from what is kept")
        return b"".join(hashes)

    def _roots_of(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the roots of full tiles, as far as there are any; those that were asked for once are remembered."""
        known = self._roots
        missing = [n for n in range(start, end) if (level, n) not in known]
        if missing:
            rows = self._all(
                "SELECT n, hashes FROM ledger_tile WHERE log_id = :log AND level = :level AND n >= :start AND n < :end",
                level=level,
                start=missing[0],
                end=missing[-1] + 1,
            )
            known.update({(level, row.n): tile_root(_bytes(row.hashes)) for row in rows})
        return [known[level, n] for n in range(start, end) if (level, n) in known]

    def _pages(self, sql: str, **parameters: Any) -> Iterator[tuple[int, bytes]]:
        while rows := [tuple(row) for row in self._all(sql, **parameters)]:
            yield from ((int(row[0]), bytes(row[1])) for row in rows)
            parameters["after"] = rows[-1][0]

    def _all(self, sql: str, **parameters: Any) -> Sequence[sa.Row[Any]]:
        if ":log" in sql:
            parameters["log"] = self._log_id
        try:
            with self._engine.connect() as connection:
                return connection.execute(sa.text(sql), parameters).all()
        except sa.exc.SQLAlchemyError as error:
            raise IncompleteError(f"the database cannot be read: {type(error.__cause__ or error).__name__}") from error


def _bytes(value: object) -> bytes:
    """Return the bytes of a column. SQLite keeps any type anywhere: text is what somebody else put there."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
