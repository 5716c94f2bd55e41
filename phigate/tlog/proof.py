"""C2SP tlog-proof: one file that shows offline that an entry stands in a log, and who saw the log then.

    c2sp.org/tlog-proof@v1
    index 73894
    HASH…

    CHECKPOINT NOTE

The extra line of the specification is opaque and unauthenticated; ours are written without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phigate.tlog.checkpoint import SignedCheckpoint, parse_size
from phigate.tlog.errors import FormatError
from phigate.tlog.merkle import HASH_BYTES, verify_inclusion
from phigate.tlog.note import MAX_NOTE_BYTES, VerifierKey, decode_base64, encode_base64

HEADER: Final = b"c2sp.org/tlog-proof@v1"
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 64 * 1024
_MAX_EXTRA: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Proof:
    """Index and audit path of an entry, and the checkpoint they lead to. Nothing is verified yet."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: SignedCheckpoint
    extra: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return the file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}".encode())
        lines.append(f"index {self.index}".encode())
        lines.extend(encode_base64(node).encode() for node in self.path)
        return b"\n".join(lines) + b"\n\n" + self.checkpoint.note.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Proof:
        """Read a file. Raises `FormatError`; what it accepts, `to_bytes` gives back byte for byte."""
        if len(data) > MAX_PROOF_BYTES:
            raise FormatError(f"expected a proof of at most {MAX_PROOF_BYTES} bytes, found {len(data)}")
        head, gap, tail = data.partition(b"\n\n")
        lines = head.split(b"\n")
        if not gap or lines.pop(0) != HEADER:
            raise FormatError(f"expected the first line {HEADER.decode()} and an empty line before the checkpoint")
        extra = None
        if lines and lines[0].startswith(b"extra "):
            extra = decode_base64(lines.pop(0)[6:])
            if not 1 <= len(extra) <= _MAX_EXTRA:
                raise FormatError(f"expected 1 to {_MAX_EXTRA} bytes of extra data, found {len(extra)}")
        if not lines or not lines[0].startswith(b"index "):
            raise FormatError("expected a line index and a number")
        index = parse_size(lines.pop(0)[6:].decode("utf-8", "replace"))
        if len(lines) > 64:
            raise FormatError(f"expected at most 64 proof hashes, found {len(lines)}")
        path = tuple(decode_base64(line) for line in lines)
        if any(len(node) != HASH_BYTES for node in path):
            raise FormatError(f"expected proof hashes of {HASH_BYTES} bytes")
        return cls(index, path, SignedCheckpoint.from_bytes(tail), extra)

    def verify(self, *, leaf: bytes, origin: str, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Check head and path for a leaf hash; return the keys of the log that signed the head. Raises `TlogError`."""
        signed = self.checkpoint.verify(origin=origin, keys=keys)
        head = self.checkpoint.head
        verify_inclusion(leaf=leaf, index=self.index, size=head.size, path=self.path, root=head.root)
        return signed
