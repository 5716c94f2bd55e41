import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.ages import age90, band5


@pytest.mark.parametrize(
    "text",
    [
        "89",
        "55",
        "0",
        "55 anos",
        "3 months",
        "100 months",
        "2 semanas",
        "89.5",
        "55-year-old",
        "65-70",
        "in her 80s",
        "anos 70",
        "fifty-five years",
        "tres días",
    ],
)
def test_ages_up_to_89_stay_as_they_are(text: str) -> None:
    assert age90(text) == text


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("90", "90+"),
        ("93", "90+"),
        ("93 anos", "90+ anos"),
        ("93-year-old", "90+-year-old"),
        ("93.5", "90+"),
        ("1100 months", "90+"),
        ("93 years and 4 months", "90+"),
        ("85-95", "90+"),
        ("the 90s", "90+"),
        ("ninety-three", "90+"),
        ("noventa e três anos", "90+"),
    ],
)
def test_ages_over_89_become_one_class(text: str, out: str) -> None:
    assert age90(text) == out


@pytest.mark.parametrize("text", ["", "elderly", "1934", "in her nineties", "12345"])
def test_what_is_no_age_is_not_read(text: str) -> None:
    assert age90(text) is None
    assert band5(text) is None


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("37", "35-39"),
        ("91", "90+"),
        ("37 anos", "35-39 anos"),
        ("37-jährige", "35-39-jährige"),
        ("0", "0-4"),
        ("8 months", "0-4"),
        ("30 mois", "0-4"),
        ("3 anos e 4 meses", "0-4"),
        ("37 anni e 2 mesi", "35-39"),
        ("90-94", None),
        ("35-39", "35-39"),
        ("35-39 years", "35-39 years"),
        ("65-70", None),
        ("30 or 40", None),
        ("The 70's", "The 70's"),
        ("90s", "90+"),
        ("sixty-two-year-old", "60-64"),
        ("nueve meses", "0-4"),
        ("fünfjähriger", "5-9"),
        ("thirty or forty", None),
    ],
)
def test_bands_of_five_years(text: str, out: str | None) -> None:
    assert band5(text) == out


@given(st.integers(0, 130))
def test_no_age_over_89_is_ever_told(years: int) -> None:
    for coarse in (age90(str(years)), band5(str(years))):
        assert coarse is not None
        assert (coarse == "90+") == (years > 89)


@given(st.text(max_size=60))
def test_no_text_makes_reading_fail(text: str) -> None:
    age90(text)
    band5(text)
