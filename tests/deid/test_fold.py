import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.fold import fold, fold_with_origins, identity, number_form, origin_span, read

LATIN = st.text(st.characters(max_codepoint=0x24F), max_size=40)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Maria Souza", "MARIA  SOUZA"),
        ("José", "JOSE"),
        ("José", "Jose\u0301"),
        ("Ｍａｒｉａ", "maria"),  # full width
        ("Weiß", "WEISS"),
        ("ﬁdel", "FIDEL"),
        ("O\u2019Brien", "o'brien"),
        ("Ma\u00adria", "Maria"),  # soft hyphen
        ("Ma\u200bria", "Maria"),  # zero width space
        ("Anne\u2011Marie", "anne-marie"),
        ("Maria\nSouza", "maria souza"),
        ("529.982.247-25", "52998224725"),
        ("(11) 98765-4321", "11 98765 4321"),
        ("AB-12345", "ab12345"),
        ("12345", "１２３４５"),
    ],
)
def test_what_a_reader_takes_for_one_value_is_one(one: str, other: str) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/12/2021", "11/2/2021"),
        ("2021-1-12", "2021-11-2"),
        ("1.11.1.11", "11.1.1.11"),
        ("1234.56", "123456"),
        ("-2355051", "2355051"),
        ("1-23", "12-3"),
        ("ana.b12345@x.org", "anab12345@x.org"),
        ("Maria", "Mario"),
        ("maria-12345", "mari-a12345"),
    ],
)
def test_values_whose_separators_tell_them_apart_stay_two(one: str, other: str) -> None:
    assert identity(one) != identity(other)


def test_a_value_is_read_once() -> None:
    value = read("529.982.247-25")
    assert (value.folded, value.bare, value.key) == ("529.982.247-25", "52998224725", "52998224725")
    assert read("Maria").key == "maria"
    assert number_form("maria souza") is None
    assert number_form("abcde12345") is None
    assert number_form("") is None


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(LATIN)
def test_case_accents_and_spaces_do_not_tell(text: str) -> None:
    folded = fold(text)
    assert fold(text.upper().lower()) == fold(text.lower().upper().lower())
    assert fold("  " + text.replace(" ", " \n\t") + " ") == folded
    assert fold(unicodedata.normalize("NFD", text)) == folded


@given(LATIN)
def test_folding_with_origins_gives_the_same_characters(text: str) -> None:
    folded, origins = fold_with_origins(text)
    assert folded == fold(text)
    assert len(origins) == len(folded)
    assert origins == sorted(origins)


@given(LATIN, LATIN, st.sampled_from(["Maria", "José Núñez", "O\u2019Brien", "Jose\u0301", "Weiß"]))
def test_an_origin_span_covers_the_whole_surface(before: str, after: str, name: str) -> None:
    text = f"{before} {name} {after}"
    folded, origins = fold_with_origins(text)
    at = folded.index(fold(name))
    span = origin_span(text, origins, at, at + len(fold(name)))
    assert fold(text[span.start : span.end]) == fold(name)


def test_marks_after_the_last_letter_belong_to_the_span() -> None:
    text = "Jose\u0301\u200b, 40"
    _, origins = fold_with_origins(text)
    assert origin_span(text, origins, 0, 4).end == 6
    assert origin_span("Jose\u0301", origins[:4], 0, 4).end == 5
