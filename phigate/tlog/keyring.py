"""The keyring: a note signed by the root keys that says which keys count, for what, and up to which size of a log.

    phigate.example/keyring/v1
    {"expires":"…","issued":"…","keys":[…],"quorum":0,"roots":[…],"threshold":1,"v":1,"version":1}

Modelled on The Update Framework: a version that only grows, an expiry, a threshold of root signatures; a successor is
signed by the roots before it as well. Keys end by size of a log and never by time alone, since only size is proven. A
verifier pins `Keyring.fingerprint`, which names the roots and their threshold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from phigate.tlog.canonical import JSON, encode, parse
from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.merkle import MAX_SIZE
from phigate.tlog.note import KeyType, Note, Sign, VerifierKey, sign_note, verify_note

CONTEXT: Final = "phigate.example/keyring/v1"
MAX_KEYS: Final = 1024
MAX_ROOTS: Final = 16
_TIME: Final = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z", re.ASCII)
_ORIGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/\-]{0,199}", re.ASCII)


class Role(StrEnum):
    """What a listed key may do."""

    CHECKPOINT = "checkpoint"  # signs the heads of one origin
    ENROLMENT = "enrolment"  # introduces and retires record keys of one origin; signs its genesis
    RECORD = "record"  # a record key that `key` entries introduced, listed to end it early
    WITNESS = "witness"  # cosigns heads of any origin


_TYPE_OF: Final = {Role.WITNESS: KeyType.COSIGNATURE}
_FIELDS: Final = {"expires", "issued", "keys", "quorum", "roots", "threshold", "v", "version"}


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key and what it may sign: heads of a size, or entries of an index, from ``start`` to before ``end``.

    A checkpoint key's ``end`` is the largest size it may sign; entries below that index stand in that tree.
    """

    key: VerifierKey
    role: Role
    origin: str = ""  # "" for a witness: it cosigns whatever log it knows
    start: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        wanted = _TYPE_OF.get(self.role, KeyType.ED25519)
        if self.key.type is not wanted:
            raise FormatError(f"expected a {self.role} key of type 0x{wanted:02x}, found 0x{self.key.type:02x}")
        if (self.role is Role.WITNESS) != (not self.origin):
            raise FormatError("expected an origin for each key but a witness")
        if self.origin and _ORIGIN.fullmatch(self.origin) is None:
            raise FormatError("expected an origin of ASCII letters, digits and ._:/-")
        if not 0 <= self.start <= MAX_SIZE or not (self.end is None or self.start <= self.end <= MAX_SIZE):
            raise FormatError(f"expected key bounds from 0 to {MAX_SIZE}, the end not before the start")

    def holds_size(self, size: int) -> bool:
        """Return whether the key may sign a head of this size."""
        return self.start <= size and (self.end is None or size <= self.end)

    def holds_index(self, index: int) -> bool:
        """Return whether the key may sign the entry of this index."""
        return self.start <= index and (self.end is None or index < self.end)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The content of a keyring. ``issued`` and ``expires`` are RFC 3339 UTC with microseconds: they compare as text.

    ``quorum`` says how many witnesses must have cosigned a head; 0 asks for none.
    """

    version: int
    issued: str
    expires: str
    threshold: int
    roots: tuple[VerifierKey, ...]
    keys: tuple[ListedKey, ...]
    quorum: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.version <= MAX_SIZE >> 11:
            raise FormatError(f"expected a keyring version from 1, found {self.version}")
        if not all(_TIME.fullmatch(time) for time in (self.issued, self.expires)) or self.issued >= self.expires:
            raise FormatError("expected issued and expires as RFC 3339 UTC times, in this order")
        if len(self.roots) > MAX_ROOTS or len({root.public for root in self.roots}) != len(self.roots):
            raise FormatError(f"expected at most {MAX_ROOTS} different root keys")
        if any(root.type is not KeyType.ED25519 for root in self.roots):
            raise FormatError("expected root keys of type 0x01")
        if not 1 <= self.threshold <= len(self.roots):
            raise FormatError(f"expected a threshold from 1 to {len(self.roots)}, found {self.threshold}")
        if len(self.keys) > MAX_KEYS:
            raise FormatError(f"expected at most {MAX_KEYS} keys, found {len(self.keys)}")
        _check_roles(self.keys, self.quorum)

    @property
    def fingerprint(self) -> str:
        """Return what a verifier pins: a digest over the root keys and their threshold, in no order."""
        return fingerprint(self.roots, self.threshold)

    def to_text(self) -> bytes:
        """Return the text that the roots sign."""
        body: dict[str, JSON] = {
            "v": 1,
            "version": self.version,
            "issued": self.issued,
            "expires": self.expires,
            "threshold": self.threshold,
            "roots": [root.to_text() for root in self.roots],
            "keys": [_listed_to_json(listed) for listed in self.keys],
            "quorum": self.quorum,
        }
        return f"{CONTEXT}\n".encode() + encode(body) + b"\n"

    @classmethod
    def from_text(cls, text: bytes) -> Keyring:
        """Read the text. Raises `FormatError`; `to_text` gives the same bytes back."""
        head, newline, rest = text.partition(b"\n")
        if head != CONTEXT.encode() or not newline or not rest.endswith(b"\n"):
            raise FormatError(f"expected the context line {CONTEXT} and one line of JSON")
        body = parse(rest[:-1])
        if body.keys() != _FIELDS or body["v"] != 1 or body["v"] is True:
            raise FormatError(f"expected a keyring of version v 1 with {', '.join(sorted(_FIELDS))}")
        keyring = cls(
            version=_number(body, "version"),
            issued=_text(body, "issued"),
            expires=_text(body, "expires"),
            threshold=_number(body, "threshold"),
            roots=tuple(VerifierKey.from_text(_string(vkey)) for vkey in _list(body, "roots")),
            keys=tuple(_listed_from_json(row) for row in _list(body, "keys")),
            quorum=_number(body, "quorum"),
        )
        if keyring.to_text() != text:
            raise FormatError("expected a keyring that re-encodes to itself")
        return keyring

    def listed(self, role: Role, origin: str = "") -> tuple[ListedKey, ...]:
        """Return the keys of a role, for one origin where the role has one."""
        return tuple(each for each in self.keys if each.role is role and each.origin == origin)


def fingerprint(roots: Sequence[VerifierKey], threshold: int) -> str:
    """Return ``sha256:`` and the digest over a set of root keys and the number of them that must sign."""
    lines = ["phigate.example/roots/v1", str(threshold), *sorted(root.to_text() for root in roots)]
    return "sha256:" + sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def sign_keyring(keyring: Keyring, signers: Sequence[tuple[VerifierKey, Sign]]) -> bytes:
    """Return the signed keyring. For a successor the signers include a threshold of the roots before it."""
    data = sign_note(keyring.to_text(), signers).to_bytes()
    open_keyring(data)
    return data


def open_keyring(data: bytes, *, pinned: str | None = None) -> Keyring:
    """Read a keyring and check that a threshold of its own roots signed it. Raises `TlogError`.

    Without ``pinned``, the fingerprint that the verifier holds, this proves consistency and nothing about whose it is.
    """
    note = Note.from_bytes(data)
    keyring = Keyring.from_text(note.text)
    _check_threshold(note, keyring)
    if pinned is not None and keyring.fingerprint != pinned:
        raise CheckError(f"expected a keyring of root {pinned}, found {keyring.fingerprint}")
    return keyring


def open_successor(data: bytes, *, before: Keyring) -> Keyring:
    """Read a keyring that replaces another: a larger version, signed by both thresholds. Raises `TlogError`."""
    keyring = open_keyring(data)
    if keyring.version <= before.version:
        raise CheckError(f"expected a keyring version above {before.version}, found {keyring.version}")
    _check_threshold(Note.from_bytes(data), before)
    return keyring


def _check_threshold(note: Note, keyring: Keyring) -> None:
    signed = verify_note(note, keyring.roots)
    if len(signed) < keyring.threshold:
        raise CheckError(f"expected signatures of {keyring.threshold} root keys, found {len(signed)}")


def _check_roles(keys: Sequence[ListedKey], quorum: int) -> None:
    if len({(each.key, each.role, each.origin) for each in keys}) != len(keys):
        raise FormatError("expected each key once for a role and an origin")
    witnesses = [each.key.public for each in keys if each.role is Role.WITNESS]
    if len(set(witnesses)) != len(witnesses):
        raise FormatError("expected witnesses with different keys")
    if not 0 <= quorum <= len(witnesses):
        raise FormatError(f"expected a quorum from 0 to {len(witnesses)}, found {quorum}")
    # One checkpoint key for the life of an origin: rotation is a new origin, so no head has two possible signers.
    heads = [each.origin for each in keys if each.role is Role.CHECKPOINT]
    if len(set(heads)) != len(heads):
        raise FormatError("expected one checkpoint key for each origin")


def _listed_to_json(listed: ListedKey) -> JSON:
    row: dict[str, JSON] = {"role": listed.role.value, "vkey": listed.key.to_text()}
    if listed.origin:
        row["origin"] = listed.origin
    if listed.start:
        row["from"] = listed.start
    if listed.end is not None:
        row["until"] = listed.end
    return row


def _listed_from_json(row: JSON) -> ListedKey:
    if not isinstance(row, dict) or row.keys() - {"role", "vkey", "origin", "from", "until"}:
        raise FormatError("expected a key with role, vkey, origin, from and until alone")
    role = _text(row, "role")
    if role not in Role.__members__.values():
        raise FormatError("expected a role checkpoint, enrolment, record or witness")
    return ListedKey(
        key=VerifierKey.from_text(_text(row, "vkey")),
        role=Role(role),
        origin=_text(row, "origin") if "origin" in row else "",
        start=_number(row, "from") if "from" in row else 0,
        end=_number(row, "until") if "until" in row else None,
    )


def _number(body: Mapping[str, JSON], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise FormatError(f"expected a number {name}")
    return value


def _text(body: Mapping[str, JSON], name: str) -> str:
    return _string(body.get(name, False))


def _string(value: JSON) -> str:
    if not isinstance(value, str):
        raise FormatError("expected a string in the keyring")
    return value


def _list(body: Mapping[str, JSON], name: str) -> list[JSON]:
    value = body.get(name)
    if not isinstance(value, list):
        raise FormatError(f"expected a list {name}")
    return value
