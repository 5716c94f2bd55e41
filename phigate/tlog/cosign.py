"""C2SP tlog-cosignature, cosignature/v1: a witness says when it saw a head as the largest consistent one of its log.

The signed message is not the note's text alone, so these lines are made and checked here and not by `note`. The
signature field is an 8-byte big-endian time in seconds, then 64 bytes of Ed25519.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.note import KeyType, Note, Sign, Signature, VerifierKey, verify_ed25519

HEADER: Final = "cosignature/v1"
MAX_TIME: Final = (1 << 63) - 1
_TIME_BYTES: Final = 8
_VALUE_BYTES: Final = _TIME_BYTES + 64


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness and the POSIX time, in seconds, at which it vouched."""

    witness: VerifierKey
    at_s: int


def cosign(text: bytes, *, at_s: int, key: VerifierKey, sign: Sign) -> Signature:
    """Return the cosignature of a checkpoint's text. The caller has checked consistency and stored the head."""
    if key.type is not KeyType.COSIGNATURE:
        raise FormatError(f"expected a cosignature key (type 0x04), found type 0x{key.type:02x}")
    if not 0 < at_s <= MAX_TIME:
        raise FormatError(f"expected a time in seconds above 0, found {at_s}")
    return Signature(key.name, key.id, at_s.to_bytes(_TIME_BYTES, "big") + sign(_message(text, at_s)))


def verify_cosignature(note: Note, key: VerifierKey) -> Cosignature | None:
    """Return what a witness said under this note, None where it said nothing. Raises `CheckError` for a bad line."""
    if key.type is not KeyType.COSIGNATURE:
        raise CheckError(f"expected a cosignature key (type 0x04), found type 0x{key.type:02x} of {key.name}")
    signature = note.signature_of(key)
    if signature is None:
        return None
    value = signature.value
    if len(value) != _VALUE_BYTES:
        raise CheckError(f"expected a cosignature of {_VALUE_BYTES} bytes by {key.name}, found {len(value)}")
    at_s = int.from_bytes(value[:_TIME_BYTES], "big")
    if not 0 < at_s <= MAX_TIME:
        raise CheckError(f"expected a cosignature time above 0 by {key.name}, found {at_s}")
    verify_ed25519(key, value[_TIME_BYTES:], _message(note.text, at_s))
    return Cosignature(key, at_s)


def cosignatures(note: Note, witnesses: Sequence[VerifierKey]) -> tuple[Cosignature, ...]:
    """Return what the known witnesses said. Raises `CheckError` when a line of one of them does not verify."""
    found = (verify_cosignature(note, key) for key in witnesses)
    return tuple(each for each in found if each is not None)


def _message(text: bytes, at_s: int) -> bytes:
    return f"{HEADER}\ntime {at_s}\n".encode() + text
