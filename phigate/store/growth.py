"""From a head and new leaf hashes to the next head and the tiles that became full; and the way back, as a check.

Only full tiles are stored; what stands right of the last one is read from the entries. A tile of level L holds the
roots of 256 tiles of level L - 1 (C2SP tlog-tiles).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from phigate.errors import LedgerStateError
from phigate.store.storage import Head, Reader, Row, Tile
from phigate.tlog.errors import TlogError
from phigate.tlog.merkle import Frontier, TreeSize, leaf_hash
from phigate.tlog.tile import tile_root

_T = TypeVar("_T")
WIDTH: Final = 256  # hashes of a full tile
TAIL: Final = 1024  # entries that are checked again at start and after an I/O error


def frontier_of(head: Head) -> Frontier:
    """Return the frontier of a head. Raises `LedgerStateError` unless it hashes to the head's root."""
    try:
        frontier = Frontier.from_bytes(head.frontier, size=head.size)
    except TlogError as error:
        raise LedgerStateError(f"the head of {head.origin} holds no frontier of its size: {error}") from error
    if frontier.root() != head.root:
        raise LedgerStateError(f"the frontier of {head.origin} does not hash to its root at size {head.size}")
    return frontier


def full_tiles(reader: Reader, *, log_id: int, size: int, leaves: Sequence[bytes]) -> list[Tile]:
    """Return the tiles that appending these leaves at ``size`` completes, lowest level first."""
    tiles: list[Tile] = []
    level, old, hashes = 0, size, list(leaves)
    while (old + len(hashes)) // WIDTH > old // WIDTH:
        before = old % WIDTH
        row = (_siblings(reader, log_id, level, old - before, old) if before else []) + hashes
        first = old // WIDTH
        made = [Tile(level, first + n, b"".join(row[n * WIDTH : (n + 1) * WIDTH])) for n in range(len(row) // WIDTH)]
        tiles.extend(made)
        level, old, hashes = level + 1, first, [tile_root(tile.hashes) for tile in made]
    return tiles


def _siblings(reader: Reader, log_id: int, level: int, start: int, end: int) -> list[bytes]:
    """Return the hashes [start, end) of a level that stand in no full tile of that level yet."""
    if level == 0:
        found = reader.leaves(log_id, start, end)
    else:
        found = [tile_root(tile) for tile in reader.tiles(log_id, level - 1, start, end)]
    if len(found) != end - start:
        raise LedgerStateError(f"expected {end - start} hashes of level {level} from {start}, found {len(found)}")
    return found


def rebuild(reader: Reader, *, log_id: int, size: int) -> Frontier:
    """Compute the frontier of a size from tiles and entries: some thousand hashes, however large the log."""
    frontier = Frontier()
    top = 0
    while size >> 8 * (top + 1):
        top += 1
    done = 0  # leaves covered so far
    for level in range(top, 0, -1):
        start, end = done >> 8 * level, size >> 8 * level
        # One hash of this level is the root of one full tile of the level below.
        for tile in _exactly(reader.tiles(log_id, level - 1, start, end), end - start, f"tiles of level {level - 1}"):
            frontier.append_subtree(tile_root(tile), 8 * level)
        done = end << 8 * level
    for leaf in _exactly(reader.leaves(log_id, done, size), size - done, "leaf hashes"):
        frontier.append(leaf)
    return frontier


def check_tail(reader: Reader, head: Head) -> Row | None:
    """Check a head against what is stored: its frontier, the whole tree by its tiles, and the last entries' bytes.

    Returns the last entry. Raises `LedgerStateError` naming what does not fit.
    """
    frontier = frontier_of(head)
    start = max(0, head.size - TAIL)
    rows = _exactly(reader.rows(head.log_id, start, head.size + 1), head.size - start, "entries at the tail")
    for idx, row in enumerate(rows, start):
        if row.idx != idx or leaf_hash(row.entry) != row.leaf:
            raise LedgerStateError(f"entry {idx} of {head.origin} does not hash to its leaf")
    if rebuild(reader, log_id=head.log_id, size=head.size).root() != frontier.root():
        raise LedgerStateError(f"the tiles of {head.origin} do not hash to its root at size {head.size}")
    return rows[-1] if rows else None


def advance(head: Head, frontier: Frontier, *, leaves: Sequence[bytes], ts: int) -> Head:
    """Return the head after these leaves. ``frontier`` is the head's own and is moved."""
    for leaf in leaves:
        frontier.append(leaf)
    size = TreeSize(head.size + len(leaves))
    last_ts = max(head.last_ts, ts)
    return Head(head.log_id, head.origin, size, frontier.root(), frontier.to_bytes(), last_ts, head.closed)


def _exactly(found: list[_T], count: int, what: str) -> list[_T]:
    if len(found) != count:
        raise LedgerStateError(f"expected {count} {what}, found {len(found)}")
    return found
