import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.numerals import _numbers, read


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("sixty-two-year-old", 62),
        ("Twenty One", 21),
        ("a hundred and three years", 103),
        ("one hundred", 100),
        ("sessenta e dois anos", 62),
        ("vinte e uma", 21),
        ("cento e cinco", 105),
        ("cem anos", 100),
        ("sesenta y dos años", 62),
        ("veintidós", 22),
        ("veintiún", 21),
        ("ciento tres", 103),
        ("soixante-deux ans", 62),
        ("vingt et un", 21),
        ("soixante-dix-sept", 77),
        ("soixante et onze", 71),
        ("quatre-vingts", 80),
        ("quatre-vingt-dix-neuf ans", 99),
        ("nonante-trois", 93),
        ("zweiundsechzig Jahre", 62),
        ("dreiunddreißig", 33),
        ("fünfjähriger", 5),
        ("hundertdrei", 103),
        ("sessantadue anni", 62),
        ("ventuno", 21),
        ("ventitré", 23),
        ("settantenne", 70),
        ("centotre", 103),
        ("tweeënzestig jaar", 62),
        ("vijfjarige", 5),
        ("honderddrie", 103),
        ("age seven", 7),
    ],
)
def test_numbers_are_read_in_seven_languages(text: str, number: int) -> None:
    assert read(text) == number


@pytest.mark.parametrize("text", ["", "elderly", "thirty or forty", "62", "someone", "sixtyish"])
def test_what_spells_no_single_number_is_not_read(text: str) -> None:
    assert read(text) is None


def test_every_number_is_spelled_in_every_language() -> None:
    spelled = set(_numbers().values())
    assert spelled == set(range(130))


@given(st.text(max_size=80))
def test_no_text_makes_reading_fail(text: str) -> None:
    number = read(text)
    assert number is None or 0 <= number < 130
