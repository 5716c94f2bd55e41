"""RFC 6962 section 2.1 over SHA-256: hashing, the frontier of a growing tree, proofs and their checking.

Bytes and integers in, bytes out. Storage, signatures and text formats live elsewhere. A node is named by (level,
index): the root of the perfect subtree over the leaves [index << level, (index + 1) << level).

INVARIANT: checking raises and never returns a verdict; bounds and lengths are checked before anything is hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, NewType

from phigate.tlog.errors import CheckError, FormatError

TreeSize = NewType("TreeSize", int)
NodeReader = Callable[[int, int], bytes]  # (level, index) -> hash of that perfect subtree

HASH_BYTES: Final = 32
MAX_SIZE: Final = (1 << 63) - 1  # what a signed 64-bit column holds; C2SP tiles stop at level 63 as well
EMPTY_ROOT: Final = sha256(b"").digest()  # RFC 6962 section 2.1: the hash of an empty list


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the perfect subtrees that a tree of ``size`` leaves falls into, largest first: at most 63.

    All that appending needs. INVARIANT: there is one root for every one-bit of ``size``.
    """

    __slots__ = ("_roots", "_size")

    def __init__(self, size: TreeSize = TreeSize(0), roots: Iterable[bytes] = ()) -> None:
        held = list(roots)
        _check_size(size, "size")
        if len(held) != size.bit_count():
            raise FormatError(f"expected {size.bit_count()} subtree roots for size {size}, found {len(held)}")
        _check_hashes(held, "subtree root")
        self._size = size
        self._roots = held

    @property
    def size(self) -> TreeSize:
        """Leaves so far."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash of 32 bytes. Costs less than two hashes on average."""
        _check_hash(leaf, "leaf hash")
        self._push(leaf, 0)

    def append_subtree(self, root: bytes, level: int) -> None:
        """Add the 2**level leaves of a perfect subtree at once. The size must be a multiple of 2**level."""
        _check_hash(root, "subtree root")
        if level < 0 or self._size & ((1 << level) - 1):
            raise FormatError(f"expected a size that is a multiple of 2**{level}, found {self._size}")
        self._push(root, level)

    def _push(self, node: bytes, level: int) -> None:
        if self._size + (1 << level) > MAX_SIZE:
            raise FormatError(f"expected at most {MAX_SIZE} leaves")
        roots, carry = self._roots, self._size >> level
        while carry & 1:
            node = sha256(b"\x01" + roots.pop() + node).digest()
            carry >>= 1
        roots.append(node)
        self._size = TreeSize(self._size + (1 << level))

    def root(self) -> bytes:
        """Return the root hash of the tree."""
        if not self._roots:
            return EMPTY_ROOT
        node = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            node = node_hash(left, node)
        return node

    def root_before(self, right: bytes) -> bytes:
        """Return the root of this tree continued by a tree whose root is ``right``.

        That tree must have no more leaves than the smallest subtree here.
        """
        _check_hash(right, "root hash")
        for left in reversed(self._roots):
            right = node_hash(left, right)
        return right

    def copy(self) -> Frontier:
        """Return one that grows on its own."""
        return Frontier(self._size, self._roots)

    def to_bytes(self) -> bytes:
        """Return the subtree roots one after the other, largest first. The size is stored beside them."""
        return b"".join(self._roots)

    @classmethod
    def from_bytes(cls, data: bytes, *, size: int) -> Frontier:
        """Read what `to_bytes` wrote. Raises `FormatError` where it does not fit the size."""
        _check_size(size, "size")
        if len(data) != size.bit_count() * HASH_BYTES:
            raise FormatError(f"expected {size.bit_count() * HASH_BYTES} bytes of frontier, found {len(data)}")
        return cls(TreeSize(size), (data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frontier) and (other._size, other._roots) == (self._size, self._roots)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<Frontier of {self._size}>"


def tree_root(size: TreeSize, node: NodeReader) -> bytes:
    """Return the root hash over the first ``size`` leaves."""
    _check_size(size, "size")
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(*, index: int, size: TreeSize, node: NodeReader) -> tuple[bytes, ...]:
    """Return the audit path of RFC 6962 section 2.1.1, from the leaf's sibling to the root's child."""
    _check_size(size, "size")
    if not 0 <= index < size:
        raise FormatError(f"expected an index below {size}, found {index}")
    path: list[bytes] = []
    start, end = 0, int(size)
    while end - start > 1:
        cut = start + _split(end - start)
        if index < cut:
            path.append(_range_hash(cut, end, node))
            end = cut
        else:
            path.append(_range_hash(start, cut, node))
            start = cut
    path.reverse()
    return tuple(path)


def consistency_proof(*, old: TreeSize, new: TreeSize, node: NodeReader) -> tuple[bytes, ...]:
    """Return the proof of RFC 6962 section 2.1.2 that the first ``old`` leaves are a prefix of the ``new``."""
    _check_size(new, "new size")
    if not 1 <= old <= new:
        raise FormatError(f"expected an old size from 1 to {new}, found {old}")
    path: list[bytes] = []
    start, end = 0, int(new)
    while end != old:
        cut = start + _split(end - start)
        if old <= cut:
            path.append(_range_hash(cut, end, node))
            end = cut
        else:
            path.append(_range_hash(start, cut, node))
            start = cut
    if start:  # else the old tree is itself the subtree, whose root the verifier holds
        path.append(_range_hash(start, end, node))
    path.reverse()
    return tuple(path)


def verify_inclusion(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at ``index`` of the tree (RFC 9162 section 2.1.3.2). Raises `TlogError`."""
    _check_size(size, "size")
    if size == 0:
        raise FormatError("expected a size of at least 1, found 0")
    if not 0 <= index < size:
        raise FormatError(f"expected an index below {size}, found {index}")
    _check_hash(leaf, "leaf hash")
    _check_hash(root, "root hash")
    _check_hashes(path, "proof hash")
    expected = _path_length(index, size)
    if len(path) != expected:
        raise FormatError(f"expected {expected} proof hashes, found {len(path)}")
    node, at, last = leaf, index, size - 1
    for sibling in path:
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1:
                at >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        at >>= 1
        last >>= 1
    if node != root:
        raise CheckError(f"the proof leads to root {node.hex()}, expected {root.hex()}")


def verify_consistency(*, old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that a tree is a prefix of another (RFC 9162 section 2.1.4.2). Raises `TlogError`.

    A size of 0 is refused: an empty tree is a prefix of everything and proves nothing.
    """
    _check_size(new, "new size")
    if not 1 <= old <= new:
        raise FormatError(f"expected an old size from 1 to {new}, found {old}")
    if old == new:  # nothing is hashed: the roots are the same bytes, or not
        if path:
            raise FormatError(f"expected no proof hashes between equal sizes, found {len(path)}")
        if old_root != new_root:
            raise CheckError(f"two roots at size {old}: {old_root.hex()} and {new_root.hex()}")
        return
    _check_hash(old_root, "old root hash")
    _check_hash(new_root, "new root hash")
    _check_hashes(path, "proof hash")
    first, second = _fold_consistency(old, new, old_root, path)
    if first != old_root:
        raise CheckError(f"the proof leads to old root {first.hex()}, expected {old_root.hex()}")
    if second != new_root:
        raise CheckError(f"the proof leads to new root {second.hex()}, expected {new_root.hex()}")


def _fold_consistency(old: int, new: int, old_root: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a proof between different sizes leads to."""
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    # Where the old tree is perfect its root is the seed and is left out of the proof.
    hashes = list(path) if at else [old_root, *path]
    expected = _path_length(at, last + 1) + 1
    if len(hashes) != expected:
        raise FormatError(f"expected {expected - (len(hashes) - len(path))} proof hashes, found {len(path)}")
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if at & 1 or at == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not at & 1:
                at >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        at >>= 1
        last >>= 1
    return first, second


def _path_length(index: int, size: int) -> int:
    """Return how many hashes prove the leaf: one a level up to where it meets the right edge, then the one-bits."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


def _split(width: int) -> int:
    """Return the largest power of two below ``width`` (2 or more): where RFC 6962 cuts a list."""
    return 1 << (width - 1).bit_length() - 1


def _range_hash(start: int, end: int, node: NodeReader) -> bytes:
    """Return the hash over [start, end), where start is a multiple of every power of two below the width."""
    roots: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        roots.append(node(level, start >> level))
        start += 1 << level
    result = roots.pop()
    while roots:
        result = node_hash(roots.pop(), result)
    return result


def _check_size(size: int, what: str) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise FormatError(f"expected a {what} from 0 to {MAX_SIZE}, found {size}")


def _check_hash(value: bytes, what: str) -> None:
    if len(value) != HASH_BYTES:
        raise FormatError(f"expected a {what} of {HASH_BYTES} bytes, found {len(value)}")


def _check_hashes(values: Sequence[bytes], what: str) -> None:
    if len(values) > 64:  # a path cannot be longer; a frontier has at most 63 roots
        raise FormatError(f"expected at most 64 hashes, found {len(values)}")
    for value in values:
        _check_hash(value, what)
