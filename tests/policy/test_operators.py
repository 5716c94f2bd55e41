"""The join of operators: as strict as each, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phigate.finding import Family
from phigate.policy.decision import Operator
from phigate.policy.operators import CHAINS, admits, join, looser

O = Operator  # noqa: E741 - a table reads better with one letter
FAMILIES = st.sampled_from(Family)


def test_the_chains_are_those_of_the_semantics() -> None:
    assert CHAINS[Family.DATE] == (O.KEEP, O.DATE_SHIFT, O.YEAR, O.TOKEN, O.REDACT)
    assert join(Family.DATE, [O.YEAR, O.TOKEN]) is O.TOKEN
    assert join(Family.AGE, [O.AGE90, O.BAND5]) is O.BAND5
    assert join(Family.GEO, [O.STATE, O.POSTAL3]) is O.STATE
    assert join(Family.ID, [O.TOKEN, O.SURROGATE]) is O.TOKEN


def test_operators_of_two_families_come_down_to_redact() -> None:
    assert join(Family.GEO, [O.STATE, O.TOKEN]) is O.REDACT
    assert join(Family.AGE, [O.AGE90, O.YEAR]) is O.REDACT
    assert join(Family.DATE, [O.YEAR, O.SURROGATE]) is O.REDACT


def test_nothing_asked_is_redact() -> None:
    assert join(Family.ID, []) is O.REDACT


def test_a_family_admits_its_own_operators_and_those_of_identifiers() -> None:
    assert admits(Family.GEO, O.STATE)
    assert admits(Family.GEO, O.TOKEN)
    assert not admits(Family.ID, O.YEAR)


@given(FAMILIES, st.lists(st.sampled_from(Operator), min_size=1))
def test_no_order_and_no_repetition_changes_the_join(family: Family, asked: list[Operator]) -> None:
    assert join(family, asked) is join(family, [*reversed(asked), *asked])


@given(FAMILIES, st.lists(st.sampled_from(Operator), min_size=1), st.sampled_from(Operator))
def test_one_demand_more_never_loosens(family: Family, asked: list[Operator], more: Operator) -> None:
    assert not looser(family, join(family, [*asked, more]), join(family, asked))


def test_looser_says_which_operator_falls_short() -> None:
    assert looser(Family.DATE, O.YEAR, O.TOKEN)
    assert not looser(Family.DATE, O.TOKEN, O.YEAR)
    assert not looser(Family.DATE, O.TOKEN, O.TOKEN)
