"""The breach-scope query counts every disclosure once, and an open intent as one."""

from __future__ import annotations

from typing import Any

import pytest

from phigate.audit.scope import LIMITS, MAX_INDEXES, Answer, Question, scope

BASE: dict[str, Any] = {
    "kind": "intent",
    "attempt": 1,
    "ts": "2026-11-23T10:00:00.000000Z",
    "app": "triage",
    "tenant": "br-sp",
    "detector": "presidio@2.2,ner@1.4",
    "found": {"BR_CPF": [2, 10], "PERSON": [1, 8]},
    "policy": "sha256:aa",
    "regimes": [["br.lgpd", "2026.1"]],
    "rules": ["lgpd.scrub"],
    "destination": {"id": "us-cloud", "form": "scrubbed", "model": "gpt-5", "country": "US"},
}


def intent(rid: str, **changes: Any) -> dict[str, Any]:
    return {**BASE, "rid": rid, **changes}


def outcome(rid: str, status: str = "ok", **more: Any) -> dict[str, Any]:
    return {"kind": "outcome", "rid": rid, "attempt": 1, "ts": BASE["ts"], "status": status, **more}


LOG = [
    {"kind": "genesis", "ts": BASE["ts"]},
    intent("a", subj=[["declared", "t1"], ["found", "t2"]]),
    outcome("a", provider_request="req_1", miss={"PERSON": 1}),
    intent("b", ts="2026-11-24T10:00:00.000000Z", app="coding", found={}),
    outcome("b", "not_sent"),
    intent("c", destination={**BASE["destination"], "id": "eu-cloud", "form": "raw"}, subj=[["found", "t1"]]),
    outcome("c", "unknown"),
    intent("d"),
    outcome("zz"),
]


def ask(**question: Any) -> Answer:
    return scope(enumerate(LOG), Question(**question))


def test_what_left_is_counted_and_what_was_not_sent_is_said_apart() -> None:
    answer = ask()
    assert (answer.requests, answer.not_sent, answer.without_outcome) == (3, 1, 1)
    assert (answer.first, answer.last, answer.indexes) == (1, 7, [1, 5, 7])
    assert answer.subjects == {"t1", "t2"}
    assert answer.without_subject == 1
    assert answer.types == {"BR_CPF": 6, "PERSON": 3}
    assert answer.misses == {"PERSON": 1}
    assert answer.rules == {"lgpd.scrub": 3}
    assert answer.provider_requests == ["req_1"]
    assert answer.groups == {("br-sp", "triage", "2026-11-23"): 3}


@pytest.mark.parametrize(
    ("question", "indexes"),
    [
        ({"destinations": frozenset({"eu-cloud"})}, [5]),
        ({"forms": frozenset({"raw"})}, [5]),
        ({"types": frozenset({"BR_CPF", "MRN"})}, [1, 5, 7]),
        ({"types": frozenset({"MRN"})}, []),
        ({"regimes": frozenset({"us.hipaa"})}, []),
        ({"detector": "ner@1.4"}, [1, 5, 7]),
        ({"detector": "ner@1.5"}, []),
        ({"start": "2026-11-24"}, []),
        ({"end": "2026-11-24"}, [1, 5, 7]),
    ],
)
def test_each_condition_narrows(question: dict[str, Any], indexes: list[int]) -> None:
    assert ask(**question).indexes == indexes


def test_groups_are_what_was_asked_for() -> None:
    groups = ask(group_by=("destination", "form", "country", "purpose")).groups
    assert groups == {("us-cloud", "scrubbed", "US", ""): 2, ("eu-cloud", "raw", "US", ""): 1}


def test_nothing_found_is_an_answer_and_says_its_limits() -> None:
    said = scope(iter([]), Question()).to_json()
    assert (said["requests"], said["first"], said["limits"]) == (0, -1, LIMITS)
    assert ask().to_json()["groups"] == [["br-sp", "triage", "2026-11-23", 3]]


def test_indexes_are_bounded_and_counts_are_not() -> None:
    answer = scope(((n, intent(str(n))) for n in range(MAX_INDEXES + 5)), Question())
    assert answer.requests == MAX_INDEXES + 5
    assert len(answer.indexes) == MAX_INDEXES
