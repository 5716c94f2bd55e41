"""Builders of drafts: whatever they are given, the gate lets the result pass, and no name of a patient is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.audit.exchange import ResidualSummary, intent, outcome, refusal
from phigate.audit.record import Draft, Kind, Receipt, Status
from phigate.audit.schema import check
from phigate.finding import EntityType, Finding
from phigate.policy.bundle import Attestation, Destination, Model
from phigate.policy.decision import (
    Candidate,
    Decision,
    DestinationKind,
    Form,
    Hold,
    Mode,
    Operator,
    Residual,
    Thresholds,
)
from phigate.wire.parts import Attachments

RID = "01a209de-39de-7b1e-8d72-9024e160da2a"
AT = datetime(2027, 1, 31, tzinfo=UTC)
RECEIPT = Receipt("audit.test/x", 7, b"\x01" * 32, 8, b"\x02" * 32)
DECISION = Decision(
    mode=Mode.SEND_SCRUBBED,
    forms={"eu-cloud": Form.SCRUBBED, "medgemma": Form.RAW, "us-cloud": Form.NO},
    candidates=(),
    operators={},
    unknown_operator=Operator.REDACT,
    thresholds=Thresholds({}, 0.3),
    residual=Residual(0.5, 2),
    regimes=(("us.hipaa", "2026.1"),),
    rules=("hipaa.scrub-baa",),
    reasons=(),
    purpose="treatment",
    tags=("part2", "minor"),
    tenant="us-north",
    alias="clinical-default",
    bundle="sha256:" + "a" * 64,
    obligations=("min_necessary",),
    legal_basis=("Art. 11, II, f", "6(1)(c)/(e) + 9(2)(h), 9(3)", "\u2014"),
    holds=frozenset({Hold.TAG}),
)
DESTINATION = Destination(
    id="eu-cloud",
    kind=DestinationKind.EXTERNAL,
    endpoint="https://eu.example",
    provider="openai",
    models=(Model("gpt-5"),),
    country="DE",
    region="eu-central",
    legal_name="Wolkendienst München GmbH & Co. KG",
    attest=(
        Attestation("dpa", "sha256:22bb", AT, AT, ("*",)),
        Attestation("baa", "contract with Dr. Souza", AT, AT, ("*",)),
        Attestation("scc_eu", "sha256:77aa", AT, AT, ("*",), revoked=True),
    ),
)
ANALYSIS = Analysis(
    (
        PartAnalysis((Finding(0, 5, EntityType.PERSON, 0.849), Finding(9, 12, EntityType.PERSON, 0.3)), "pt"),
        PartAnalysis((Finding(0, 5, EntityType.MRN, 1.0),), "", frozenset({Unread.TIMEOUT})),
    ),
    "presidio@2.2",
)


def an_intent(**changes: Any) -> Draft:
    arguments: dict[str, Any] = {
        "rid": RID,
        "attempt": 1,
        "app": "triage",
        "actor": "u-4711",
        "decision": DECISION,
        "candidate": Candidate("eu-cloud", "gpt-5", DestinationKind.EXTERNAL, Form.SCRUBBED),
        "destination": DESTINATION,
        "analysis": ANALYSIS,
        "attachments": Attachments.NONE,
        "operators": {EntityType.PERSON: {Operator.TOKEN: 2, Operator.KEEP: 0}, EntityType.DATE: {Operator.YEAR: 0}},
        "residual": ResidualSummary(clean=True, passes=1, types_left=("DATE", "ZZ_NEW")),
        "inherited": frozenset({Hold.RESIDUAL, Hold.ATTACHMENT}),
        "released": (812, b"\x0f" * 32),
        "dropped": 0,
    }
    return intent(**{**arguments, **changes})


def test_an_intent_says_what_goes_where_and_why() -> None:
    draft = an_intent()
    check(draft)
    fields: Any = draft.fields
    assert (draft.kind, draft.rid, draft.attempt) == (Kind.INTENT, RID, 1)
    assert fields["found"] == {"MRN": [1, 10], "PERSON": [2, 8]}
    assert (fields["complete"], fields["unread"], fields["lang"]) == (False, ["timeout"], ["pt"])
    assert fields["operators"] == {"PERSON": {"token": 2}}
    assert fields["inherited"] == ["attachment", "residual"]
    assert fields["residual"] == {"clean": True, "passes": 1, "types_left": ["DATE", "UNKNOWN"]}
    assert fields["in"] == {"n": 812, "mac": "0f" * 32}
    assert fields["tags"] == ["minor", "part2"]
    assert fields["dropped"] == 0


def test_names_of_the_bundle_become_ids_and_revoked_papers_are_left_out() -> None:
    fields: Any = an_intent().fields
    assert fields["basis"] == ["art.11-ii-f", "6-1-c-e-9-2-h-9-3"]
    destination = fields["destination"]
    assert destination["recipient"] == "wolkendienst-munchen-gmbh-co.kg"
    assert [paper[0] for paper in destination["attestations"]] == ["baa", "dpa"]
    assert destination["attestations"][1] == ["dpa", "sha256:22bb", "2027-01-31"]
    assert "Souza" not in json.dumps(fields)


def test_an_intent_without_residual_actor_or_findings_leaves_them_out() -> None:
    quiet = Analysis((PartAnalysis((), "en"),), "presidio@2.2")
    draft = an_intent(residual=None, actor="", analysis=quiet, inherited=frozenset(), operators={})
    check(draft)
    assert draft.fields.keys().isdisjoint({"residual", "actor", "inherited", "operators", "unread"})
    assert draft.fields["found"] == {}


def test_a_receipt_has_the_name_that_replies_carry() -> None:
    assert RECEIPT.record_id == "audit.test/x#7"


def an_outcome(**changes: Any) -> Draft:
    arguments: dict[str, Any] = {
        "rid": RID,
        "attempt": 2,
        "intent": RECEIPT,
        "status": Status.OK,
        "http_status": 200,
        "sent": (812, b"\x01" * 32),
        "answer": (99, b"\x02" * 32),
        "tokens": {"sent": 2, "restored": 2, "withheld": 0, "lost": 0, "invented": 0},
        "misses": {EntityType.PERSON: 1, EntityType.DATE: 0},
        "found_in_reply": {},
        "latency_ms": 15,
        "provider_request_id": "req_0123456789abc",
    }
    return outcome(**{**arguments, **changes})


def test_an_outcome_points_at_its_intent() -> None:
    draft = an_outcome()
    check(draft)
    assert draft.fields == {
        "intent": {"idx": 7, "leaf": "01" * 32, "log": "audit.test/x"},
        "status": "ok",
        "tokens": {"sent": 2, "restored": 2},
        "miss": {"PERSON": 1},
        "latency_ms": 15,
        "http": 200,
        "sent": {"n": 812, "mac": "01" * 32},
        "out": {"n": 99, "mac": "02" * 32},
        "provider_request": "req_0123456789abc",
    }


@pytest.mark.parametrize("sent", [None, (0, b"")])
def test_an_outcome_of_nothing_sent_is_short(sent: tuple[int, bytes] | None) -> None:
    draft = an_outcome(
        status=Status.NOT_SENT, http_status=0, sent=sent, answer=None, tokens={}, misses={}, provider_request_id=""
    )
    check(draft)
    assert draft.fields.keys() == {"intent", "status", "latency_ms"}


def test_an_outcome_says_what_was_spent_and_which_model_answered() -> None:
    spent = {"prompt": 31, "completion": 7, "cached": 16}
    draft = an_outcome(usage=spent, model="medgemma-27b-text-it")
    check(draft)
    assert draft.fields["usage"] == spent
    assert draft.fields["model"] == "medgemma-27b-text-it"
    check(an_outcome(usage={"completion": 3, "estimated": True}))


@pytest.mark.parametrize("model", ["", "Maria da Silva", "modèle", "12345678909", "x" * 200])
def test_a_model_that_is_no_id_is_left_out(model: str) -> None:
    draft = an_outcome(model=model, usage={})
    check(draft)
    assert not {"model", "usage"} & draft.fields.keys()


@given(st.text(), st.integers(), st.integers())
def test_what_a_provider_says_never_stops_an_outcome(request_id: str, http_status: int, latency_ms: int) -> None:
    check(an_outcome(provider_request_id=request_id, http_status=http_status, latency_ms=latency_ms))


@pytest.mark.parametrize("request_id", ["Maria da Silva", "12345678909", "a@b.example", "x" * 500, "José"])
def test_a_request_id_that_is_no_id_is_left_out(request_id: str) -> None:
    assert "provider_request" not in an_outcome(provider_request_id=request_id).fields


@given(st.text())
def test_any_legal_name_and_citation_pass_the_gate(text: str) -> None:
    from dataclasses import replace

    check(an_intent(destination=replace(DESTINATION, legal_name=text), decision=replace(DECISION, legal_basis=(text,))))


def test_refusals_say_as_much_as_is_known() -> None:
    alone = refusal(rid="", app="", reason="unauthenticated", decision=None, analysis=None, count=31)
    check(alone)
    assert alone.fields == {"reason": "unauthenticated", "count": 31}
    full = refusal(rid=RID, app="triage", reason="policy", decision=DECISION, analysis=ANALYSIS)
    check(full)
    assert (full.rid, full.attempt) == (RID, 0)
    assert full.fields["found"] == {"MRN": [1, 10], "PERSON": [2, 8]}
