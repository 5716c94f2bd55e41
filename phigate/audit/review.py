"""The second person's word on a break-glass: signed with that person's own key, so that nobody writes it for them.

What is signed names the call by its leaf hash, which is over every byte of the entry. A review counts when the key is
trusted in its role, bears the reviewer's name, and the reviewer is not the one who called. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from phigate.audit.pseudonyms import Pseudonyms
from phigate.audit.record import Draft, Kind
from phigate.errors import SettingsError
from phigate.policy.lock import TrustedKey
from phigate.tlog.canonical import encode

VERDICTS: Final = ("justified", "not_justified")
_CONTEXT: Final = b"phigate break-glass review v1\n"


@dataclass(slots=True)
class Call:
    """One call for break-glass that was granted, what it opened, and who looked at it since."""

    origin: str  # of the log that holds it
    index: int
    leaf: bytes
    fields: Mapping[str, Any]
    sent: list[str] = field(default_factory=list)  # destination and form of each attempt
    reviews: list[Mapping[str, Any]] = field(default_factory=list)  # those that count
    void: list[str] = field(default_factory=list)  # why others do not

    @property
    def record_id(self) -> str:
        """Return ``origin#index``, as it stands in x-phigate-record."""
        return f"{self.origin}#{self.index}"

    def state(self, now: str) -> str:
        """Return reviewed, open or overdue. ``now`` is an RFC 3339 time as entries have it."""
        if self.reviews:
            return "reviewed"
        return "overdue" if now > str(self.fields.get("review_by", "")) else "open"


def reviewer(trust: Sequence[TrustedKey], key: bytes) -> TrustedKey:
    """Return the trusted key of a reviewer. Raises `SettingsError` when it is none that may review."""
    known = next((each for each in trust if each.key == key and not each.revoked), None)
    if known is None:
        raise SettingsError("this key is none of policy_keys in phigate.yaml, or was revoked; name another")
    if not known.name:
        raise SettingsError("this key has no name in policy_keys of phigate.yaml; write the name of its owner there")
    return known


def review(call: Call, *, verdict: str, by: TrustedKey, key: Ed25519PrivateKey, names: Pseudonyms) -> Draft:
    """Return the entry of a review. Raises `SettingsError` when the reviewer is the one who called."""
    actor = names.person(by.name)
    if actor == call.fields["actor"]:
        raise SettingsError("who broke the glass cannot review it; a second person does")
    signature = key.sign(_statement(call.leaf, verdict=verdict, actor=actor, role=by.role))
    return Draft(
        Kind.REVIEW,
        {
            "actor": actor,
            "role": by.role,
            "idx": call.index,
            "leaf": call.leaf.hex(),
            "verdict": verdict,
            "key": by.key.hex(),
            "sig": signature.hex(),
        },
        str(call.fields.get("rid", "")),
    )


def calls(
    entries: Iterable[tuple[str, int, bytes, Mapping[str, Any]]], *, trust: Sequence[TrustedKey], names: Pseudonyms
) -> list[Call]:
    """Return every call, oldest first. ``entries`` are origin, index, leaf hash and fields, in order."""
    found: dict[str, Call] = {}
    by_exchange: dict[str, Call] = {}
    for origin, index, leaf, fields in entries:
        match fields.get("kind"):
            case "break_glass":
                call = found[leaf.hex()] = Call(origin, index, leaf, fields)
                by_exchange[str(fields.get("rid", ""))] = call
            case "intent" if str(fields.get("rid", "")) in by_exchange:
                destination = fields["destination"]
                by_exchange[str(fields["rid"])].sent.append(f"{destination['id']} {destination['form']}")
            case "review" if fields.get("leaf") in found:
                call = found[str(fields["leaf"])]
                why = _void(call, fields, trust, names)
                if why:
                    call.void.append(why)
                else:
                    call.reviews.append(fields)
    return list(found.values())


def _void(call: Call, fields: Mapping[str, Any], trust: Sequence[TrustedKey], names: Pseudonyms) -> str:
    """Return why a review does not count; "" when it does."""
    if not {"key", "sig", "role"} <= fields.keys():
        return "it bears no signature"
    key, actor, role = bytes.fromhex(fields["key"]), fields["actor"], fields["role"]
    known = [each for each in trust if each.key == key and each.role == role]
    why = ""
    if not known:
        why = "its key is not trusted in this role"
    elif any(each.revoked for each in known):
        why = "its key was revoked"
    elif actor not in {names.person(each.name) for each in known if each.name}:
        why = "its key belongs to another person"
    elif actor == call.fields["actor"]:
        why = "it is by the one who broke the glass"
    elif not _signed(key, fields["sig"], _statement(call.leaf, verdict=fields["verdict"], actor=actor, role=role)):
        why = "its signature does not fit"
    return why


def _signed(key: bytes, signature: str, statement: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(signature), statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def _statement(leaf: bytes, *, verdict: str, actor: str, role: str) -> bytes:
    return _CONTEXT + encode({"leaf": leaf.hex(), "verdict": verdict, "actor": actor, "role": role})
