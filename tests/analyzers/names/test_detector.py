"""Names by lists, titles, roles and labels, in seven languages. Every person here is invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers.names.detector import NameDetector, shipped_weights
from phigate.finding import EntityType

_DETECTOR = NameDetector(shipped_weights())
_PEOPLE = {EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME}


def _found(text: str, lang: str) -> list[tuple[str, str]]:
    return [(text[f.start : f.end], str(f.entity_type)) for f in _DETECTOR.find_text(text, lang=lang)]


def _people(text: str, lang: str) -> list[str]:
    return [text[f.start : f.end] for f in _DETECTOR.find_text(text, lang=lang) if f.entity_type in _PEOPLE]


@pytest.mark.parametrize(
    ("lang", "text", "name"),
    [
        ("en", "Seen today: Margaret Holloway, in good spirits.", "Margaret Holloway"),
        ("pt", "Evoluiu bem a paciente Joana d'Arc Figueiredo dos Santos hoje.", "Joana d'Arc Figueiredo dos Santos"),
        ("es", "Se informa a María del Carmen Ibáñez Robles del plan.", "María del Carmen Ibáñez Robles"),
        ("de", "Wir berichten über Annegret von der Heide-Krüger.", "Annegret von der Heide-Krüger"),
        ("fr", "Vu ce jour Jean-Baptiste Lefèvre en consultation.", "Jean-Baptiste Lefèvre"),
        ("it", "Si dimette Giuseppina D'Angelo in buone condizioni.", "Giuseppina D'Angelo"),
        ("nl", "Gezien op de poli: Willemijn van den Broek.", "Willemijn van den Broek"),
    ],
)
def test_full_name_in_running_text_is_found_whole(lang: str, text: str, name: str) -> None:
    assert name in _people(text, lang)


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("en", "Reviewed by Dr. Quenneville this morning.", ("Dr. Quenneville", "CLINICIAN_NAME")),
        ("en", "discussed with dr smith about the plan", ("dr smith", "CLINICIAN_NAME")),
        ("pt", "Avaliada pela Dra. Xisto na visita.", ("Dra. Xisto", "CLINICIAN_NAME")),
        ("pt", "Nome da mãe: Lindalva Rocha Prates", ("Lindalva Rocha Prates", "RELATIVE_NAME")),
        ("pt", "nome: joana pereira", ("joana pereira", "PERSON")),
        ("es", "Firmado por: Iñigo Zabaleta", ("Iñigo Zabaleta", "CLINICIAN_NAME")),
        ("de", "Frau Dr. Möllenkamp wird angerufen.", ("Frau Dr. Möllenkamp", "CLINICIAN_NAME")),
        ("de", "Die Tochter Annika Brandtner ist informiert.", ("Annika Brandtner", "RELATIVE_NAME")),
        ("fr", "Mme Delahousse se plaint de fatigue.", ("Mme Delahousse", "PERSON")),
        ("it", "Il Sig. Quagliarella riferisce dolore.", ("Sig. Quagliarella", "PERSON")),
        ("nl", "Dhr. Hoogeveen heeft goed geslapen.", ("Dhr. Hoogeveen", "PERSON")),
    ],
)
def test_title_role_or_label_tells_the_kind_of_person(lang: str, text: str, expected: tuple[str, str]) -> None:
    assert expected in _found(text, lang)


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "Known Parkinson's disease and a positive Babinski sign."),
        ("en", "Wells score 3, Child-Pugh B, Kaplan-Meier curve below."),
        ("en", "The patient denies pain. Will follow up in May."),
        ("pt", "Doença de Chagas com megaesôfago; sinal de Murphy negativo."),
        ("pt", "Nega Dor. Mantém Febre. Exame Físico Normal."),
        ("es", "Enfermedad de Crohn sin actividad, escala de Glasgow 15."),
        ("de", "Morbus Basedow, Zustand nach Billroth-II-Operation."),
        ("fr", "Maladie de Hodgkin, signe de Lasègue absent."),
        ("it", "Morbo di Parkinson, segno di Blumberg negativo."),
        ("nl", "Ziekte van Crohn in remissie."),
    ],
)
def test_eponyms_and_ordinary_words_are_nobody(lang: str, text: str) -> None:
    assert _people(text, lang) == []


def test_hospital_named_after_a_person_is_a_body_and_no_person() -> None:
    found = _found("Transferida ao Hospital Dona Helena Vasconcelos ontem.", "pt")
    assert ("Hospital Dona Helena Vasconcelos", "ORGANIZATION") in found


def test_surname_first_after_a_label_is_one_name() -> None:
    assert _people("Name: Okonkwo, Adaeze", "en") == ["Okonkwo, Adaeze"]


@given(st.text(max_size=200))
def test_any_text_gives_findings_inside_it_and_never_raises(text: str) -> None:
    for finding in _DETECTOR.find_text(text, lang=""):
        assert 0 <= finding.start < finding.end <= len(text)
        assert text[finding.start : finding.end].strip() != ""
        assert finding.source.startswith("names:")


_RULES = NameDetector(None)


def _by_rules(text: str, lang: str) -> list[str]:
    return [text[f.start : f.end] for f in _RULES.find_text(text, lang=lang) if f.entity_type in _PEOPLE]


@pytest.mark.parametrize(
    ("lang", "text", "name"),
    [
        ("es", "RX TORAX PA Y LAT. PACHECO URRUTIA, MIREN. 17/10/25", "PACHECO URRUTIA, MIREN"),
        ("en", "ORDERING: HOLLOWAY, S.", "HOLLOWAY, S"),
        ("en", "Attending: Rasmussen, Kurt", "Rasmussen, Kurt"),
        ("en", "Submitting: Feinberg", "Feinberg"),
        ("en", "I saw him with Bridget Nolan, epilepsy nurse, today.", "Bridget Nolan"),
    ],
)
def test_a_name_written_surname_first_is_found_whole(lang: str, text: str, name: str) -> None:
    assert any(name in found for found in _by_rules(text, lang)), _by_rules(text, lang)


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "14 Fr Foley and 16 Fr NG tube"),
        ("de", "eine 12 mm große Raumforderung"),
        ("en", "Rutherford IV ischaemia"),
        ("fr", "au centre hospitalier Hassan II de Fès"),
        ("en", "pain EVA 4/10 at rest"),
    ],
)
def test_a_unit_a_class_and_a_scale_are_nobody(lang: str, text: str) -> None:
    assert not _by_rules(text, lang)


def test_the_label_after_a_role_is_nobody() -> None:
    assert not any("NAME" in found for found in _by_rules("PATIENT NAME: 7", "en"))


@pytest.mark.parametrize(
    ("lang", "text", "name"),
    [
        ("en", "her PCP is Goldfarb at the clinic", "Goldfarb"),
        ("en", "Seen by CNM Hollis today.", "Hollis"),
        ("en", "Her maiden name is LeBatelier.", "LeBatelier"),
        ("nl", "Contactpersoon: moeder, mevr. A. Hylkema (thuis)", "A. Hylkema"),
        ("it", "vive con la figlia. medico curante dott. sciascolo", "sciascolo"),
    ],
)
def test_a_verb_a_degree_and_an_initial_lead_to_a_name(lang: str, text: str, name: str) -> None:
    assert any(name in found for found in _by_rules(text, lang)), _by_rules(text, lang)


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "the nurse is here"),
        ("en", "the physician is Available"),
        ("it", "chiamare dott. domani"),
        ("en", "the patient is Stable"),
        ("en", "PCP is"),
    ],
)
def test_what_follows_the_verb_of_a_clinician_is_no_name_by_itself(lang: str, text: str) -> None:
    assert not _by_rules(text, lang)
