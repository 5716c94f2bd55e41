"""Heads, tiles and tails against a naive tree, and every way in which stored hashes can be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.errors import LedgerStateError
from phigate.store.growth import WIDTH, advance, check_tail, frontier_of, full_tiles, rebuild
from phigate.store.storage import Head, Row, Tile
from phigate.tlog.merkle import EMPTY_ROOT, leaf_hash
from tests.store.naive import naive_root

EMPTY = Head(1, "audit.test/x", 0, EMPTY_ROOT, b"", 0, closed=False)


@dataclass
class MemoryReader:
    """Rows and tiles in lists."""

    kept: list[Row] = field(default_factory=list)
    kept_tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def leaves(self, log_id: int, start: int, end: int) -> list[bytes]:
        return [row.leaf for row in self.kept[start:end]]

    def rows(self, log_id: int, start: int, end: int) -> list[Row]:
        return self.kept[start:end]

    def tiles(self, log_id: int, level: int, start: int, end: int) -> list[bytes]:
        return [self.kept_tiles[level, n] for n in range(start, end) if (level, n) in self.kept_tiles]

    def keep(self, tiles: list[Tile]) -> None:
        for tile in tiles:
            assert (tile.level, tile.n) not in self.kept_tiles
            self.kept_tiles[tile.level, tile.n] = tile.hashes


def row(idx: int) -> Row:
    entry = b"entry %d" % idx
    return Row(idx, f"e{idx}", "intent", None, None, entry, leaf_hash(entry))


def grow(reader: MemoryReader, head: Head, count: int) -> Head:
    rows = [row(head.size + n) for n in range(count)]
    leaves = [each.leaf for each in rows]
    reader.keep(full_tiles(reader, log_id=1, size=head.size, leaves=leaves))
    head = advance(head, frontier_of(head), leaves=leaves, ts=head.size)
    reader.kept.extend(rows)
    return head


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_any_batches_give_the_root_and_the_tiles_of_the_naive_tree(batches: list[int]) -> None:
    reader, head = MemoryReader(), EMPTY
    for count in batches:
        head = grow(reader, head, count)
    leaves = [each.leaf for each in reader.kept]
    assert head.size == sum(batches)
    assert head.root == naive_root(leaves)
    assert sorted(n for level, n in reader.kept_tiles if level == 0) == list(range(head.size // WIDTH))
    for n in range(head.size // WIDTH):
        assert reader.kept_tiles[0, n] == b"".join(leaves[n * WIDTH : (n + 1) * WIDTH])
    assert rebuild(reader, log_id=1, size=head.size).to_bytes() == head.frontier
    for size in {1, head.size // 2, head.size}:
        assert rebuild(reader, log_id=1, size=size).root() == naive_root(leaves[:size])
    last = check_tail(reader, head)
    assert last is not None
    assert last.idx == head.size - 1


def test_a_tile_of_the_second_level_stands_when_65536_entries_do() -> None:
    reader, head = MemoryReader(), EMPTY
    for count in (65_000, 535, 1, 700):
        head = grow(reader, head, count)
    level_0 = [reader.kept_tiles[0, n] for n in range(256)]
    roots = [naive_root([t[at : at + 32] for at in range(0, len(t), 32)]) for t in level_0]
    assert reader.kept_tiles[1, 0] == b"".join(roots)
    check_tail(reader, head)


def test_an_empty_log_has_no_last_entry() -> None:
    assert check_tail(MemoryReader(), EMPTY) is None


def a_log() -> tuple[MemoryReader, Head]:
    reader, head = MemoryReader(), EMPTY
    for count in (300, 300, 7):
        head = grow(reader, head, count)
    return reader, head


def test_a_frontier_that_does_not_hash_to_the_root_is_refused() -> None:
    _, head = a_log()
    with pytest.raises(LedgerStateError, match="does not hash to its root at size 607"):
        frontier_of(replace(head, root=sha256(b"other").digest()))
    with pytest.raises(LedgerStateError, match="holds no frontier of its size"):
        frontier_of(replace(head, frontier=head.frontier[:-1]))


def test_a_changed_entry_at_the_tail_is_named() -> None:
    reader, head = a_log()
    reader.kept[500] = replace(reader.kept[500], entry=b"forged")
    with pytest.raises(LedgerStateError, match=r"entry 500 of audit.test/x does not hash to its leaf"):
        check_tail(reader, head)


def test_entries_in_another_order_are_refused() -> None:
    reader, head = a_log()
    reader.kept[600], reader.kept[601] = reader.kept[601], reader.kept[600]
    with pytest.raises(LedgerStateError, match="entry 600"):
        check_tail(reader, head)


def test_a_forged_entry_with_its_own_leaf_is_refused() -> None:
    reader, head = a_log()
    reader.kept[605] = replace(reader.kept[605], entry=b"forged", leaf=leaf_hash(b"forged"))
    with pytest.raises(LedgerStateError, match="do not hash to its root"):
        check_tail(reader, head)


def test_missing_entries_and_tiles_are_counted() -> None:
    reader, head = a_log()
    missing = replace_tiles(reader, drop=(0, 1))
    with pytest.raises(LedgerStateError, match="expected 2 tiles of level 0, found 1"):
        check_tail(missing, head)
    del reader.kept[-1]
    with pytest.raises(LedgerStateError, match="expected 607 entries at the tail, found 606"):
        check_tail(reader, head)
    with pytest.raises(LedgerStateError, match="expected 95 hashes of level 0 from 512, found 94"):
        full_tiles(reader, log_id=1, size=607, leaves=[bytes(32)] * 300)


def replace_tiles(reader: MemoryReader, *, drop: tuple[int, int]) -> MemoryReader:
    return MemoryReader(list(reader.kept), {key: t for key, t in reader.kept_tiles.items() if key != drop})


def test_a_rotten_tile_is_found() -> None:
    reader, head = a_log()
    tile = bytearray(reader.kept_tiles[0, 1])
    tile[77] ^= 1
    reader.kept_tiles[0, 1] = bytes(tile)
    with pytest.raises(LedgerStateError, match=r"tiles of audit.test/x do not hash to its root"):
        check_tail(reader, head)
