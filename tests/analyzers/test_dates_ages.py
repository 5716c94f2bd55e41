"""Dates in digits and words in seven languages, and ages told from durations."""

import pytest

from phigate.analyzers import pipeline
from tests.analyzers.saying import patterns, prepared, said

DATES = [
    "12/05/2023",
    "2023-05-12",
    "12.5.2023",
    "12-05-23",
    "5/12/23 14:30",
    "2021-11-10T21:39:30.000Z",
    "March 3, 2021",
    "March 3rd, 2021",
    "3 March 2021",
    "Mar 3",
    "3rd of March",
    "Feb 20th, 2021",
    "May 2020",
    "14-May-2020",
    "3 de março de 2020",
    "12 de maio",
    "1º de janeiro de 2019",
    "maio de 2021",
    "três de março de 2020",
    "3 de marzo de 2020",
    "junio de 2009",
    "el 5 de mayo",
    "febrero y abril de 2002",
    "le 1er janvier 2020",
    "12 août 2019",
    "févr. 2020",
    "am 3. Mai 2020",
    "3. März 2063",
    "Sept. 2063",
    "25.8.2068",
    "11.12.",
    "il 4 maggio 2020",
    "4 dicembre",
    "op 3 mei 2020",
    "3 maart 2021",
    "07/63-11/63",
    "from 2019 to 2021",
    "in 2018",
    "since March",
    "en el año 2009",
]


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_found_in_every_form(text: str) -> None:
    found = patterns(f"Visit {text} noted")
    digits = [at + 6 for at, c in enumerate(text) if c.isdigit()] or [5 + len(text)]
    missed = [at for at in digits if not any(f.start <= at < f.end and f.entity_type in {"DATE", "DOB"} for f in found)]
    assert not missed


@pytest.mark.parametrize(
    "label", ["DOB:", "Data de nascimento:", "Fecha de nacimiento:", "né le", "geb.", "nato il", "geboren op"]
)
def test_a_label_of_birth_makes_a_date_of_birth(label: str) -> None:
    assert ("01/02/1980", "DOB") in said(f"{label} 01/02/1980")


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80",
        "strength 5/5",
        "grade 3/6 murmur",
        "GCS 15/15",
        "ratio 3.5",
        "he may go",
        "100 mg",
        "Apgar 9/10",
        "15/20 patients",
    ],
)
def test_ratios_and_scores_are_no_dates(text: str) -> None:
    assert not {s for s, k in said(text) if k == "DATE"}


AGES = [
    ("45-year-old man", "45"),
    ("a 92 yo female", "92"),
    ("45 y/o", "45"),
    ("65M with chest pain", "65"),
    ("aged 45", "45"),
    ("age: 33", "33"),
    ("forty-five years old", "forty-five"),
    ("6 months old", "6 months"),
    ("turned 60.", "60"),
    ("paciente de 45 anos", "45"),
    ("45 anos de idade", "45"),
    ("idade: 78", "78"),
    ("oitenta e nove anos de idade", "oitenta e nove"),
    ("mujer de 61 años trasladada", "61"),
    ("niña de 18 meses", "18"),
    ("a los 4 años", "4"),
    ("patiente âgée de 45 ans", "45"),
    ("âge : 70 ans", "70"),
    ("45-jähriger Patient", "45"),
    ("im Alter von 45 Jahren", "45"),
    ("fünfundvierzigjährige", "fünfundvierzig"),
    ("49jähr. Pat.", "49"),
    ("donna di 45 anni", "45"),
    ("vrouw van 45 jaar", "45"),
    ("71-jarige man", "71"),
]


@pytest.mark.parametrize(("text", "number"), AGES)
def test_an_age_is_found(text: str, number: str) -> None:
    at = text.index(number)
    found = [f for f in patterns(text) if f.entity_type == "AGE"]
    assert any(f.start <= at and f.end >= at + len(number) for f in found), found


@pytest.mark.parametrize(
    "text",
    [
        "for 5 years",
        "5 years ago",
        "há 5 anos",
        "hace 30 años",
        "depuis 20 ans",
        "seit 15 Jahren",
        "da 20 anni",
        "sinds 15 jaar",
        "20 pack years",
        "follow-up of 12 months",
        "durante 14 anos",
        "over the past 20 years",
        "3 days later",
        "every 6 months",
    ],
)
def test_a_duration_is_no_age(text: str) -> None:
    assert not {s for s, k in said(f"smoking {text} noted") if k == "AGE"}


def test_ages_over_89_say_so_in_their_source() -> None:
    by_age = {f.source for n in (89, 90, 104) for f in patterns(f"{n}-year-old") if f.entity_type == "AGE"}
    assert by_age == {"ages:old", "ages:old_over89"}


@pytest.mark.parametrize(
    ("text", "surface", "kind"),
    [
        ("seen 52M, name withheld", "52M", "AGE"),
        ("Letto 9, 79 aa, SatO2 94%", "79 aa", "AGE"),
        ("mw. Bos (81 jr, kamer 4)", "81 jr", "AGE"),
        ("Sra. Pozuelo, 84 a. Desorientada", "84 a", "AGE"),
        ("RUTLEDGE 66 yr Male", "66 yr", "AGE"),
        ("your appt is Tue 12/2 at 3pm", "Tue 12/2", "DATE"),
        ("Termin am Mi., 19.11. um 8:40", "Mi., 19.11.", "DATE"),
        ("dal 7 al 15 ottobre 2025", "7 al 15 ottobre 2025", "DATE"),
        ("she was seen on november third", "november third", "DATE"),
        ("seen april twenty ninth in the village", "april twenty ninth", "DATE"),
    ],
)
def test_terse_ages_and_days_of_the_week_with_their_date_are_found_whole(text: str, surface: str, kind: str) -> None:
    start = text.index(surface)
    assert any(
        f.entity_type.value == kind and f.start <= start and f.end >= start + len(surface) for f in patterns(text)
    ), said(text)


@pytest.mark.parametrize("text", ["2 a. c. bid", "take 5 a day", "3 aas"])
def test_numbers_before_other_letters_are_no_ages(text: str) -> None:
    assert "AGE" not in {k for _, k in said(text)}


def test_a_decimal_at_the_end_of_a_sentence_is_no_day_where_days_are_not_written_so() -> None:
    view = prepared("Carbamazepine level 8.2. His wife agrees", lang="en")
    assert not [f for f in pipeline.find_patterns(view) if f.score >= 0.4]
    german = prepared("Termin am 8.2. um neun", lang="de")
    assert [f for f in pipeline.find_patterns(german) if f.score >= 0.4]


def test_the_time_of_an_english_note_is_no_postal_code() -> None:
    assert not [f for f in pipeline.find_patterns(prepared("0715 Received report", lang="en")) if f.score >= 0.4]
    assert [f for f in pipeline.find_patterns(prepared("1040 Etterbeek", lang="fr")) if f.score >= 0.4]


@pytest.mark.parametrize(
    ("text", "day"), [("el próximo viernes 5.", "viernes 5"), ("Monday the 5th at noon", "Monday the 5th")]
)
def test_the_day_of_the_month_belongs_to_the_day_of_the_week(text: str, day: str) -> None:
    assert (day, "DATE") in said(text)


def test_a_dose_or_a_time_after_a_day_of_the_week_is_no_day_of_the_month() -> None:
    assert not {s for s, _ in said("Monday 5 mg, Tuesday 9:40, Friday 2x") if any(c.isdigit() for c in s)}
