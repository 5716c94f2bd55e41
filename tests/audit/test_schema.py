"""The gate on entries: known fields of the right shape pass, everything else is refused without being shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.record import JSON, Draft, Kind
from phigate.audit.schema import OPTIONAL, REQUIRED, check
from phigate.errors import UnavailableError
from phigate.tlog.canonical import encode

RID = "01a209de-39de-7b1e-8d72-9024e160da2a"
MAC: dict[str, JSON] = {"n": 12, "mac": "c" * 64}
INTENT: dict[str, JSON] = {
    "app": "triage",
    "detector": "presidio@2.2,layers@1",
    "complete": False,
    "unread": ["language"],
    "lang": ["pt"],
    "found": {"BR_CPF": [2, 10], "UNKNOWN": [1, 0]},
    "attachments": "uncleaned",
    "policy": "sha256:" + "0" * 64,
    "regimes": [["br.lgpd", "2026.2"], ["eu.gdpr", "v3"]],
    "mode": "keep_onprem",
    "forms": {"eu-cloud": "no", "medgemma": "raw"},
    "destination": {
        "id": "eu-cloud",
        "kind": "external",
        "form": "scrubbed",
        "model": "meta-llama/Llama-3.3-70B",
        "country": "DE",
        "attestations": [["dpa", "sha256:22bb", "2028-01-10"]],
    },
    "operators": {"BR_CPF": {"token": 2}},
    "residual": {"clean": True, "passes": 1, "types_left": ["DATE"]},
    "inherited": ["tag"],
    "subj": [["found", "d" * 32]],
    "dropped": 2,
    "in": MAC,
}

VALID = [
    Draft(Kind.INTENT, INTENT, RID, 1),
    Draft(
        Kind.OUTCOME,
        {
            "intent": {"idx": 7, "leaf": "a" * 64},
            "status": "ok",
            "http": 200,
            "sent": MAC,
            "out": MAC,
            "tokens": {"sent": 3, "restored": 2, "lost": 1},
            "miss": {"PERSON": 1},
            "found": {"DATE": 4},
            "latency_ms": 812,
            "provider_request": "chatcmpl-123456789abcDEF",
        },
        RID,
        1,
    ),
    Draft(Kind.REFUSAL, {"reason": "rate_limited", "count": 40}),
    Draft(Kind.REFUSAL, {"reason": "policy", "count": 1, "app": "triage", "mode": "block"}, RID),
    Draft(Kind.GENESIS, {"format": 1, "keyring": "sha256:" + "0" * 64, "software": "phigate/0.1.0"}),
    Draft(Kind.KEY, {"op": "add", "role": "record", "vkey": "audit.x/y/gw+0a1b2c3d+" + "A" * 44}),
    Draft(Kind.LOSS, {"count": 3, "since": "2026-11-23T10:00:00.000000Z", "until": "2026-11-23T10:00:05.000000Z"}),
]

# Every one of these is a way in which text of a request could try to become evidence.
HOSTILE: list[JSON] = [
    "Maria da Silva",
    "Müller",
    "maria@example.com",
    "123.456.789-09",
    "123-45-6789",
    "12345678909",
    "MRN00123456789",
    "a" * 200,
    "x" * 65536,
    "\x00",
    "\ud800",
    "line\nbreak",
    "",
    True,
    -1,
    2**53,
    10**30,
    [],
    ["Maria Souza"],
    {"Maria": 1},
    {"PERSON": "Maria"},
    [[[["deep"]]]],
]


@pytest.mark.parametrize("draft", VALID, ids=lambda draft: draft.kind.value)
def test_what_an_exchange_says_passes(draft: Draft) -> None:
    check(draft)
    encode(dict(draft.fields))  # and is canonical JSON


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_required_fields(kind: Kind) -> None:
    assert REQUIRED[kind]
    with pytest.raises(UnavailableError, match=f"{kind.value} entry: expected it, found none") as caught:
        check(Draft(kind, {}, RID, 1))
    assert caught.value.code == "entry_refused"


def test_an_unknown_field_is_refused_and_not_named() -> None:
    fields = dict(INTENT)
    fields["patient Maria"] = 1
    with pytest.raises(UnavailableError, match="known fields only") as caught:
        check(Draft(Kind.INTENT, fields, RID, 1))
    assert "Maria" not in str(caught.value)


def every_field() -> list[tuple[Draft, str]]:
    return [(draft, name) for draft in VALID for name in draft.fields]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(("draft", "name"), every_field(), ids=lambda each: str(getattr(each, "kind", each)))
def test_hostile_values_are_refused_in_every_field_and_never_shown(draft: Draft, name: str, value: JSON) -> None:
    fields = {**draft.fields, name: value}
    if fields == draft.fields or (isinstance(value, (bool, list, dict)) and not value) or value is True:
        return  # an empty list or table says nothing; true is what a flag may be
    if name == "provider_request" and value == "MRN00123456789":
        return  # what a provider calls a request is random letters and digits, such as these
    with pytest.raises(UnavailableError) as caught:
        check(Draft(draft.kind, fields, draft.rid, draft.attempt))
    assert "Maria" not in str(caught.value)
    assert len(str(caught.value)) < 600


SAFE = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+-,@=#", max_size=300)
ANY: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.none(), st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)


def strings_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [each for pair in value.items() for part in pair for each in strings_in(part)]
    if isinstance(value, list):
        return [each for part in value for each in strings_in(part)]
    return [value] if isinstance(value, str) else []


@given(st.sampled_from(list(Kind)), st.data(), ANY)
def test_whatever_passes_holds_neither_space_nor_accent_nor_control(
    kind: Kind, data: st.DataObject, value: JSON
) -> None:
    base = next((draft.fields for draft in VALID if draft.kind is kind), {})
    name = data.draw(st.sampled_from(sorted({*REQUIRED[kind], *OPTIONAL.get(kind, {})})))
    draft = Draft(kind, {**base, name: value}, RID, 1)
    try:
        check(draft)
    except UnavailableError as error:
        assert error.code == "entry_refused"  # noqa: PT017 - both ways are fine, as long as nothing else is raised
        return
    for text in strings_in(draft.fields):
        assert text.isascii()
        assert not any(c.isspace() or c < " " for c in text)
        assert not text.isdigit() or len(text) < 9
    encode(dict(draft.fields))


@pytest.mark.parametrize(
    ("rid", "attempt", "problem"),
    [
        ("", 1, "expected the id of the exchange, found none"),
        ("not-a-uuid", 1, "expected a UUID"),
        (RID, 0, "expected a count from 1 to 100"),
        (RID, 101, "expected a count from 1 to 100"),
    ],
)
def test_an_intent_names_exchange_and_attempt(rid: str, attempt: int, problem: str) -> None:
    with pytest.raises(UnavailableError, match=problem):
        check(Draft(Kind.INTENT, INTENT, rid, attempt))


def test_an_attempt_stands_beside_an_exchange_only() -> None:
    with pytest.raises(UnavailableError, match="beside the id of an exchange"):
        check(Draft(Kind.REFUSAL, {"reason": "policy", "count": 1}, "", 2))
