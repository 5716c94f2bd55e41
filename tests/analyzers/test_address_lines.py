"""Addresses by a flat, a military post, a corner, a verb of dwelling; houses of care after "at"."""

import pytest

from tests.analyzers.saying import patterns, said


@pytest.mark.parametrize(
    ("text", "street"),
    [
        ("Send it to 583 Zorbathrevej 298, Apt. 12, Nuuk 3900 please", "583 Zorbathrevej 298, Apt. 12"),
        ("Unit 5477 Box 8244\nDPO AP 15730", "Unit 5477 Box 8244\nDPO AP 15730"),
        ("USS Zorba FPO AA 70489", "USS Zorba FPO AA 70489"),
        ("meet at the corner of Zorba Row and Quill Hof tonight", "the corner of Zorba Row and Quill Hof"),
        ("She lives at 34 Quirkelby, Tallinn with her son", "34 Quirkelby, Tallinn"),
        ("Er ist wohnhaft in Am Zorbahang 17 und", "Am Zorbahang 17"),
        ("Suite 464 is empty", "Suite 464"),
    ],
)
def test_an_address_line_is_found_whole(text: str, street: str) -> None:
    assert (street, "STREET") in said(text)


def test_the_town_behind_a_flat_is_a_place() -> None:
    assert ("Nuuk 3900", "LOCATION") in said("583 Zorbathrevej 298, Apt. 12, Nuuk 3900 please")


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("6750 Zorbakatu 25 Apt. 864\nArtilla\n, CO\n Uruguay 64677", "64677"),
        ("20789 Allika 46\n Suite 501\n Quirk\n Estonia 02561", "02561"),
        ("9 Elm Row, Suite 4, Quirk 30021", "30021"),
    ],
)
def test_a_block_that_a_postal_code_ends_is_found_over_its_lines(text: str, last: str) -> None:
    at = text.index(last)
    covered = {k for f in patterns(text) for k in range(f.start, f.end)}
    assert {k for k in range(at + len(last)) if text[k].isalnum()} <= covered


def test_a_line_after_a_flat_without_a_postal_code_is_no_part_of_it() -> None:
    assert not [s for s, _ in said("12 Elm Row, Apt. 3\nDenies pain today") if "Denies" in s]


@pytest.mark.parametrize(
    "text",
    [
        "The patient lives at home with two cats.",
        "She lives in Room 12 of the ward.",
        "He moved to a flat 3 years ago.",
        "Located at the level of L4 and L5.",
        "Assessed at Visit 3 and at Week 12.",
    ],
)
def test_a_number_without_an_address_is_none(text: str) -> None:
    assert not [pair for pair in said(text) if pair[1] == "STREET"]


@pytest.mark.parametrize(
    ("text", "house"), [("reviewed at QZSF on Monday", "QZSF"), ("seen at County General", "County General")]
)
def test_a_capital_after_at_is_a_house(text: str, house: str) -> None:
    assert (house, "ORGANIZATION") in said(text)


@pytest.mark.parametrize("text", ["measured at Visit 3", "assessed at Baseline", "seen at Christmas", "stenosis at L4"])
def test_a_time_or_a_level_after_at_is_no_house(text: str) -> None:
    assert not [pair for pair in said(text) if pair[1] == "ORGANIZATION"]


def test_month_and_year_after_a_long_word_are_a_date() -> None:
    assert ("11/18", "DATE") in said("Zorbastasenresektion 11/18", 0.3)
