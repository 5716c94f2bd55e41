"""C2SP tlog-witness, the log's side: what to post to a witness, and what its answer means. Pure.

A witness that says no is either behind, broken, or has seen another history of this log. The last is told apart here,
since it must stop the log: two signed heads that contradict each other are out in the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phigate.tlog.checkpoint import SignedCheckpoint, parse_size
from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.merkle import NodeReader, TreeSize, consistency_proof
from phigate.tlog.note import VerifierKey
from phigate.tlog.witness import Request, merge_answer

MAX_ANSWER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness vouched: the checkpoint with its line."""

    checkpoint: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class KnowsSize:
    """The witness cosigned a head of this size last: ask again from there. It may be larger than the one posted."""

    size: TreeSize


@dataclass(frozen=True, slots=True)
class Contradicts:
    """The witness holds a signed head of this log that the posted one does not continue."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No cosignature and no statement about the log. ``code`` is a word for metrics and logs."""

    code: str


Said = Cosigned | KnowsSize | Contradicts | Failed


def ask(checkpoint: SignedCheckpoint, *, old: TreeSize, node: NodeReader) -> Request:
    """Return the request for a cosignature that extends the head of size ``old``; ``node`` reads our own tree."""
    size = checkpoint.head.size
    path = consistency_proof(old=old, new=size, node=node) if 0 < old < size else ()
    return Request(old, path, checkpoint)


def read_answer(sent: Request, *, status: int, body: bytes, witness: VerifierKey) -> Said:
    """Return what an answer to ``sent`` says. Never raises: whatever comes over the wire has a meaning."""
    head = sent.checkpoint.head
    if status == 200:
        try:
            return Cosigned(merge_answer(sent.checkpoint, body, [witness]))
        except TlogError:
            return Failed("bad_cosignature")
    if status == 409:
        return _conflict(sent, body)
    if status == 422 and sent.path:
        # The path was made from our own tree, so that it fails only where the witness holds another root.
        return Contradicts(f"a head of size {sent.old} that this log's {head.size} entries do not continue")
    return Failed({403: "key_unknown", 404: "log_unknown", 503: "witness_unavailable"}.get(status, "bad_answer"))


def _conflict(sent: Request, body: bytes) -> Said:
    """Return what an answer 409 says, which names the size that the witness knows."""
    try:
        size = _size(body)
    except FormatError:
        return Failed("bad_answer")
    if size != sent.old:
        return KnowsSize(size)
    # It knows the size that was named: only a second head of that size is then a conflict.
    return Contradicts(f"another head of size {size}") if size == sent.checkpoint.head.size else Failed("bad_answer")


def merged(cosigned: list[SignedCheckpoint], witnesses: list[VerifierKey]) -> SignedCheckpoint:
    """Return one checkpoint with the lines of all, which carry one head. Raises `CheckError` otherwise."""
    first, *others = cosigned
    for other in others:
        if other.head != first.head:
            raise CheckError("expected cosignatures of one head, found several heads")
        lines = b"".join(line.to_line() for key in witnesses if (line := other.note.signature_of(key)))
        first = merge_answer(first, lines, witnesses)
    return first


def _size(body: bytes) -> TreeSize:
    if not body.endswith(b"\n") or len(body) > 20:
        raise FormatError("expected a size and a newline")
    return parse_size(body[:-1].decode("utf-8", "replace"))
