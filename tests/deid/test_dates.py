from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.dates import Parsed, Reading, is_numeric_date, oldest_year, parse, years

TODAY = date(2026, 11, 23)
DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))


def _read(text: str, lang: str = "") -> Parsed | None:
    return parse(text, Reading(lang, TODAY))


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("2024-05-17", ""),
        ("2024/5/17", ""),
        ("2024-05-17T14:30:00Z", ""),
        ("2024-05-17 05:00:00.123+02:00", ""),
        ("20240517", ""),
        ("17/05/2024", "pt"),
        ("05/17/2024", "en"),
        ("17/05/2024", "en"),
        ("05/17/2024", "pt"),
        ("17.05.2024", "en"),
        ("17.5.2024 um 8 Uhr", "de"),
        ("17-05-24", "nl"),
        ("17.05.24", "de"),
        ("May 17, 2024", "en"),
        ("May the 17th, 2024", "en"),
        ("17th of May 2024", "en"),
        ("Friday, 17 May 2024 at 2:30 pm", "en"),
        ("17 de maio de 2024", "pt"),
        ("17 de mayo del 2024", "es"),
        ("vendredi 17 mai 2024", "fr"),
        ("14h30 le 17 mai 2024", "fr"),
        ("17. Mai 2024", "de"),
        ("17.Mai.2024", "de"),
        ("17 maggio 2024", "it"),
        ("17 mei 2024", "nl"),
        ("17-May-24", "en"),
        ("17MAY2024", "en"),
        ("17/mai/24", "pt"),
        ("17 de mayo del 24", "es"),
        ("2024-May-17", "en"),
        ("May 17 '24", "en"),
        ("May 17, 24", "en"),
    ],
)
def test_one_day_in_any_of_its_forms_is_read(text: str, lang: str) -> None:
    parsed = _read(text, lang)
    assert parsed is not None
    assert parsed.whole == date(2024, 5, 17)
    assert years(text, Reading(lang, TODAY)) == (2024,)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1er mars 2024", date(2024, 3, 1)),
        ("1º de março de 2024", date(2024, 3, 1)),
        ("3 févr. 2020", date(2020, 2, 3)),
        ("24 décembre 1999", date(1999, 12, 24)),
        ("2 août 2019", date(2019, 8, 2)),
        ("5. März 2021", date(2021, 3, 5)),
        ("28 febbraio '19", date(2019, 2, 28)),
        ("Sept 3 2020", date(2020, 9, 3)),
    ],
)
def test_accents_ordinals_and_short_forms_of_months_are_read(text: str, day: date) -> None:
    parsed = _read(text)
    assert parsed is not None
    assert parsed.whole == day


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05/2024", Parsed(2024, 5)),
        ("2024-05", Parsed(2024, 5)),
        ("mayo de 2024", Parsed(2024, 5)),
        ("12/63", Parsed(1963, 12)),
        ("2024", Parsed(2024)),
        ("Q3 2024", Parsed(2024)),
        ("May 17th", Parsed(None, 5, 17)),
        ("May 17 at 5pm", Parsed(None, 5, 17)),
        ("May", Parsed(None, 5)),
        ("May '24", Parsed(2024, 5)),
        ("31/02/2020", Parsed(2020, 2, 31)),
    ],
)
def test_a_missing_piece_is_never_guessed(text: str, expected: Parsed) -> None:
    parsed = _read(text)
    assert parsed == expected
    assert parsed.whole is None


@pytest.mark.parametrize(
    "text", ["", "Monday", "17/05", "13/45/2020", "20249999", "1999-13-40x", "yesterday", "3.2024,5"]
)
def test_what_is_no_date_is_not_read(text: str) -> None:
    parsed = _read(text)
    assert parsed is None or parsed.whole is None


def test_a_date_is_one_date_only() -> None:
    assert _read("May 3 - June 5, 2024") is None
    assert _read("17/05/2024 and 18/05/2024", "pt") is None


def test_years_of_ranges_are_all_told() -> None:
    assert years("12/2019 to 03/2021") == (2019, 2021)
    assert years("2019-2021") == (2019, 2021)
    assert years("between May 2019 and 2021") == (2019, 2021)
    assert years("May 3 - June 5, 2024") == (2024,)
    assert years("May 17th") is None
    assert years("Monday") is None


def test_two_digits_have_no_century_without_a_clock() -> None:
    assert parse("17/05/24", Reading("pt")) == Parsed(None, 5, 17, untold=True)
    assert parse("17-May-24") == Parsed(None, 5, 17, untold=True)
    assert years("17/05/24") is None
    assert years("12/63") is None
    assert years("17/05/24 to 2025") is None


def test_two_digits_mean_the_latest_century_that_is_not_far_ahead() -> None:
    assert years("12/03/45", Reading("", TODAY)) == (1945,)
    assert years("12/03/30", Reading("", TODAY)) == (2030,)
    assert years("12/03/32", Reading("", TODAY)) == (1932,)


def test_a_birth_year_of_two_digits_lies_in_the_past_or_is_not_told() -> None:
    birth = Reading("", TODAY, birth=True)
    assert years("12/03/45", birth) == (1945,)
    assert years("12/03/27", birth) == (1927,)  # a birth never lies ahead
    assert years("12/03/20", birth) is None  # six years old, or a hundred and six


def test_a_text_too_long_for_a_date_is_not_read() -> None:
    assert _read("2024-05-17" + " " * 200) is None


def test_the_oldest_year_tells_no_age_over_89() -> None:
    assert oldest_year(TODAY) == 1937
    assert oldest_year(None) == 1960


@given(DAYS)
def test_every_day_is_read_back_from_its_digits(day: date) -> None:
    for text, lang in (
        (day.isoformat(), ""),
        (f"{day:%d/%m/%Y}", "pt"),
        (f"{day:%m/%d/%Y}", "en"),
        (f"{day:%Y%m%d}", ""),
    ):
        parsed = _read(text, lang)
        assert parsed is not None
        assert parsed.whole == day


@given(DAYS, st.sampled_from(["pt", "de", ""]))
def test_dates_in_digits_are_known_as_dates(day: date, lang: str) -> None:
    assert is_numeric_date(f" {day:%d/%m/%Y} ")
    assert is_numeric_date(f"{day:%m-%d-%y}")
    assert is_numeric_date(day.isoformat())
    assert not is_numeric_date(f"{day:%Y%m%d}")


@pytest.mark.parametrize(
    "text", ["123-45-6789", "2024-13-01", "2024-01-32", "45/45/2024", "529.982.247-25", "", "May 17"]
)
def test_numbers_with_separators_are_no_dates(text: str) -> None:
    assert not is_numeric_date(text)


@given(st.text(max_size=120))
def test_no_text_makes_reading_fail(text: str) -> None:
    parsed = _read(text)
    assert parsed is None or parsed.month is None or 1 <= parsed.month <= 12
    years(text, Reading("en", TODAY, birth=True))
