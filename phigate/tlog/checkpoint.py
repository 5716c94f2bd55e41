"""C2SP tlog-checkpoint: origin, tree size and root hash as the text of a signed note.

Every number re-encodes to itself and every hash has 32 bytes, so that one head has one text. Whether heads agree with
each other is the business of `merkle` and `verify`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE, TreeSize
from phigate.tlog.note import Note, VerifierKey, check_text, decode_base64, encode_base64, verify_note

MAX_TEXT_BYTES: Final = 4096
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One tree head. ``extensions`` are opaque lines of other logs; ours writes none."""

    origin: str
    size: TreeSize
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise FormatError(f"expected a tree size from 0 to {MAX_SIZE}, found {self.size}")
        if len(self.root) != HASH_BYTES:
            raise FormatError(f"expected a root hash of {HASH_BYTES} bytes, found {len(self.root)}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise FormatError("expected the root hash of the empty tree at size 0")
        if not all(line and "\n" not in line for line in (self.origin, *self.extensions)):
            raise FormatError("expected an origin and extensions of one line each")

    def to_text(self) -> bytes:
        """Return the text that is signed. Raises `FormatError` where `from_text` would refuse it."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        try:
            text = "".join(f"{line}\n" for line in lines).encode()
        except UnicodeEncodeError:
            raise FormatError("expected UTF-8") from None
        check_text(text)
        _check_length(text)
        return text

    @classmethod
    def from_text(cls, text: bytes) -> Checkpoint:
        """Read the text of a checkpoint note. Raises `FormatError`; `to_text` gives the same bytes back."""
        _check_length(text)
        check_text(text)
        if not text.endswith(b"\n"):
            raise FormatError("expected a checkpoint that ends in a newline")
        lines = text[:-1].decode().split("\n")
        if len(lines) < 3 or "" in lines:
            raise FormatError("expected three or more lines, none of them empty: origin, size, root hash")
        return cls(lines[0], parse_size(lines[1]), decode_base64(lines[2].encode()), tuple(lines[3:]))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A head and the note that carries it."""

    head: Checkpoint
    note: Note

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedCheckpoint:
        """Read a checkpoint note; nothing is verified. Raises `FormatError`."""
        note = Note.from_bytes(data)
        return cls(Checkpoint.from_text(note.text), note)

    def verify(self, *, origin: str, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Return the keys of this log that signed. Raises `CheckError` for another origin or no such signature."""
        if self.head.origin != origin:
            raise CheckError(f"expected a checkpoint of {origin}, found one of {self.head.origin}")
        return verify_note(self.note, keys)


def parse_size(text: str) -> TreeSize:
    """Read a decimal that re-encodes to itself, from 0 to 2^63-1. Raises `FormatError`."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise FormatError(f"expected a decimal from 0 to {MAX_SIZE} without leading zeros")
    return TreeSize(int(text))


def _check_length(text: bytes) -> None:
    if len(text) > MAX_TEXT_BYTES:
        raise FormatError(f"expected a checkpoint text of at most {MAX_TEXT_BYTES} bytes, found {len(text)}")
