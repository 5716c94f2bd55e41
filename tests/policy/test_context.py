"""Signed contexts: only the EHR's key, only this gateway, app and body, only now, and only once."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.errors import AuthenticationError
from phigate.policy.bundle import ContextKey
from phigate.policy.context import HEADER, LIFETIME, MAX_CHARS, SKEW, TYPE, Context, replayed, seal, verify
from phigate.policy.decision import Form

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = (ContextKey("k1", KEY.public_key().public_bytes_raw(), "ehr", frozenset({"demo"})),)
NOW = datetime(2026, 12, 15, 12, tzinfo=UTC)
BODY = b'{"model":"x"}'
CLAIMS: dict[str, Any] = {
    "iss": "ehr",
    "aud": "phigate",
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + timedelta(minutes=2)).timestamp()),
    "jti": "one",
    "app": "demo",
}


def token(key: Ed25519PrivateKey = KEY, kid: str = "k1", **claims: Any) -> str:
    return seal({name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}, kid=kid, key=key)


def taken(text: str, *, now: datetime = NOW, app: str = "demo", body: bytes = BODY) -> Context:
    return verify(text, keys=KEYS, audience="phigate", app=app, now=now, body=body)


def refused(text: str, **more: Any) -> str:
    with pytest.raises(AuthenticationError) as raised:
        taken(text, **more)
    assert raised.value.param == HEADER
    assert raised.value.status == 401
    return raised.value.code


def test_a_signed_context_says_what_the_ehr_knows() -> None:
    said = taken(
        token(
            purpose="treatment",
            tags=["part2", "minor"],
            sub="P-77",
            user="dr-7",
            role="attending",
            glass={"reason": "life_threat", "form": "raw"},
            body=hashlib.sha256(BODY).hexdigest(),
        )
    )
    assert (said.purpose, said.tags, said.subject, said.user, said.role) == (
        "treatment",
        frozenset({"part2", "minor"}),
        "P-77",
        "dr-7",
        "attending",
    )
    assert said.glass is not None
    assert (said.glass.role, said.glass.reason, said.glass.wants, said.glass.at) == (
        "attending",
        "life_threat",
        Form.RAW,
        NOW,
    )


def test_what_it_does_not_say_is_not_said() -> None:
    said = taken(token())
    assert (said.purpose, said.tags, said.subject, said.user, said.role) == (None, None, "", "", "")
    assert said.glass is None
    assert taken(token(tags=[])).tags == frozenset()
    glass = taken(token(user="dr-7", role="icu", glass={"reason": "life_threat"})).glass
    assert glass is not None
    assert glass.wants is Form.SCRUBBED


FORGED: dict[str, tuple[str, str]] = {
    "by another key": (token(key=OTHER), "context_signature"),
    "under another key id": (token(kid="k2"), "context_key_unknown"),
    "by another issuer": (token(iss="evil"), "context_key_unknown"),
    "for another gateway": (token(aud="elsewhere"), "context_audience"),
    "for another app": (token(app="other"), "context_app"),
    "for another body": (token(body="00"), "context_body"),
    "with an unknown claim": (token(admin=True), "context_claims"),
    "without an id": (token(jti=...), "context_claims"),
    "with an empty id": (token(jti=""), "context_claims"),
    "with a long purpose": (token(purpose="x" * 300), "context_claims"),
    "with a purpose that is a list": (token(purpose=["treatment"]), "context_claims"),
    "with tags in a text": (token(tags="part2"), "context_claims"),
    "with numbers for tags": (token(tags=[1]), "context_claims"),
    "with too many tags": (token(tags=["x"] * 33), "context_claims"),
    "with a time in words": (token(iat="now"), "context_claims"),
    "with true for a time": (token(exp=True), "context_claims"),
    "with a time beyond": (token(exp=2**60), "context_claims"),
    "with a negative time": (token(iat=-1), "context_claims"),
    "that lives too long": (token(exp=CLAIMS["iat"] + int(LIFETIME.total_seconds()) + 1), "context_lifetime"),
    "that ends before it begins": (token(exp=CLAIMS["iat"] - 1), "context_lifetime"),
    "with glass and no role": (token(user="dr-7", glass={"reason": "life_threat"}), "context_claims"),
    "with glass and nobody who calls": (token(role="icu", glass={"reason": "life_threat"}), "context_claims"),
    "with glass that is a text": (token(user="d", role="icu", glass="now"), "context_claims"),
    "with glass for all": (token(user="d", role="icu", glass={"reason": "x", "form": "no"}), "context_claims"),
    "with more glass": (token(user="d", role="icu", glass={"reason": "x", "until": 1}), "context_claims"),
    "that is no JWS": ("abc", "context_malformed"),
    "that is two": (token() + "." + token(), "context_malformed"),
    "that is long": ("a" * (MAX_CHARS + 1), "context_malformed"),
    "that is not ASCII": (token() + "é", "context_malformed"),
    "with padding": (token().replace(".", "=.", 1), "context_malformed"),
    "of no JSON": ("e30.bm9wZQ.AA", "context_malformed"),
    "of a list": ("W10.e30.AA", "context_malformed"),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_context_is_refused(case: str) -> None:
    text, code = FORGED[case]
    assert refused(text) == code


def raw(header: str, claims: dict[str, Any] | str = CLAIMS, key: Ed25519PrivateKey = KEY) -> str:
    text = claims if isinstance(claims, str) else json.dumps(claims)
    pieces = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, text)]
    signature = base64.urlsafe_b64encode(key.sign(".".join(pieces).encode())).rstrip(b"=").decode()
    return ".".join([*pieces, signature])


HEADERS = {
    "none": f'{{"alg":"none","kid":"k1","typ":"{TYPE}"}}',
    "HS256": f'{{"alg":"HS256","kid":"k1","typ":"{TYPE}"}}',
    "a key of its own": f'{{"alg":"EdDSA","kid":"k1","typ":"{TYPE}","jwk":{{}}}}',
    "crit": f'{{"alg":"EdDSA","kid":"k1","typ":"{TYPE}","crit":["x"]}}',
    "another type": '{"alg":"EdDSA","kid":"k1","typ":"JWT"}',
    "no key id": f'{{"alg":"EdDSA","typ":"{TYPE}"}}',
}


@pytest.mark.parametrize("case", HEADERS)
def test_one_algorithm_one_type_and_nothing_else(case: str) -> None:
    assert refused(raw(HEADERS[case])) == "context_header"


def test_a_name_that_stands_twice_is_refused() -> None:
    good = f'{{"alg":"EdDSA","kid":"k1","typ":"{TYPE}"}}'
    assert taken(raw(good)).issuer == "ehr"
    doubled = json.dumps(CLAIMS)[:-1] + ',"app":"demo"}'
    assert refused(raw(good, doubled)) == "context_malformed"
    assert refused(raw('{"alg":"EdDSA","alg":"EdDSA"}')) == "context_malformed"


def test_a_key_speaks_for_its_apps_alone() -> None:
    assert refused(token(app="other"), app="other") == "context_key_unknown"


def test_clocks_may_disagree_by_a_minute() -> None:
    end = datetime.fromtimestamp(CLAIMS["exp"], UTC)
    assert taken(token(), now=NOW - SKEW).jti == "one"
    assert refused(token(), now=NOW - SKEW - timedelta(seconds=1)) == "context_expired"
    assert taken(token(), now=end + SKEW - timedelta(seconds=1)).jti == "one"
    assert refused(token(), now=end + SKEW) == "context_expired"


def test_no_message_quotes_the_token() -> None:
    with pytest.raises(AuthenticationError) as raised:
        taken(token(sub="Jane Roe", tags="x"))
    assert "Jane" not in str(raised.value)


def test_a_context_can_come_until_its_end_and_a_minute_more() -> None:
    said = taken(token())
    assert said.until == said.expires + SKEW


def test_a_context_that_came_twice_is_refused_like_a_forged_one() -> None:
    error = replayed()
    assert (error.status, error.code, error.param) == (401, "context_replayed", HEADER)
