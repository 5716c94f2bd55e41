from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.generalise import Params, generalise, unchanged_by
from phigate.finding import EntityType
from phigate.policy.decision import Operator

T, Op = EntityType, Operator
TODAY = Params(today=date(2026, 11, 23))
SUBJECT = Params(today=TODAY.today, subject=b"tag", shift_key=b"k" * 16)


@pytest.mark.parametrize(
    ("kind", "operator", "value", "out"),
    [
        # the tables of the shipped regimes
        (T.ZIP, Op.POSTAL3, "10001", "100"),
        (T.ZIP, Op.POSTAL3, "05901", "000"),
        (T.ZIP, Op.POSTAL3, "06301", "063"),
        (T.ZIP, Op.POSTAL3, "09012", "000"),
        (T.AGE, Op.AGE90, "89", "89"),
        (T.AGE, Op.AGE90, "93", "90+"),
        (T.DATE, Op.YEAR, "2024-05-17", "2024"),
        (T.BR_CEP, Op.POSTAL3, "01310-100", "013"),
        (T.AGE, Op.BAND5, "37", "35-39"),
        (T.AGE, Op.BAND5, "91", "90+"),
        # further forms
        (T.ZIP, Op.POSTAL3, "10001-1234", "100"),
        (T.ZIP, Op.POSTAL3, "10001 or 10002", None),
        (T.ZIP, Op.POSTAL3, "SW1A 1AA", None),
        (T.BR_CEP, Op.POSTAL3, "CEP 01.310-100", "013"),
        (T.BR_CEP, Op.POSTAL3, "1310", None),
        (T.BR_CEP, Op.STATE, "01310100", "SP"),
        (T.BR_CEP, Op.STATE, "1310", None),
        (T.CITY, Op.STATE, "Boston, MA", "MA"),
        (T.CITY, Op.STATE, "Boston", None),
        (T.DATE, Op.YEAR, "2019-2021", "2019-2021"),
        (T.DATE, Op.YEAR, "2018, 2019, 2020", None),
        (T.DATE, Op.YEAR, "May 17th", None),
        (T.DOB, Op.YEAR, "12/03/1936", None),  # the year would tell an age over 89
        (T.DOB, Op.YEAR, "12/03/1937", "1937"),
        (T.DOB, Op.YEAR, "12/03/20", None),
        (T.PERSON, Op.KEEP, "Maria", "Maria"),
        (T.PERSON, Op.TOKEN, "Maria", None),
        (T.PERSON, Op.REDACT, "Maria", None),
        (T.PERSON, Op.SURROGATE, "Maria", None),
        (T.MRN, Op.HASH_KEYED, "123", None),
    ],
)
def test_operators_leave_what_their_rule_allows(
    kind: EntityType, operator: Operator, value: str, out: str | None
) -> None:
    assert generalise(operator, kind, value, params=TODAY) == out


def test_a_shifted_date_is_another_day_of_the_same_form_for_one_subject() -> None:
    moved = [
        generalise(Op.DATE_SHIFT, T.DATE, value, lang="pt", params=SUBJECT) for value in ("17/05/2024", "18/05/2024")
    ]
    days = [date.fromisoformat(value or "") for value in moved]
    assert (days[1] - days[0]).days == 1
    assert days[0] != date(2024, 5, 17)


def test_without_a_subject_or_a_whole_day_a_shift_falls_to_the_year() -> None:
    assert generalise(Op.DATE_SHIFT, T.DATE, "17/05/2024", params=TODAY) == "2024"
    assert generalise(Op.DATE_SHIFT, T.DATE, "May 2024", params=SUBJECT) == "2024"
    assert generalise(Op.DATE_SHIFT, T.DATE, "Monday", params=SUBJECT) is None


def test_a_keyed_hash_is_equal_for_equal_values_of_one_key_alone() -> None:
    one, two = Params(hash_key=b"1" * 16), Params(hash_key=b"2" * 16)
    first = generalise(Op.HASH_KEYED, T.MRN, "Ω-77", params=one)
    assert first is not None
    assert first == generalise(Op.HASH_KEYED, T.MRN, "Ω-77", params=one)
    assert first != generalise(Op.HASH_KEYED, T.MRN, "Ω-77", params=two)
    assert first.startswith("[MRN~")
    assert "77" not in first.partition("~")[0]


@pytest.mark.parametrize(
    ("kind", "value", "operators"),
    [
        (T.AGE, "55", {Op.KEEP, Op.AGE90}),
        (T.AGE, "93", {Op.KEEP}),
        (T.AGE, "35-39", {Op.KEEP, Op.AGE90, Op.BAND5}),
        (T.DATE, "2021", {Op.KEEP, Op.YEAR}),
        (T.DATE, "2021-05-17", {Op.KEEP}),
        (T.DATE, "1921", {Op.KEEP}),
        (T.LOCATION, "Texas", {Op.KEEP, Op.STATE}),
        (T.ZIP, "10001", {Op.KEEP}),
        (T.PERSON, "Maria", {Op.KEEP}),
    ],
)
def test_operators_that_leave_a_value_as_it_is_are_named(
    kind: EntityType, value: str, operators: set[Operator]
) -> None:
    assert unchanged_by(kind, value) == operators


def test_a_type_outside_the_table_is_left_alone_by_keep_only() -> None:
    assert unchanged_by("ZZ_NEW", "55") == {Op.KEEP}  # type: ignore[arg-type]


@given(st.sampled_from(EntityType), st.sampled_from(Operator), st.text(max_size=60))
def test_no_value_makes_an_operator_fail(kind: EntityType, operator: Operator, value: str) -> None:
    generalise(operator, kind, value, params=SUBJECT)


@given(st.sampled_from([T.ZIP, T.BR_CEP]), st.text("0123456789-. ", max_size=12))
def test_at_most_three_digits_of_a_postal_code_stay(kind: EntityType, value: str) -> None:
    out = generalise(Op.POSTAL3, kind, value)
    assert out is None or (len(out) == 3 and out.isdigit())
