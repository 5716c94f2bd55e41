"""Inline tests: run as written, and every mistake in one is told with file and line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phigate.errors import PolicyFileError
from phigate.finding import EntityType
from phigate.policy.bundle import Bundle, Case
from phigate.policy.cases import Outcome, Result, cases_of, run, run_one
from phigate.policy.decision import Operator
from tests.policy.making import HIPAA, SITE


def ran(bundle: Bundle, file: str = HIPAA, **body: object) -> Result:
    return run_one(bundle, Case("t", {"name": "t", **body}, file, 7))


def test_a_case_passes_or_says_what_differs(shipped: Bundle) -> None:
    given = {"findings": ["PERSON"], "purpose": "treatment"}
    good = ran(
        shipped, given=given, expect={"mode": "send_scrubbed", "obligations": ["min_necessary"], "not_rule": "x"}
    )
    assert (good.outcome, good.problems) == (Outcome.PASSED, ())
    assert "hipaa.scrub-baa" in good.matched <= good.asked
    bad = ran(
        shipped,
        given=given,
        expect={
            "mode": "block",
            "to": [],
            "rule": "x",
            "not_rule": "hipaa.scrub-baa",
            "obligations": ["y"],
            "flags": ["z"],
            "finds": ["MRN"],
            "transform": {"PERSON": "redact", "ZZ": "token"},
        },
    )
    assert bad.outcome is Outcome.FAILED
    assert [problem.partition(":")[0] for problem in bad.problems] == [
        "mode",
        "to",
        "rule",
        "not_rule",
        "obligations",
        "flags",
        "finds",
        "transform.PERSON",
        "transform.ZZ",
    ]


def test_a_case_of_an_app_runs_as_that_app(shipped: Bundle) -> None:
    assert ran(shipped, SITE, app="pediatrics", given={}, expect={"rule": "lgpd.minor"}).outcome is Outcome.PASSED
    assert ran(shipped, SITE, given={"purpose": "treatment"}, expect={"to": ["eu-cloud"]}).outcome is Outcome.PASSED


def test_a_case_of_texts_or_operators_is_skipped_where_they_are_not_at_hand(shipped: Bundle) -> None:
    assert ran(shipped, text="Jane Roe", expect={}).outcome is Outcome.SKIPPED
    rows = [["AGE", "93", "90+"]]
    assert ran(shipped, transform=rows).outcome is Outcome.SKIPPED

    def shout(entity_type: EntityType, operator: Operator, value: str) -> str:
        return f"{entity_type.value} {operator.value} {value}"

    told = run_one(shipped, Case("t", {"name": "t", "transform": rows}, HIPAA, 1), transformer=shout)
    assert told.problems == ("AGE 93: expected 90+, found AGE age90 93",)
    same = [["AGE", "93", "AGE age90 93"]]
    good = run_one(shipped, Case("t", {"name": "t", "transform": same}, HIPAA, 1), transformer=shout)
    assert good.outcome is Outcome.PASSED
    regime = shipped.regimes["us.hipaa"]
    bare = replace(shipped, regimes={"us.hipaa": replace(regime, entities={})})
    assert ran(bare, transform=rows).problems == ("AGE: the regime has no row for it",)


def test_a_bundle_without_examples_or_destinations_is_decided_too(shipped: Bundle) -> None:
    empty = replace(shipped, examples={}, destinations={})
    assert ran(empty, given={}, expect={"mode": "keep_onprem"}).outcome is Outcome.PASSED
    assert ran(replace(shipped, examples={}), given={}, expect={"to": ["eu-cloud"]}).outcome is Outcome.PASSED


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "unknown key": ({"expects": {}}, "did you mean 'expect'?"),
    "unknown given": ({"given": {"finding": []}}, "did you mean 'findings'?"),
    "unknown expect": ({"expect": {"modes": "x"}}, "did you mean 'mode'?"),
    "nothing expected": ({"given": {}}, "the case expects nothing"),
    "unknown regime": ({"regimes": ["us.hippa"], "expect": {"to": []}}, "did you mean 'us.hipaa'?"),
    "unknown app": ({"app": "demoo", "expect": {"to": []}}, "did you mean 'demo'?"),
    "unknown destination": ({"given": {"only": ["eu-clud"]}, "expect": {"to": []}}, "did you mean 'eu-cloud'?"),
    "unknown flag": ({"given": {"flags": ["raw"]}, "expect": {"to": []}}, "unknown flag 'raw'"),
    "unknown tag": ({"given": {"tags": ["part22"]}, "expect": {"to": []}}, "did you mean 'part2'?"),
    "unknown rule": ({"given": {"error_in": ["x"]}, "expect": {"to": []}}, "unknown rule 'x'"),
    "unknown word": ({"given": {"detection": "none"}, "expect": {"to": []}}, "unknown word 'none'"),
    "no date": ({"at": "soon", "expect": {"to": []}}, "expected a date"),
    "no list": ({"given": {"findings": "PERSON"}, "expect": {"to": []}}, "expected a list"),
    "no word": ({"given": {"flags": [1]}, "expect": {"to": []}}, "expected words"),
    "no mapping": ({"given": [], "expect": {"to": []}}, "expected keys and values"),
    "no score": ({"given": {"findings": [{"type": "AGE", "score": "high"}]}, "expect": {"to": []}}, "expected a score"),
    "no operator": (
        {"given": {"findings": [{"type": "AGE", "unchanged_by": ["x"]}]}, "expect": {"to": []}},
        "unknown operator",
    ),
    "no rows": ({"transform": "AGE"}, "expected rows"),
    "no row": ({"transform": [["AGE", "1"]]}, "expected [TYPE, before, after]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_a_case_is_told(case: str, shipped: Bundle) -> None:
    body, says = WRONG[case]
    with pytest.raises(PolicyFileError) as raised:
        run_one(shipped, Case("t", {"name": "t", **body}, HIPAA, 7))
    assert says in raised.value.problem
    assert (raised.value.file, raised.value.line) == (HIPAA, 7)


def test_rows_of_operators_stand_in_a_regime_file(shipped: Bundle) -> None:
    with pytest.raises(PolicyFileError, match="in a regime file"):
        ran(shipped, SITE, transform=[["AGE", "1", "1"]])


def test_all_cases_of_all_files_run(shipped: Bundle) -> None:
    assert len(run(shipped)) == len(list(cases_of(shipped)))
