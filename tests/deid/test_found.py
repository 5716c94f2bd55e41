from datetime import date

import pytest

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.found import found
from phigate.finding import EntityType as T
from phigate.finding import Finding
from phigate.policy.decision import Found, Operator
from tests.deid.exchanges import analysis_of, parts_of

KEEP = frozenset({Operator.KEEP})


def test_findings_are_grouped_by_type_language_and_what_would_change_nothing() -> None:
    parts = parts_of("Ana 55 Rui 93", "nothing", "Ana 2019 2019-05-17")
    words = {"Ana": T.PERSON, "Rui": T.PERSON, "55": T.AGE, "93": T.AGE, "2019-05-17": T.DATE}
    analysis = analysis_of(parts, words, lang="en")
    analysis = Analysis(
        (*analysis.parts[:2], PartAnalysis((*analysis.parts[2].findings, Finding(4, 8, T.DATE, 0.5)), "pt")), "x"
    )
    assert found(analysis, parts, today=date(2026, 11, 23)) == (
        Found(T.AGE, "en", (0.9,), KEEP | {Operator.AGE90}),
        Found(T.AGE, "en", (0.9,), KEEP),
        Found(T.DATE, "pt", (0.9,), KEEP),
        Found(T.DATE, "pt", (0.5,), KEEP | {Operator.YEAR}),
        Found(T.PERSON, "en", (0.9, 0.9), KEEP),
        Found(T.PERSON, "pt", (0.9,), KEEP),
    )


def test_nothing_found_is_nothing() -> None:
    assert found(analysis_of(parts_of("a"), {}), parts_of("a")) == ()


def test_an_analysis_of_other_parts_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        found(Analysis((), "x"), parts_of("a"))
