"""C2SP signed-note: text and the signature lines under it, verifier keys and key ids.

Text and note are bytes, since bytes are what is signed. Parsing is strict: one note has one encoding, and a second
spelling of the same thing (loose base64, a carriage return, the same key twice) is refused. Private keys are never
here: signing takes a callable. Cosignatures (type 0x04) sign another message, see `cosign`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from phigate.tlog.errors import CheckError, FormatError

Sign = Callable[[bytes], bytes]  # message -> raw signature; made by whoever holds the private key

MAX_NOTE_BYTES: Final = 256 * 1024  # room for MAX_SIGNATURES cosignatures and for a few post-quantum ones
MAX_SIGNATURES: Final = 64  # signed-note asks for 16 at least
MAX_NAME_BYTES: Final = 255
_DASH: Final = "\u2014 ".encode()
_CONTROLS: Final = bytes(c for c in range(0x20) if c != 0x0A)


class KeyType(IntEnum):
    """The signature types that are recognised; `ED25519` and `COSIGNATURE` can be verified here."""

    ED25519 = 0x01
    ECDSA = 0x02
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06


_PUBLIC_BYTES: Final = {KeyType.ED25519: 32, KeyType.COSIGNATURE: 32, KeyType.ML_DSA_44: 1312}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Who may sign, under which name, with which type of signature."""

    name: str
    type: KeyType
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        expected = _PUBLIC_BYTES.get(self.type)
        if expected is not None and len(self.public) != expected:
            raise FormatError(f"expected a public key of {expected} bytes, found {len(self.public)}")
        if not self.public:
            raise FormatError("expected a public key, found nothing")

    @property
    def id(self) -> bytes:
        """Return the key id: 4 bytes that tell keys of one name apart, and prove nothing."""
        if self.type is KeyType.ECDSA:  # signed-note: the id of this type is the hash of the DER key alone
            return sha256(self.public).digest()[:4]
        return sha256(self.name.encode() + b"\n" + bytes((self.type,)) + self.public).digest()[:4]

    @classmethod
    def from_text(cls, text: str) -> VerifierKey:
        """Read a vkey, ``name+hash+base64``. Raises `FormatError`."""
        parts = text.split("+", 2)  # base64 may hold a plus; a name may not
        if len(parts) != 3:
            raise FormatError("expected a verifier key of the form name+hash+base64")
        data = decode_base64(parts[2].encode("utf-8", "replace"))  # an argument may hold half of a surrogate pair
        if not data or data[0] not in KeyType.__members__.values():
            raise FormatError("expected a verifier key of type 0x01, 0x02, 0x04 or 0x06")
        key = cls(parts[0], KeyType(data[0]), data[1:])
        if parts[1] != key.id.hex():
            raise FormatError(f"expected key id {key.id.hex()} in the verifier key, found another")
        return key

    def to_text(self) -> str:
        """Return the vkey."""
        return f"{self.name}+{self.id.hex()}+{encode_base64(bytes((self.type,)) + self.public)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. ``value`` is what stands after the key id."""

    name: str
    key_id: bytes
    value: bytes

    def to_line(self) -> bytes:
        """Return the line, newline included."""
        return b"%b%b %b\n" % (_DASH, self.name.encode(), base64.b64encode(self.key_id + self.value))

    @classmethod
    def from_line(cls, line: bytes) -> Signature:
        """Read a line without its newline. Raises `FormatError`."""
        if not line.startswith(_DASH):
            raise FormatError("expected a signature line that begins with an em dash and a space")
        raw, space, encoded = line[len(_DASH) :].partition(b" ")
        if not space:
            raise FormatError("expected a name, a space and base64 on the signature line")
        name = check_name(_utf8(raw))
        data = decode_base64(encoded)
        if len(data) < 5:
            raise FormatError(f"expected a key id and a signature, found {len(data)} bytes")
        return cls(name, data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """Text, final newline included, and the signatures under it. Nothing is verified yet."""

    text: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def from_bytes(cls, data: bytes, *, max_bytes: int = MAX_NOTE_BYTES) -> Note:
        """Read a note. Raises `FormatError`; what it accepts, `to_bytes` gives back byte for byte."""
        if len(data) > max_bytes:
            raise FormatError(f"expected a note of at most {max_bytes} bytes, found {len(data)}")
        check_text(data)
        cut = data.rfind(b"\n\n") + 1
        if cut == 0:
            raise FormatError("expected an empty line between text and signatures")
        text, tail = data[:cut], data[cut + 1 :]
        if not tail.endswith(b"\n"):
            raise FormatError("expected signature lines that end in a newline")
        if tail.count(b"\n") > MAX_SIGNATURES:
            raise FormatError(f"expected at most {MAX_SIGNATURES} signatures")
        signatures = tuple(Signature.from_line(line) for line in tail[:-1].split(b"\n"))
        _check_signers(signatures)
        return cls(text, signatures)

    def to_bytes(self) -> bytes:
        """Return the note. Raises `FormatError` where `from_bytes` would refuse it."""
        check_text(self.text)
        if not self.text.endswith(b"\n"):
            raise FormatError("expected a text that ends in a newline")
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise FormatError(f"expected 1 to {MAX_SIGNATURES} signatures, found {len(self.signatures)}")
        _check_signers(self.signatures)
        return self.text + b"\n" + b"".join(signature.to_line() for signature in self.signatures)

    def signature_of(self, key: VerifierKey) -> Signature | None:
        """Return the signature line of this key, name and id, unverified; None where it did not sign."""
        wanted = (key.name, key.id)
        return next((s for s in self.signatures if (s.name, s.key_id) == wanted), None)


def sign_note(text: bytes, signers: Sequence[tuple[VerifierKey, Sign]]) -> Note:
    """Sign a text with Ed25519 keys, in their order. Raises `FormatError` for a text that is no note text."""
    return Note(text, tuple(sign_text(text, key, sign) for key, sign in signers))


def sign_text(text: bytes, key: VerifierKey, sign: Sign) -> Signature:
    """Return the signature of one Ed25519 key over a text."""
    if key.type is not KeyType.ED25519:
        raise FormatError(f"expected an Ed25519 key (type 0x01) to sign a note, found type 0x{key.type:02x}")
    return Signature(key.name, key.id, sign(text))


def verify_note(note: Note, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return the known Ed25519 keys that signed, in the order of ``keys``.

    Lines of unknown keys are ignored, as signed-note demands. Raises `CheckError` when a known key's signature does
    not verify, and when no known key signed.
    """
    signed = []
    for key in keys:
        signature = note.signature_of(key)
        if signature is not None:
            verify_signature(key, signature.value, note.text)
            signed.append(key)
    if not signed:
        raise CheckError(f"expected a signature by one of {len(keys)} known keys, found none")
    return tuple(signed)


def verify_signature(key: VerifierKey, signature: bytes, text: bytes) -> None:
    """Check the Ed25519 signature of a key over a text. Raises `CheckError`."""
    if key.type is not KeyType.ED25519:
        raise CheckError(f"expected an Ed25519 key (type 0x01), found type 0x{key.type:02x} of {key.name}")
    verify_ed25519(key, signature, text)


def verify_ed25519(key: VerifierKey, signature: bytes, message: bytes) -> None:
    """Check 64 bytes of Ed25519 over a message, whatever the type of the note signature. Raises `CheckError`."""
    try:
        _public(key.public).verify(signature, message)
    except InvalidSignature:
        raise CheckError(f"the signature of {key.name}+{key.id.hex()} does not verify") from None


@lru_cache(maxsize=4096)
def _public(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


def check_text(data: bytes) -> None:
    """Refuse what no note may hold: bytes that are not UTF-8, and ASCII controls other than newline."""
    if len(data.translate(None, _CONTROLS)) != len(data):
        raise FormatError("expected no control character but newline")
    _utf8(data)


@lru_cache(maxsize=4096)
def check_name(name: str) -> str:
    """Return a key name. Raises `FormatError` where it is empty, long, or holds a space, a plus or a control."""
    if not name or len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise FormatError(f"expected a key name of 1 to {MAX_NAME_BYTES} bytes")
    if "+" in name or any(c.isspace() or c < " " or "\ud800" <= c <= "\udfff" for c in name):
        raise FormatError("expected a key name without space, plus or control character")
    return name


def encode_base64(data: bytes) -> str:
    """Return RFC 4648 section 4 base64, padded."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: bytes) -> bytes:
    """Read padded base64 strictly: only what `encode_base64` writes. Raises `FormatError`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("expected padded standard base64") from None
    if base64.b64encode(data) != text:  # stray bits behind the last byte
        raise FormatError("expected canonical base64, found another encoding of the same bytes")
    return data


def _check_signers(signatures: Sequence[Signature]) -> None:
    if len(signatures) > 1 and len({(s.name, s.key_id) for s in signatures}) != len(signatures):
        raise FormatError("expected each key to sign once, found one twice")


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("expected UTF-8") from None
