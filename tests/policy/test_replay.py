"""Replay: past exchanges decided again from types, counts and tags, with no more certainty than the ledger has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from phigate.policy.bundle import Bundle
from phigate.policy.replay import Replayed, Tally, facts_of, instant_of, replay, tally
from tests.policy.making import DESTINATIONS, bundle_of, edit

INTENT: dict[str, Any] = {
    "kind": "intent",
    "rid": "8b0a6d1e-0000-4000-8000-000000000001",
    "attempt": 1,
    "ts": "2026-12-10T08:00:00.000000Z",
    "app": "us-clinic",
    "alias": "clinical",
    "purpose": "treatment",
    "tags": [],
    "lang": ["en"],
    "complete": True,
    "attachments": "none",
    "found": {"PERSON": [2, 9], "MRN": [1, 8]},
    "mode": "send_scrubbed",
    "forms": {"medgemma": "raw", "eu-cloud": "scrubbed"},
    "destination": {"id": "eu-cloud", "kind": "external", "form": "scrubbed", "model": "gpt-eu"},
    "policy": "sha256:then",
}
HOME = {"id": "medgemma", "kind": "onprem", "form": "raw", "model": "medgemma-27b-it"}
KEPT = {"medgemma": "raw", "eu-cloud": "no"}


def one(bundle: Bundle, *, before: Bundle | None = None, at: datetime | None = None, **fields: Any) -> Replayed:
    def known(digest: str) -> Bundle | None:
        return before if before is not None and before.digest == digest else None

    (found,) = replay([{**INTENT, **fields}], after=bundle, before=known, at=at)
    assert isinstance(found, Replayed)
    return found


def test_an_exchange_goes_where_it_went(shipped: Bundle) -> None:
    again = one(shipped)
    assert (again.before, again.after) == ("eu-cloud scrubbed", "eu-cloud scrubbed")
    assert (again.loosened, again.tightened, again.certain) == ((), (), True)
    assert again.types == ("MRN", "PERSON")


def test_a_paper_less_keeps_it_home(shipped_files: dict[str, bytes]) -> None:
    bare = bundle_of(edit(shipped_files, DESTINATIONS, ("      baa:  ", "      bcr:  ")))
    again = one(bare)
    assert (again.after, again.tightened, again.rules) == ("medgemma raw", ("eu-cloud",), ())


def test_what_was_kept_and_would_leave_is_looser(shipped: Bundle) -> None:
    again = one(shipped, forms=KEPT, destination=HOME)
    assert (again.before, again.after, again.loosened) == ("medgemma raw", "eu-cloud scrubbed", ("eu-cloud",))


def test_papers_are_judged_when_asked(shipped: Bundle) -> None:
    assert one(shipped, at=datetime(2030, 1, 1, tzinfo=UTC)).after == "medgemma raw"


def test_a_refusal_that_was_decided_counts_and_others_do_not(shipped: Bundle) -> None:
    refusal = {**INTENT, "kind": "refusal", "tags": ["ai_refused"], "app": "br-hospital"}
    del refusal["destination"]
    (again,) = replay([refusal], after=shipped)
    assert isinstance(again, Replayed)
    assert (again.before, again.after) == ("refused", "refused")
    skipped = [{"kind": "refusal", "reason": "x"}, {"kind": "heartbeat"}, {**INTENT, "attempt": 2}]
    assert list(replay(skipped, after=shipped)) == []


def test_an_age_that_may_have_stayed_is_uncertain_and_taken_strictly(shipped: Bundle) -> None:
    again = one(shipped, found={"AGE": [1, 9]})
    assert (again.certain, again.rules) == (False, ("hipaa.scrub-baa",))


def test_the_bundle_of_then_makes_a_reading_certain(shipped: Bundle) -> None:
    fields: dict[str, Any] = {"found": {"AGE": [1, 9]}, "purpose": "marketing", "policy": shipped.digest}
    left = one(shipped, before=shipped, **fields)
    assert (left.certain, left.rules) == (True, ("hipaa.no-phi",))
    kept = one(shipped, before=shipped, **fields, forms=KEPT, destination=HOME)
    assert (kept.certain, kept.rules) == (True, ())
    odd = one(shipped, before=shipped, **fields, forms={"medgemma": "raw", "eu-cloud": "raw"})
    assert not odd.certain
    assert not one(shipped, before=shipped, found={"AGE": [1, 9]}).certain  # another bundle was in force


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unknown app": ({"app": "gone"}, "app_not_registered"),
    "no time": ({"ts": "yesterday"}, "unreadable"),
    "no zone": ({"ts": "2026-12-10T08:00:00"}, "unreadable"),
    "found as a list": ({"found": []}, "unreadable"),
    "forms as a list": ({"forms": []}, "unreadable"),
    "tags in a text": ({"tags": "part2"}, "unreadable"),
    "unknown form": ({"forms": {"a": "maybe"}}, "unreadable"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_decided_is_counted_by_its_reason(case: str, shipped: Bundle) -> None:
    fields, code = BROKEN[case]
    assert list(replay([{**INTENT, **fields}], after=shipped)) == [code]


def test_facts_remember_what_the_entry_says() -> None:
    now = instant_of(INTENT)
    said = facts_of(
        {
            **INTENT,
            "flags": ["tags_missing"],
            "inherited": ["tag"],
            "lang": ["en", "pt"],
            "complete": False,
            "attachments": "uncleaned",
            "found": {"UNKNOWN": [1, 3], "DATE": [0, 10]},
            "purpose": "",
        },
        now=now,
        lenient=True,
    )
    assert (said.tags, said.complete, said.attachments, said.purpose) == (None, False, "uncleaned", None)
    assert [(f.entity_type, f.lang, f.scores) for f in said.found] == [("UNKNOWN", "", (0.35,)), ("DATE", "", (1.0,))]
    assert "year" in said.found[1].unchanged_by
    assert said.found[0].unchanged_by == {"keep"}
    assert [hold.value for hold in said.inherited] == ["tag"]


def test_a_tally_counts_moves_apps_types_and_rules(shipped: Bundle) -> None:
    kept = {**INTENT, "forms": KEPT, "destination": HOME}
    total = tally(replay([INTENT, kept, {**kept, "found": {}}, {**INTENT, "app": "gone"}], after=shipped))
    assert (total.exchanges, total.loosened, total.tightened, total.skipped) == (3, 2, 0, 1)
    assert total.moves["medgemma raw", "eu-cloud scrubbed"] == 2
    assert total.by_app["us-clinic", "medgemma raw", "eu-cloud scrubbed"] == 2
    assert total.by_type["none", "medgemma raw", "eu-cloud scrubbed"] == 1
    assert total.by_rule["hipaa.no-phi"] == 1
    assert total.problems == {"app_not_registered": 1}
    assert Tally().exchanges == 0
