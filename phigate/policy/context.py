"""Context that clients cannot forge: purpose, tags, subject and break-glass from a header that the EHR signed.

A compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037) and nothing else: header ``alg``, ``kid`` and ``typ``,
no key, no URL, no ``crit``. Claims (RFC 7519): ``iss``, ``aud``, ``iat``, ``exp``, ``jti``, ``app``; and, of ours,
``purpose``, ``tags``, ``sub`` (the patient), ``user`` and ``role`` (who asks), ``glass``, ``body`` (SHA-256 of the
request body, hex). The keys stand in ``site.yaml``, each bound to an issuer and its apps. A header lives at most five
minutes and is taken once, which the caller sees to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from phigate.errors import AuthenticationError
from phigate.policy.bundle import ContextKey
from phigate.policy.decision import Form, Glass

HEADER: Final = "x-phigate-context"
MAX_CHARS: Final = 4096
LIFETIME: Final = timedelta(minutes=5)
SKEW: Final = timedelta(seconds=60)
TYPE: Final = "phigate-context+jwt"
_CLAIMS: Final = frozenset(
    {"iss", "aud", "iat", "exp", "jti", "app", "purpose", "tags", "sub", "user", "role", "glass", "body"}
)
_REQUIRED: Final = ("iss", "aud", "iat", "exp", "jti", "app")
_MAX_WORD: Final = 200


@dataclass(frozen=True, slots=True)
class Context:
    """What the EHR says of one request. ``tags`` is None when it says nothing of tags."""

    issuer: str
    jti: str
    purpose: str | None
    tags: frozenset[str] | None
    subject: str  # a reference, to be turned into a keyed tag before it is recorded
    user: str  # who asks, to be turned into a pseudonym before it is recorded
    role: str
    glass: Glass | None
    expires: datetime

    @property
    def until(self) -> datetime:
        """The instant from which it can no longer be taken, whatever the clocks differ."""
        return self.expires + SKEW


def verify(token: str, *, keys: Sequence[ContextKey], audience: str, app: str, now: datetime, body: bytes) -> Context:
    """Return what a signed context says. Raises `AuthenticationError`; the message never quotes the token.

    The caller then sees to it that it is taken once. Purpose and tags that the policy does not know pass: `decide`
    takes them for errors, which close.
    """
    header, claims, signed, signature = _parts(token)
    key = _key(header, claims, keys, app)
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise _refused("the signature of the signed context does not fit", "context_signature") from error
    _check_claims(claims, audience=audience, app=app, body=body)
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    if expires - issued > LIFETIME or issued > expires:
        raise _refused("a signed context lives at most five minutes", "context_lifetime")
    if not issued - SKEW <= now < expires + SKEW:
        raise _refused("the signed context is not valid now; compare the clocks", "context_expired")
    return Context(
        issuer=key.issuer,
        jti=_word(claims, "jti"),
        purpose=_word(claims, "purpose") if "purpose" in claims else None,
        tags=frozenset(_words(claims, "tags")) if "tags" in claims else None,
        subject=_word(claims, "sub") if "sub" in claims else "",
        user=_word(claims, "user") if "user" in claims else "",
        role=_word(claims, "role") if "role" in claims else "",
        glass=_glass(claims, issued) if "glass" in claims else None,
        expires=expires,
    )


def seal(claims: Mapping[str, object], *, kid: str, key: Ed25519PrivateKey) -> str:
    """Return a compact JWS over these claims: for EHR adapters, the demo and tests."""
    header = json.dumps({"alg": "EdDSA", "kid": kid, "typ": TYPE}, separators=(",", ":"))
    text = json.dumps(dict(claims), separators=(",", ":"))
    signed = f"{_encode(header.encode())}.{_encode(text.encode())}"
    return f"{signed}.{_encode(key.sign(signed.encode()))}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Return the bytes of unpadded base64url. Raises `ValueError`, also where spare bits are set."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError("not canonical")
    return data


def _parts(token: str) -> tuple[dict[str, object], dict[str, object], bytes, bytes]:
    pieces = token.split(".")
    if len(token) > MAX_CHARS or len(pieces) != 3 or not token.isascii():
        raise _refused("expected a compact JWS in x-phigate-context", "context_malformed")
    try:
        header, claims = (json.loads(_decode(piece), object_pairs_hook=_unique) for piece in pieces[:2])
        signature = _decode(pieces[2])
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _refused("expected a compact JWS in x-phigate-context", "context_malformed") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _refused("expected a compact JWS in x-phigate-context", "context_malformed")
    return header, claims, f"{pieces[0]}.{pieces[1]}".encode(), signature


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _key(
    header: Mapping[str, object], claims: Mapping[str, object], keys: Sequence[ContextKey], app: str
) -> ContextKey:
    if header.get("alg") != "EdDSA" or header.get("typ") != TYPE or header.keys() != {"alg", "kid", "typ"}:
        raise _refused(
            f"expected alg EdDSA, kid and typ {TYPE} in the signed context, and nothing else", "context_header"
        )
    for key in keys:
        if key.kid == header["kid"] and key.issuer == claims.get("iss") and app in key.apps:
            return key
    raise _refused("no key of the policy signs contexts of this issuer for this app", "context_key_unknown")


def _check_claims(claims: Mapping[str, object], *, audience: str, app: str, body: bytes) -> None:
    if claims.keys() - _CLAIMS or any(name not in claims for name in _REQUIRED):
        expected = ", ".join(_REQUIRED)
        raise _refused(f"the signed context holds {expected}, and no claim that is not known", "context_claims")
    if claims["aud"] != audience:
        raise _refused("the signed context is meant for another gateway", "context_audience")
    if claims["app"] != app:
        raise _refused("the signed context is meant for another app", "context_app")
    if "body" in claims and claims["body"] != hashlib.sha256(body).hexdigest():
        raise _refused("the signed context was made for another body", "context_body")


def _instant(claims: Mapping[str, object], name: str) -> datetime:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**35:
        raise _refused(f"{name} of the signed context is seconds since 1970", "context_claims")
    return datetime.fromtimestamp(value, UTC)


def _word(claims: Mapping[str, object], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value or len(value) > _MAX_WORD:
        raise _refused(f"{name} of the signed context is a short text", "context_claims")
    return value


def _words(claims: Mapping[str, object], name: str) -> list[str]:
    value = claims[name]
    if not isinstance(value, list) or len(value) > 32 or not all(isinstance(word, str) for word in value):
        raise _refused(f"{name} of the signed context is a list of words", "context_claims")
    return [str(word) for word in value]


def _glass(claims: Mapping[str, object], issued: datetime) -> Glass:
    value = claims["glass"]
    if not isinstance(value, dict) or value.keys() - {"reason", "form"} or not {"user", "role"} <= claims.keys():
        raise _refused(
            "glass of the signed context holds reason and form, beside the claims user and role", "context_claims"
        )
    forms = {"scrubbed": Form.SCRUBBED, "raw": Form.RAW}
    form = value.get("form", "scrubbed")
    if form not in forms:
        raise _refused("glass of the signed context asks for scrubbed or raw", "context_claims")
    return Glass(_word(claims, "role"), _word(value, "reason"), issued, forms[form])


def replayed() -> AuthenticationError:
    """Return the refusal of a context that was taken before."""
    return _refused("the signed context was used before; sign one for each request", "context_replayed")


def _refused(message: str, code: str) -> AuthenticationError:
    return AuthenticationError(message, code=code, param=HEADER)
