from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.book import Book
from phigate.deid.generalise import Params
from phigate.deid.regions import Region
from phigate.finding import EntityType
from phigate.policy.decision import Operator

T, Op = EntityType, Operator
TODAY = Params(today=date(2026, 11, 23))


def _region(kind: EntityType, operator: Operator) -> Region:
    return Region(0, 1, kind, operator)


def _tokens(
    *values: tuple[str, EntityType], lang: str = "pt", taken: frozenset[tuple[str, int]] = frozenset()
) -> list[str]:
    book = Book(TODAY)
    keys = [book.add(value, _region(kind, Op.TOKEN), lang) for value, kind in values]
    book.settle()
    book.number(taken)
    return [book[key].output for key in keys]


def test_numbers_follow_the_order_of_appearance_within_each_type() -> None:
    assert _tokens(("Ana Lima", T.PERSON), ("Recife", T.CITY), ("Rui Dias", T.PERSON), ("ANA  LIMA", T.PERSON)) == [
        "[[PERSON_1]]",
        "[[CITY_1]]",
        "[[PERSON_2]]",
        "[[PERSON_1]]",
    ]


def test_a_part_of_exactly_one_longer_name_gets_a_sub_token() -> None:
    assert _tokens(("Souza", T.PERSON), ("Rui Dias", T.PERSON), ("Maria Souza", T.PERSON), ("Maria", T.PERSON)) == [
        "[[PERSON_1.1]]",
        "[[PERSON_2]]",
        "[[PERSON_1]]",
        "[[PERSON_1.2]]",
    ]


def test_in_doubt_a_name_gets_its_own_number() -> None:
    assert _tokens(("Souza", T.PERSON), ("Maria Souza", T.PERSON), ("Rui Souza", T.PERSON)) == [
        "[[PERSON_1]]",
        "[[PERSON_2]]",
        "[[PERSON_3]]",
    ]
    assert _tokens(("Souza", T.CLINICIAN_NAME), ("Maria Souza", T.PERSON))[0] == "[[CLINICIAN_NAME_1]]"


def test_a_value_takes_its_strictest_type_and_operator_everywhere() -> None:
    book = Book(TODAY)
    key = book.add("Rosa", _region(T.CITY, Op.TOKEN), "pt")
    assert book.add("rosa", _region(T.PERSON, Op.TOKEN), "pt") == key
    assert book[key].entity_type is T.PERSON
    book.add("ROSA", _region(T.CITY, Op.REDACT), "pt")
    book.settle()
    book.number(frozenset())
    assert (book[key].operator, book[key].output) == (Op.REDACT, "[REDACTED]")


def test_numbers_that_stand_in_the_request_are_skipped() -> None:
    assert _tokens(("Ana", T.PERSON), ("Rui", T.PERSON), taken=frozenset({("PERSON", 1)})) == [
        "[[PERSON_2]]",
        "[[PERSON_3]]",
    ]


def test_whole_dates_carry_their_distance_to_the_first_one() -> None:
    assert _tokens(
        ("17/05/2024", T.DATE),
        ("29 de maio de 2024", T.DATE),
        ("1/5/2024", T.DATE),
        ("2024-05-17", T.DATE),
        ("junho de 2024", T.DATE),
    ) == ["[[DATE_1]]", "[[DATE_2+12d]]", "[[DATE_3-16d]]", "[[DATE_4+0d]]", "[[DATE_5]]"]


def test_no_distance_tells_an_age() -> None:
    born, first, later = ("12/03/1950", T.DATE), ("17/05/2024", T.DATE), ("18/05/2024", T.DATE)
    assert _tokens(born, first, later) == ["[[DATE_1]]", "[[DATE_2]]", "[[DATE_3+1d]]"]
    assert _tokens(born, first) == ["[[DATE_1]]", "[[DATE_2]]"]
    assert _tokens(("17/05/2024", T.DATE), ("16/05/2024", T.DOB), ("18/05/2024", T.DATE))[1] == "[[DOB_1]]"


def test_two_forms_of_one_day_make_it_the_first_date() -> None:
    assert _tokens(("12/03/1950", T.DATE), ("17/05/2024", T.DATE), ("2024-05-17", T.DATE)) == [
        "[[DATE_1]]",
        "[[DATE_2]]",
        "[[DATE_3+0d]]",
    ]


def test_what_an_operator_cannot_read_is_redacted_and_hidden() -> None:
    book = Book(TODAY)
    keys = [
        book.add("Monday", _region(T.DATE, Op.YEAR), "en"),
        book.add("2024-05-17", _region(T.DATE, Op.YEAR), "en"),
        book.add("Ana", _region(T.PERSON, Op.SURROGATE), "en"),
        book.add("2020", _region(T.DATE, Op.YEAR), "en"),
    ]
    book.settle()
    assert [entry.surface for entry in book.changed()] == ["Monday", "2024-05-17", "Ana"]
    assert [value.reveal() for value in book.hidden()] == ["Monday", "Ana"]
    assert len(book.number(frozenset())) == 1
    assert [book[key].output for key in keys] == ["[REDACTED]", "2024", "[[PERSON_1]]", "2020"]


def test_a_keyed_hash_is_equal_for_all_surfaces_of_a_value() -> None:
    book = Book(Params(hash_key=b"k" * 16))
    key = book.add("529.982.247-25", _region(T.BR_CPF, Op.HASH_KEYED), "pt")
    other = Book(Params(hash_key=b"k" * 16))
    other.add("52998224725", _region(T.BR_CPF, Op.HASH_KEYED), "pt")
    book.settle()
    other.settle()
    assert book[key].output == other[key].output
    assert book[key].output.startswith("[BR_CPF~")


@pytest.mark.parametrize(("strung", "number"), [(False, "12345678"), (True, None)])
def test_a_number_is_remembered_unless_it_stood_as_a_string_too(strung: bool, number: str | None) -> None:
    book = Book(TODAY)
    region = _region(T.MRN, Op.TOKEN)
    book.add("1234-5678", region, "")
    book.add("12345678", region, "", number=True)
    book.add("12345678", region, "", leaf=strung)
    issued = book.number(frozenset()).issued[0]
    assert issued.value.reveal() == "1234-5678"
    assert (issued.number.reveal() if issued.number else None) == number


def test_entries_never_show_what_they_hold() -> None:
    book = Book(TODAY)
    key = book.add("Maria Souza", _region(T.PERSON, Op.TOKEN), "pt")
    assert "aria" not in repr(book[key])
    assert "aria" not in repr(book[key].value)


def test_a_type_outside_the_table_is_called_unknown() -> None:
    assert _tokens(("Ana", "ZZ_NEW")) == ["[[UNKNOWN_1]]"]  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.sampled_from([T.PERSON, T.DATE, T.MRN])), max_size=12))
def test_every_value_has_one_token_and_every_token_one_value(values: list[tuple[str, EntityType]]) -> None:
    book = Book(TODAY)
    keys = [book.add(value, _region(kind, Op.TOKEN), "pt") for value, kind in values]
    issued = book.number(frozenset()).issued
    assert len({item.token for item in issued}) == len(issued) == len(set(keys))
    assert {item.value.reveal() for item in issued} <= {value for value, _ in values}
