from __future__ import annotations

import base64
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    TreeSize,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.tlog import naive
from tests.tlog.shared import vectors

# RFC 6962's classic eight leaves
CLASSIC = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]


def entries(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


def frontier(data: list[bytes]) -> Frontier:
    grown = Frontier()
    for entry in data:
        grown.append(leaf_hash(entry))
    return grown


def test_known_hashes_of_rfc_6962() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert frontier(CLASSIC).root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def probes(kind: str) -> list[tuple[str, dict[str, Any]]]:
    folder = vectors("merkle") / kind
    return [(str(p.relative_to(folder)), json.loads(p.read_text())) for p in sorted(folder.rglob("*.json"))]


def b64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def test_all_inclusion_probes_of_transparency_dev() -> None:
    found = probes("inclusion")
    assert len(found) == 98
    for name, p in found:
        check = partial(
            verify_inclusion,
            leaf=b64(p["leafHash"]),
            index=p["leafIdx"],
            size=p["treeSize"],
            path=[b64(h) for h in p["proof"] or ()],
            root=b64(p["root"]),
        )
        assert refuses(check) == p["wantErr"], name


def test_all_consistency_probes_of_transparency_dev() -> None:
    found = probes("consistency")
    assert len(found) == 98
    for name, p in found:
        check = partial(
            verify_consistency,
            old=p["size1"],
            new=p["size2"],
            old_root=b64(p["root1"]),
            new_root=b64(p["root2"]),
            path=[b64(h) for h in p["proof"] or ()],
        )
        assert refuses(check) == p["wantErr"], name


def refuses(check: partial[None]) -> bool:
    try:
        check()
    except TlogError:
        return True
    return False


@pytest.mark.parametrize("n", range(41))
def test_roots_and_proofs_agree_with_the_rfc_as_written(n: int) -> None:
    data = entries(n)
    node = partial(naive.node, data)
    root = naive.mth(data)
    assert frontier(data).root() == root == tree_root(TreeSize(n), node)
    for i in range(n):
        path = inclusion_proof(index=i, size=TreeSize(n), node=node)
        assert list(path) == naive.path(i, data)
        verify_inclusion(leaf=leaf_hash(data[i]), index=i, size=n, path=path, root=root)
    for m in range(1, n + 1):
        path = consistency_proof(old=TreeSize(m), new=TreeSize(n), node=node)
        assert list(path) == naive.proof(m, data)
        verify_consistency(old=m, new=n, old_root=naive.mth(data[:m]), new_root=root, path=path)


@settings(max_examples=200)
@given(st.data())
def test_no_changed_inclusion_proof_is_accepted(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 40))
    leaves = entries(n)
    index = data.draw(st.integers(0, n - 1))
    node = partial(naive.node, leaves)
    valid = {
        "leaf": leaf_hash(leaves[index]),
        "index": index,
        "size": n,
        "path": inclusion_proof(index=index, size=TreeSize(n), node=node),
        "root": naive.mth(leaves),
    }
    changed = dict(valid)
    what = data.draw(st.sampled_from(["leaf", "root", "index", "path"]))
    if what in {"leaf", "root"}:
        changed[what] = flip(data, bytes(valid[what]))  # type: ignore[call-overload]
    elif what == "index":
        changed["index"] = data.draw(st.integers(-2, 2**64).filter(lambda i: i != index))
    else:
        changed["path"] = mutate_path(data, tuple(valid["path"]))  # type: ignore[arg-type]
    with pytest.raises(TlogError):
        verify_inclusion(**changed)  # type: ignore[arg-type]


@settings(max_examples=200)
@given(st.data())
def test_no_changed_consistency_proof_is_accepted(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 40))
    old = data.draw(st.integers(1, new - 1))
    leaves = entries(new)
    path = consistency_proof(old=TreeSize(old), new=TreeSize(new), node=partial(naive.node, leaves))
    valid = {
        "old": old,
        "new": new,
        "old_root": naive.mth(leaves[:old]),
        "new_root": naive.mth(leaves),
        "path": path,
    }
    changed = dict(valid)
    what = data.draw(st.sampled_from(["old_root", "new_root", "path"]))
    changed[what] = mutate_path(data, path) if what == "path" else flip(data, bytes(valid[what]))  # type: ignore[call-overload]
    with pytest.raises(TlogError):
        verify_consistency(**changed)  # type: ignore[arg-type]


def flip(data: st.DataObject, value: bytes) -> bytes:
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    return value[: bit // 8] + bytes([value[bit // 8] ^ 1 << bit % 8]) + value[bit // 8 + 1 :]


def mutate_path(data: st.DataObject, path: tuple[bytes, ...]) -> tuple[bytes, ...]:
    how = data.draw(st.sampled_from(["drop", "add", "flip", "short", "many"]))
    if how == "many":
        return path + (EMPTY_ROOT,) * 70
    if how == "add" or not path:
        at = data.draw(st.integers(0, len(path)))
        return (*path[:at], EMPTY_ROOT, *path[at:])
    at = data.draw(st.integers(0, len(path) - 1))
    if how == "drop":
        return path[:at] + path[at + 1 :]
    return (*path[:at], path[at][:31] if how == "short" else flip(data, path[at]), *path[at + 1 :])


def test_sizes_out_of_bounds_are_refused_before_hashing() -> None:
    h = EMPTY_ROOT
    with pytest.raises(FormatError, match="at least 1, found 0"):
        verify_inclusion(leaf=h, index=0, size=0, path=(), root=h)
    with pytest.raises(FormatError, match="index below 4, found 5"):
        verify_inclusion(leaf=h, index=5, size=4, path=(), root=h)
    with pytest.raises(FormatError, match=f"from 0 to {MAX_SIZE}, found {MAX_SIZE + 1}"):
        verify_inclusion(leaf=h, index=0, size=MAX_SIZE + 1, path=(), root=h)
    with pytest.raises(FormatError, match="old size from 1 to 4, found 0"):
        verify_consistency(old=0, new=4, old_root=h, new_root=h, path=())
    with pytest.raises(FormatError, match="old size from 1 to 4, found 5"):
        verify_consistency(old=5, new=4, old_root=h, new_root=h, path=())
    with pytest.raises(FormatError, match="no proof hashes between equal sizes, found 1"):
        verify_consistency(old=4, new=4, old_root=h, new_root=h, path=(h,))
    with pytest.raises(CheckError, match="two roots at size 4"):
        verify_consistency(old=4, new=4, old_root=h, new_root=leaf_hash(b""), path=())
    with pytest.raises(FormatError, match="leaf hash of 32 bytes, found 0"):
        verify_inclusion(leaf=b"", index=0, size=1, path=(), root=b"")
    with pytest.raises(FormatError, match="expected 2 proof hashes, found 1"):
        verify_inclusion(leaf=h, index=0, size=3, path=(h,), root=h)
    with pytest.raises(FormatError, match="expected 1 proof hashes, found 0"):
        verify_consistency(old=2, new=3, old_root=h, new_root=h, path=())


def test_proof_makers_refuse_what_has_no_proof() -> None:
    def node(level: int, index: int) -> bytes:
        raise AssertionError(f"nothing to read at {level}, {index}")

    with pytest.raises(FormatError, match="index below 3, found 3"):
        inclusion_proof(index=3, size=TreeSize(3), node=node)
    with pytest.raises(FormatError, match="index below 0, found 0"):
        inclusion_proof(index=0, size=TreeSize(0), node=node)
    with pytest.raises(FormatError, match="old size from 1 to 3, found 0"):
        consistency_proof(old=TreeSize(0), new=TreeSize(3), node=node)
    assert tree_root(TreeSize(0), node) == EMPTY_ROOT


def test_a_proof_of_the_largest_tree_is_bounded() -> None:
    def node(level: int, index: int) -> bytes:
        return leaf_hash(b"%d %d" % (level, index))

    root = tree_root(TreeSize(MAX_SIZE), node)
    path = inclusion_proof(index=MAX_SIZE - 1, size=TreeSize(MAX_SIZE), node=node)
    verify_inclusion(leaf=node(0, MAX_SIZE - 1), index=MAX_SIZE - 1, size=MAX_SIZE, path=path, root=root)
    assert len(path) == 62
    # The callback above invents unrelated nodes, so only the first hash, the leaf itself, is proven down to level 0.
    assert len(inclusion_proof(index=0, size=TreeSize(MAX_SIZE), node=node)) == 63


def test_a_frontier_survives_its_bytes() -> None:
    data = entries(77)
    grown = frontier(data)
    again = Frontier.from_bytes(grown.to_bytes(), size=77)
    assert again == grown
    again.append(leaf_hash(b"more"))
    assert again != grown
    assert again.size == 78
    assert repr(again) == "<Frontier of 78>"
    assert grown != "something else"


def test_a_frontier_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(FormatError, match="expected 32 bytes of frontier, found 0"):
        Frontier.from_bytes(b"", size=4)
    with pytest.raises(FormatError, match=r"from 0 to .*, found -1"):
        Frontier.from_bytes(b"", size=-1)
    with pytest.raises(FormatError, match="expected 1 subtree roots for size 4, found 0"):
        Frontier(TreeSize(4))
    with pytest.raises(FormatError, match="subtree root of 32 bytes, found 1"):
        Frontier(TreeSize(1), [b"x"])
    with pytest.raises(FormatError, match="leaf hash of 32 bytes, found 0"):
        Frontier().append(b"")
    full = Frontier(TreeSize(MAX_SIZE), [EMPTY_ROOT] * 63)
    with pytest.raises(FormatError, match="expected at most"):
        full.append(EMPTY_ROOT)


@given(st.integers(0, 9), st.integers(1, 8))
def test_a_tree_is_continued_by_one_that_is_no_larger_than_its_smallest_subtree(blocks: int, more: int) -> None:
    data = entries(blocks * 8 + more)
    assert frontier(data[: blocks * 8]).root_before(naive.mth(data[blocks * 8 :])) == naive.mth(data)


def test_a_copy_grows_on_its_own() -> None:
    grown = frontier(entries(3))
    other = grown.copy()
    other.append(EMPTY_ROOT)
    assert (grown.size, other.size) == (3, 4)


@given(st.integers(0, 5), st.integers(0, 6))
def test_a_subtree_counts_as_its_leaves(level: int, blocks: int) -> None:
    data = entries((blocks + 1) << level)
    grown = frontier(data[: blocks << level])
    grown.append_subtree(naive.mth(data[blocks << level :]), level)
    assert grown == frontier(data)


def test_a_subtree_that_does_not_begin_at_its_boundary_is_refused() -> None:
    with pytest.raises(FormatError, match=r"multiple of 2\*\*1, found 3"):
        frontier(entries(3)).append_subtree(EMPTY_ROOT, 1)
    with pytest.raises(FormatError, match="multiple of"):
        frontier(entries(3)).append_subtree(EMPTY_ROOT, -1)


class LogAgainstModel(RuleBasedStateMachine):
    """The frontier and the proofs against a list of entries and the RFC as written."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[bytes] = []
        self.frontier = Frontier()
        self.heads: list[tuple[int, bytes]] = []

    @rule(batch=st.lists(st.binary(max_size=8), min_size=1, max_size=9))
    def append(self, batch: list[bytes]) -> None:
        for entry in batch:
            self.frontier.append(leaf_hash(entry))
        self.entries += batch
        self.heads.append((len(self.entries), self.frontier.root()))

    @rule()
    def restart(self) -> None:
        self.frontier = Frontier.from_bytes(self.frontier.to_bytes(), size=self.frontier.size)

    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        if not self.heads:
            return
        old, old_root = data.draw(st.sampled_from(self.heads))
        size, root = self.heads[-1]
        node = partial(naive.node, self.entries)
        path = consistency_proof(old=TreeSize(old), new=TreeSize(size), node=node)
        verify_consistency(old=old, new=size, old_root=old_root, new_root=root, path=path)
        index = data.draw(st.integers(0, old - 1))
        path = inclusion_proof(index=index, size=TreeSize(old), node=node)
        verify_inclusion(leaf=leaf_hash(self.entries[index]), index=index, size=old, path=path, root=old_root)

    @invariant()
    def root_is_the_naive_root(self) -> None:
        assert self.frontier.root() == naive.mth(self.entries)
        assert self.frontier.size == len(self.entries)


TestLogAgainstModel = LogAgainstModel.TestCase
TestLogAgainstModel.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
