"""C2SP tlog-tiles: where the hashes and entries of a log lie, what they hold, and how any node follows from them.

A tile holds up to 256 hashes of one level; the n-th tile of level L spans the leaves from n * 256**(L+1). Entry
bundles hold the entries themselves, each behind its length. Paths and bytes only: a reader is given as a callable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from phigate.tlog.errors import FormatError
from phigate.tlog.merkle import HASH_BYTES, MAX_SIZE, NodeReader, TreeSize, node_hash

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
MAX_LEVEL: Final = 7  # level 7 spans 2**64 leaves
MAX_ENTRY: Final = (1 << 16) - 1

_N: Final = r"(?:x[0-9]{3}/)*[0-9]{3}"
_PATH: Final = re.compile(rf"tile/(entries|[0-7])/({_N})(?:\.p/([1-9][0-9]{{0,2}}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class TileID:
    """One tile. ``level`` is -1 for an entry bundle; ``width`` counts its hashes or entries, 256 when full."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if not -1 <= self.level <= MAX_LEVEL or not 1 <= self.width <= WIDTH:
            raise FormatError("expected a tile of level 0 to 7 or a bundle, 1 to 256 wide")
        if not 0 <= self.index <= MAX_SIZE >> HEIGHT * (max(self.level, 0) + 1):
            raise FormatError(f"expected a tile within a log of {MAX_SIZE} entries")

    @property
    def path(self) -> str:
        """Return where it lies below the prefix of the log."""
        digits = str(self.index)
        groups = digits.zfill(-len(digits) // 3 * -3)
        parts = [groups[at : at + 3] for at in range(0, len(groups), 3)]
        where = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
        level = "entries" if self.level < 0 else str(self.level)
        return f"tile/{level}/{where}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @classmethod
    def from_path(cls, path: str) -> TileID:
        """Read a path. Raises `FormatError`; one tile has one path."""
        match = _PATH.fullmatch(path)
        if match is None or len(path) > 64:
            raise FormatError("expected a path tile/LEVEL/N[.p/WIDTH] or tile/entries/N[.p/WIDTH]")
        level = -1 if match[1] == "entries" else int(match[1])
        tile = cls(level, int(match[2].replace("x", "").replace("/", "")), int(match[3] or WIDTH))
        if tile.path != path:
            raise FormatError(f"expected the path {tile.path}")
        return tile


TileReader = Callable[[TileID], bytes]  # raises when there is no such tile


def tiles_of(size: TreeSize) -> Iterator[TileID]:
    """Yield every tile of a tree of this size, level by level: the full ones, then the partial one."""
    for level in range(MAX_LEVEL + 1):
        count = size >> HEIGHT * level
        for index in range(count >> HEIGHT):
            yield TileID(level, index)
        if count % WIDTH:
            yield TileID(level, count >> HEIGHT, count % WIDTH)


def bundles_of(size: TreeSize, *, start: int = 0) -> Iterator[TileID]:
    """Yield the entry bundles of a tree of this size, in order, from the bundle that holds entry ``start``."""
    for index in range(start >> HEIGHT, size >> HEIGHT):
        yield TileID(-1, index)
    if size % WIDTH and start < size:
        yield TileID(-1, size >> HEIGHT, size % WIDTH)


def tile_at(level: int, index: int, size: TreeSize) -> TileID:
    """Return the tile ``index`` of ``level`` as wide as a tree of this size has it. Raises `FormatError` beyond it."""
    count = size >> HEIGHT * max(level, 0)
    if index << HEIGHT >= count:
        raise FormatError(f"expected a tile of a tree of {size} entries, found one beyond it")
    return TileID(level, index, min(WIDTH, count - (index << HEIGHT)))


def split_hashes(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """Return the hashes of a tile. Raises `FormatError` unless there are exactly ``width``."""
    if len(data) != width * HASH_BYTES:
        raise FormatError(f"expected a tile of {width * HASH_BYTES} bytes, found {len(data)}")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def subtree(hashes: Sequence[bytes], level: int, index: int) -> bytes:
    """Return the root over 2**level neighbouring hashes of one tile, from ``index << level``."""
    row = list(hashes[index << level : (index + 1) << level])
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tile_root(data: bytes) -> bytes:
    """Return the root of a full tile, which is one hash of the level above."""
    return subtree(split_hashes(data, width=WIDTH), HEIGHT, 0)


def node_reader(size: TreeSize, read: TileReader, *, cached: int = 64) -> NodeReader:
    """Return a reader of every node of a tree of this size, from tiles of which it keeps the last ``cached``.

    The hashes are as good as the tiles: a proof made from them is checked like any other.
    """

    @lru_cache(maxsize=cached)
    def hashes(level: int, index: int) -> tuple[bytes, ...]:
        tile = tile_at(level, index, size)
        return split_hashes(read(tile), width=tile.width)

    def node(level: int, index: int) -> bytes:
        if level < 0 or index < 0 or (index + 1) << level > size:
            raise FormatError(f"expected a node of a tree of {size} entries, found one beyond it")
        row, inner = divmod(level, HEIGHT)
        first = index << inner  # in hashes of that row of tiles
        return subtree(hashes(row, first >> HEIGHT), inner, (first % WIDTH) >> inner)

    return node


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle: each entry behind its length as two bytes. Raises `FormatError` for one too long."""
    if not 1 <= len(entries) <= WIDTH:
        raise FormatError(f"expected 1 to {WIDTH} entries in a bundle, found {len(entries)}")
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise FormatError(f"expected entries of at most {MAX_ENTRY} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """Return the entries of a bundle. Raises `FormatError` unless there are exactly ``width`` and nothing is left."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise FormatError("expected whole entries in a bundle, found a part of one")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width or at != len(data):
        raise FormatError(f"expected exactly {width} entries in a bundle")
    return tuple(entries)


class UpperTiles:
    """Checks the tiles of level 1 and up of a tree that is walked from left to right; keeps one row a level.

    ``read`` returns None for a tile that is not kept, which is no contradiction. ``wrong`` is told each tile that does
    not hold the roots of the tiles under it.
    """

    def __init__(self, read: Callable[[TileID], bytes | None], wrong: Callable[[TileID], None]) -> None:
        self._read = read
        self._wrong = wrong
        self._rows: list[list[bytes]] = [[] for _ in range(MAX_LEVEL + 1)]
        self._done = [0] * (MAX_LEVEL + 1)

    def push(self, root: bytes, level: int = 1) -> None:
        """Take the root of the next full tile of the level below ``level``."""
        row = self._rows[level]
        row.append(root)
        if len(row) == WIDTH:
            self._compare(TileID(level, self._done[level]), row)
            self._done[level] += 1
            self._rows[level] = []
            self.push(subtree(row, HEIGHT, 0), level + 1)

    def finish(self) -> None:
        """Compare the tiles at the right edge, which are not full."""
        for level, row in enumerate(self._rows):
            if row:
                self._compare(TileID(level, self._done[level], len(row)), row)

    def _compare(self, tile: TileID, row: Sequence[bytes]) -> None:
        kept = self._read(tile)
        if kept is not None and kept != b"".join(row):
            self._wrong(tile)
