from __future__ import annotations

from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.errors import FormatError
from phigate.tlog.merkle import (
    Frontier,
    TreeSize,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from phigate.tlog.tile import (
    TileID,
    UpperTiles,
    bundles_of,
    decode_bundle,
    encode_bundle,
    node_reader,
    split_hashes,
    subtree,
    tile_at,
    tile_root,
    tiles_of,
)
from tests.tlog import naive
from tests.tlog.shared import vectors


def tiles_in_memory(entries: list[bytes]) -> dict[str, bytes]:
    """All tiles of a log, each hash computed from the entries alone."""
    stored = {}
    for tile in tiles_of(TreeSize(len(entries))):
        first = tile.index * 256
        hashes = [naive.node(entries, 8 * tile.level, first + i) for i in range(tile.width)]
        stored[tile.path] = b"".join(hashes)
    return stored


def reader(stored: dict[str, bytes]) -> partial[bytes]:
    return partial(read_from, stored)


def read_from(stored: dict[str, bytes], tile: TileID) -> bytes:
    return stored[tile.path]


LOG = [b"%d" % i for i in range(700)]
TILES = tiles_in_memory(LOG)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileID(0, 0), "tile/0/000"),
        (TileID(0, 999), "tile/0/999"),
        (TileID(0, 1000), "tile/0/x001/000"),
        (TileID(1, 1234067), "tile/1/x001/x234/067"),
        (TileID(-1, 5, 1), "tile/entries/005.p/1"),
        (TileID(7, 0, 255), "tile/7/000.p/255"),
    ],
)
def test_the_paths_of_tlog_tiles(tile: TileID, path: str) -> None:
    assert tile.path == path
    assert TileID.from_path(path) == tile


@given(st.integers(-1, 7), st.integers(0, 2**55 - 1), st.integers(1, 256))
def test_a_path_names_one_tile(level: int, index: int, width: int) -> None:
    index >>= 8 * max(level, 0)
    tile = TileID(level, index, width)
    assert TileID.from_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x000/001",
        "tile/00/000",
        "tile/8/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/٠٠٠",
        "tile/entries/../000",
        "tile/0/000\n",
        "tile/entries/" + "x001/" * 30 + "000",
        "tile/7/x001/000",
        "tile/0/x999/x999/x999/x999/x999/999",
        "",
    ],
)
def test_no_other_path_names_a_tile(path: str) -> None:
    with pytest.raises(FormatError):
        TileID.from_path(path)


@given(st.text(st.sampled_from("tile/entris0123x.p"), max_size=30))
@example("tile/entries/000")
def test_a_path_that_is_read_is_the_path_that_is_written(path: str) -> None:
    try:
        tile = TileID.from_path(path)
    except FormatError:
        return
    assert tile.path == path


def test_a_tree_of_70_000_has_the_tiles_that_the_specification_counts() -> None:
    tiles = list(tiles_of(TreeSize(70_000)))
    assert sum(t.level == 0 and t.width == 256 for t in tiles) == 273
    assert TileID(0, 273, 112) in tiles
    assert [t for t in tiles if t.level > 0] == [TileID(1, 0), TileID(1, 1, 17), TileID(2, 0, 1)]
    assert list(tiles_of(TreeSize(256))) == [TileID(0, 0), TileID(1, 0, 1)]
    assert list(tiles_of(TreeSize(0))) == []


def test_bundles_cover_the_entries_from_where_they_are_wanted() -> None:
    assert list(bundles_of(TreeSize(700))) == [TileID(-1, 0), TileID(-1, 1), TileID(-1, 2, 188)]
    assert list(bundles_of(TreeSize(700), start=511)) == [TileID(-1, 1), TileID(-1, 2, 188)]
    assert list(bundles_of(TreeSize(700), start=699)) == [TileID(-1, 2, 188)]
    assert list(bundles_of(TreeSize(700), start=700)) == []
    assert list(bundles_of(TreeSize(512), start=512)) == []
    assert list(bundles_of(TreeSize(0))) == []


def test_every_node_follows_from_the_tiles() -> None:
    node = node_reader(TreeSize(700), reader(TILES), cached=2)
    for level in range(10):
        for index in range(700 >> level):
            assert node(level, index) == naive.node(LOG, level, index), (level, index)


@settings(max_examples=30)
@given(st.data())
def test_proofs_made_from_tiles_verify(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 700))
    entries = LOG[:size]
    node = node_reader(TreeSize(size), reader(tiles_in_memory(entries)))
    root = naive.mth(entries)
    assert tree_root(TreeSize(size), node) == root
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(index=index, size=TreeSize(size), node=node)
    verify_inclusion(leaf=leaf_hash(entries[index]), index=index, size=size, path=path, root=root)
    old = data.draw(st.integers(1, size))
    path = consistency_proof(old=TreeSize(old), new=TreeSize(size), node=node)
    verify_consistency(old=old, new=size, old_root=naive.mth(entries[:old]), new_root=root, path=path)


@pytest.mark.parametrize(("level", "index"), [(0, 700), (-1, 0), (0, -1), (9, 1), (10, 0)])
def test_a_node_beyond_the_tree_is_not_read(level: int, index: int) -> None:
    with pytest.raises(FormatError, match="a node of a tree of 700 entries"):
        node_reader(TreeSize(700), reader(TILES))(level, index)


def test_a_tile_beyond_the_tree_is_not_named() -> None:
    assert tile_at(0, 2, TreeSize(700)) == TileID(0, 2, 188)
    assert tile_at(-1, 2, TreeSize(700)) == TileID(-1, 2, 188)
    assert tile_at(1, 0, TreeSize(700)) == TileID(1, 0, 2)
    with pytest.raises(FormatError, match="one beyond it"):
        tile_at(0, 3, TreeSize(700))
    with pytest.raises(FormatError, match="one beyond it"):
        tile_at(2, 0, TreeSize(700))


@pytest.mark.parametrize(("level", "index", "width"), [(8, 0, 1), (-2, 0, 1), (0, 0, 0), (0, 0, 257), (0, -1, 1)])
def test_a_tile_that_cannot_be_is_refused(level: int, index: int, width: int) -> None:
    with pytest.raises(FormatError, match="expected a tile"):
        TileID(level, index, width)


def test_a_tile_of_another_width_is_refused() -> None:
    with pytest.raises(FormatError, match="a tile of 64 bytes, found 32"):
        split_hashes(b"x" * 32, width=2)
    with pytest.raises(FormatError, match="a tile of 8192 bytes, found 32"):
        tile_root(b"x" * 32)


def walk(stored: dict[str, bytes], *, full: int) -> list[str]:
    """Feed a tree of so many full tiles, all of the same leaves; return the paths that are wrong."""
    wrong: list[str] = []
    upper = UpperTiles(lambda tile: stored.get(tile.path), lambda tile: wrong.append(tile.path))
    for _ in range(full):
        upper.push(SAME)
    upper.finish()
    return wrong


SAME = naive.leaf(b"")


def test_upper_tiles_are_compared_to_the_tiles_below() -> None:
    above = subtree([SAME] * 256, 8, 0)
    stored = {"tile/1/000": SAME * 256, "tile/1/001.p/3": SAME * 3, "tile/2/000.p/1": above}
    assert walk(stored, full=259) == []
    assert walk({}, full=259) == []
    for path in stored:
        assert walk({**stored, path: stored[path][:-1] + b"?"}, full=259) == [path]
    assert walk(dict.fromkeys(stored, b""), full=259) == list(stored)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=9))
def test_a_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data, width=len(entries)) == tuple(entries)
    for other in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(FormatError):
            decode_bundle(data, width=other)


def test_a_bundle_that_ends_within_an_entry_is_refused() -> None:
    data = encode_bundle([b"one", b"two"])
    for end in range(1, len(data)):
        with pytest.raises(FormatError):
            decode_bundle(data[:end], width=2)
    with pytest.raises(FormatError, match="a part of one"):
        decode_bundle(b"\x00", width=1)


@given(st.binary(max_size=40), st.integers(1, 5))
def test_bundle_bytes_have_one_meaning(data: bytes, width: int) -> None:
    try:
        entries = decode_bundle(data, width=width)
    except FormatError:
        return
    assert encode_bundle(entries) == data


def test_a_bundle_has_1_to_256_entries_of_64_kib() -> None:
    assert len(encode_bundle([b"x" * 65535])) == 65537
    with pytest.raises(FormatError, match="at most 65535 bytes"):
        encode_bundle([b"x" * 65536])
    for count in (0, 257):
        with pytest.raises(FormatError, match=f"1 to 256 entries in a bundle, found {count}"):
            encode_bundle([b""] * count)


def test_the_log_of_tessera_verifies_from_its_tiles() -> None:
    folder = vectors("tessera-log")

    def read(tile: TileID) -> bytes:
        return (folder / tile.path).read_bytes()

    heads = {
        s.head.size: s.head for p in folder.glob("checkpoint*") for s in [SignedCheckpoint.from_bytes(p.read_bytes())]
    }
    newest = heads[TreeSize(15)]
    for size, head in sorted(heads.items()):
        if size == 0:
            continue
        entries = [e for b in bundles_of(size) for e in decode_bundle(read(b), width=b.width)]
        frontier = Frontier()
        for entry in entries:
            frontier.append(leaf_hash(entry))
        node = node_reader(size, read)
        assert frontier.root() == head.root == tree_root(size, node)
        path = consistency_proof(old=size, new=newest.size, node=node_reader(newest.size, read))
        verify_consistency(old=size, new=15, old_root=head.root, new_root=newest.root, path=path)
        for index, entry in enumerate(entries):
            path = inclusion_proof(index=index, size=size, node=node)
            verify_inclusion(leaf=leaf_hash(entry), index=index, size=size, path=path, root=head.root)
