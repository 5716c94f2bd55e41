"""What speaks against a person in any text: brand signs, doses, articles, endings, codes, labels of numbers."""

from __future__ import annotations

import pytest

from phigate.analyzers.names.detector import NameDetector, shipped_weights
from phigate.analyzers.names.doubts import is_code, is_notion
from phigate.finding import EntityType

_DETECTOR = NameDetector(shipped_weights())
_PEOPLE = {EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME}


def _people(text: str, lang: str) -> list[str]:
    return [text[f.start : f.end] for f in _DETECTOR.find_text(text, lang=lang) if f.entity_type in _PEOPLE]


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "Treated with Zorbalan® since spring and well since."),
        ("en", "We saw pNET and KiGGS in the report, and QALYs were counted too."),
        ("en", "Classified by Quirkel et al. as stage two in this cohort."),
        ("fr", "On note une Quirkelite droite avec l'Amikacine à dose pleine."),
        ("fr", "Hospitalisé à Antananarivo, puis transféré à Dakar."),
        ("de", "Es zeigten sich keine Blutungen, eine Koronararterie ist verengt."),
        ("it", "Si associa Latomoxef 2 g al giorno e Vrax: 3,7 al controllo."),
        ("en", "The clinics in Israel and in Jordan joined, and in Kenya too."),
        ("en", "The patient gave her MRN 4471902 and the SSN 123-45-6789 at the desk."),
    ],
)
def test_a_thing_with_a_capital_is_nobody(lang: str, text: str) -> None:
    assert _people(text, lang) == []


@pytest.mark.parametrize("word", ["MRN", "SSN", "DOB", "NHS", "CPF", "RPPS"])
def test_the_label_of_a_number_is_no_name_even_after_a_role(word: str) -> None:
    assert _people(f"Patient {word} 4471902 was called back on the ward today.", "en") == []


@pytest.mark.parametrize(
    ("lang", "text", "name"),
    [
        ("en", "Seen in Jordan with Margaret Holloway, who translated.", "Margaret Holloway"),
        ("pt", "Conversei com JOãO CONCEIçãO DA SILVA no leito.", "JOãO CONCEIçãO DA SILVA"),
        ("en", "Spoke to Angus McDonald about the plan.", "Angus McDonald"),
        ("de", "Frau Hartung wurde informiert.", "Frau Hartung"),
    ],
)
def test_a_person_stays_one_beside_what_speaks_against_others(lang: str, text: str, name: str) -> None:
    assert name in _people(text, lang)


def test_codes_are_told_from_surnames_with_two_capitals() -> None:
    assert all(is_code(word) for word in ("pNET", "KiGGS", "SxS", "cTnI", "QALYs", "PaO"))
    assert not any(is_code(word) for word in ("McDonald", "DeVito", "MacLEOD", "O", "JOãO", "LaTonya", "IADPSG"))


def test_endings_of_notions_are_no_endings_of_short_names() -> None:
    assert is_notion("koronararterie")
    assert is_notion("hypercalcemia")
    assert not is_notion("jung")
    assert not is_notion("silva")
