"""C2SP tlog-witness, add-checkpoint: what is asked, what may be answered, and what a log makes of the answer. Pure.

A witness cosigns a head only if it extends the head that it cosigned last. `decide` says what to store and answer;
INVARIANT of its caller: reading the known head, deciding and storing happen under one lock, and nothing is signed
before it is stored, else two requests could roll the witness back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint, parse_size
from phigate.tlog.cosign import cosign, cosignatures
from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.merkle import HASH_BYTES, TreeSize, verify_consistency
from phigate.tlog.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    KeyType,
    Note,
    Sign,
    VerifierKey,
    decode_base64,
    encode_base64,
)

MAX_PROOF_LINES: Final = 63
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 64 + MAX_PROOF_LINES * 45
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
MAX_POLICY_BYTES: Final = 64 * 1024

Logs = Mapping[str, Sequence[VerifierKey]]  # origin -> keys that may sign its heads


@dataclass(frozen=True, slots=True)
class Request:
    """A head to cosign, and the proof that it extends the head of size ``old``."""

    old: TreeSize
    path: tuple[bytes, ...]
    checkpoint: SignedCheckpoint

    def to_bytes(self) -> bytes:
        """Return the body to post."""
        lines = [f"old {self.old}", *(encode_base64(each) for each in self.path), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint.note.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """Read a body. Raises `FormatError`; what it accepts, `to_bytes` gives back byte for byte."""
        if len(data) > MAX_REQUEST_BYTES:
            raise FormatError(f"expected a request of at most {MAX_REQUEST_BYTES} bytes, found {len(data)}")
        head, gap, tail = data.partition(b"\n\n")
        lines = head.split(b"\n")
        if not gap or not lines[0].startswith(b"old "):
            raise FormatError("expected a line old and a size, proof lines and an empty line before the checkpoint")
        old = parse_size(lines[0][4:].decode("utf-8", "replace"))
        if len(lines) - 1 > MAX_PROOF_LINES:
            raise FormatError(f"expected at most {MAX_PROOF_LINES} proof lines, found {len(lines) - 1}")
        path = tuple(decode_base64(line) for line in lines[1:])
        if any(len(node) != HASH_BYTES for node in path):
            raise FormatError(f"expected proof hashes of {HASH_BYTES} bytes")
        return cls(old, path, SignedCheckpoint.from_bytes(tail))


@dataclass(frozen=True, slots=True)
class Known:
    """The newest head of one log that was cosigned, and when, in POSIX seconds."""

    size: TreeSize
    root: bytes
    at_s: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. ``store`` is set when the head may be cosigned, after it was stored."""

    status: int
    body: bytes
    media_type: str = TEXT_TYPE
    store: Known | None = None


def check_request(data: bytes, logs: Logs) -> Request | Answer:
    """Return the request, or the answer that refuses it whatever was cosigned before. Reads no state."""
    try:
        request = Request.from_bytes(data)
    except FormatError as error:
        return _refused(400, str(error))
    head = request.checkpoint.head
    keys = logs.get(head.origin)
    if keys is None:
        return _refused(404, "expected the checkpoint of a known log")
    try:
        request.checkpoint.verify(origin=head.origin, keys=keys)
    except CheckError as error:
        return _refused(403, str(error))
    if request.old > head.size:
        return _refused(400, f"expected an old size of at most {head.size}, found {request.old}")
    return request


def decide(request: Request, known: Known | None, *, now_s: int) -> Answer:
    """Return what to answer and to store, given the head that was cosigned last (None: none of this log)."""
    head = request.checkpoint.head
    size = known.size if known else TreeSize(0)
    if request.old != size:
        return Answer(409, f"{size}\n".encode(), SIZE_TYPE)
    # INVARIANT: the time of a witness never runs backwards, even where its clock does.
    store = Known(head.size, head.root, max(now_s, known.at_s if known else 1))
    if known is not None and head.size == size:
        if head.root != known.root:
            return Answer(409, f"{size}\n".encode(), SIZE_TYPE)
        return _refused(422, "expected no proof between equal sizes") if request.path else Answer(200, b"", store=store)
    try:
        _check_extends(request, known)
    except TlogError as error:
        return _refused(422, str(error))
    return Answer(200, b"", store=store)


def _check_extends(request: Request, known: Known | None) -> None:
    head = request.checkpoint.head
    if known is None or known.size == 0:
        if request.path:
            raise CheckError("expected no proof from the empty log")
        return
    verify_consistency(old=known.size, new=head.size, old_root=known.root, new_root=head.root, path=request.path)


def _refused(status: int, why: str) -> Answer:
    return Answer(status, f"{why}\n".encode())


def cosigned(request: Request, store: Known, *, key: VerifierKey, sign: Sign) -> Answer:
    """Return the answer with the cosignature of a head that was stored."""
    line = cosign(request.checkpoint.note.text, at_s=store.at_s, key=key, sign=sign)
    return Answer(200, line.to_line())


def merge_answer(checkpoint: SignedCheckpoint, body: bytes, witnesses: Sequence[VerifierKey]) -> SignedCheckpoint:
    """Return the checkpoint with the new cosignatures of known witnesses that a witness answered.

    Lines of unknown keys are dropped; a known witness's older line gives way to its new one. Raises `CheckError` when a
    line of a known witness does not verify, or none is there.
    """
    answer = Note.from_bytes(checkpoint.note.text + b"\n" + body)
    found = cosignatures(answer, witnesses)
    if not found:
        raise CheckError("expected the cosignature of a known witness, found none")
    new = [line for each in found if (line := answer.signature_of(each.witness))]
    names = {(line.name, line.key_id) for line in new}
    kept = [line for line in checkpoint.note.signatures if (line.name, line.key_id) not in names]
    if len(kept) + len(new) > MAX_SIGNATURES:
        raise CheckError(f"expected at most {MAX_SIGNATURES} signatures on a checkpoint")
    return SignedCheckpoint(checkpoint.head, Note(checkpoint.note.text, (*kept, *new)))


def known_logs(policy: bytes) -> dict[str, tuple[VerifierKey, ...]]:
    """Return the logs of a C2SP tlog-policy, of which a witness needs the ``log`` lines alone. Raises `FormatError`."""
    if len(policy) > MAX_POLICY_BYTES:
        raise FormatError(f"expected a policy of at most {MAX_POLICY_BYTES} bytes, found {len(policy)}")
    try:
        lines = policy.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise FormatError("expected a policy in UTF-8") from None
    logs: dict[str, list[VerifierKey]] = {}
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#") or words[0] in {"witness", "group", "quorum"}:
            continue
        if words[0] != "log" or len(words) not in {2, 3}:
            raise FormatError("expected lines log, witness, group and quorum in a policy")
        key = VerifierKey.from_text(words[1])
        if key.type is not KeyType.ED25519:
            raise FormatError(f"expected a log key of type 0x01, found 0x{key.type:02x}")
        logs.setdefault(key.name, []).append(key)
    if not logs:
        raise FormatError("expected at least one log in the policy, found none")
    return {origin: tuple(keys) for origin, keys in logs.items()}


def read_state(size: int, root: bytes, at_s: int) -> Known:
    """Return a stored head. Raises `FormatError` where it cannot be one: a witness never guesses what it signed."""
    head = Checkpoint("stored", TreeSize(size), root)
    if at_s < 1:
        raise FormatError(f"expected a time above 0 in the stored head, found {at_s}")
    return Known(head.size, head.root, at_s)
