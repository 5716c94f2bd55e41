"""Hospitals, schools and firms by the forms of the language; countries and regions by their names."""

from __future__ import annotations

import pytest

from phigate.analyzers.names.detector import NameDetector, shipped_weights

_DETECTOR = NameDetector(shipped_weights())


def _of(text: str, lang: str, kind: str) -> list[str]:
    return [text[f.start : f.end] for f in _DETECTOR.find_text(text, lang=lang) if f.entity_type == kind]


@pytest.mark.parametrize(
    ("lang", "text", "body"),
    [
        ("en", "She studied at the University of North Quirkel for years.", "University of North Quirkel"),
        ("en", "He works for Zorbatech and likes it.", "Zorbatech"),
        ("en", "A claim by 3 Round Quills Inc was refused.", "3 Round Quills Inc"),
        ("en", "Letters from Owens, Duran and Sons arrived.", "Owens, Duran and Sons"),
        ("en", "They said Zorbacare is a design agency of note.", "Zorbacare"),
        ("pt", "Trabalha na Metalúrgica Quirkel há dez anos.", "Metalúrgica Quirkel"),
        ("pt", "Encaminhado pelo Ministério da Saúde ontem.", "Ministério da Saúde"),
        ("es", "Remitido por la Fundación Santa Zorba de Quirkel.", "Fundación Santa Zorba de Quirkel"),
        ("de", "Er ist bei der Zorbau GmbH angestellt.", "Zorbau GmbH"),
        ("de", "Verlegt in das Universitätsklinikum Quirkelstadt.", "Universitätsklinikum Quirkelstadt"),
        ("fr", "Employé de la Société Zorbac depuis dix ans.", "Société Zorbac"),
        ("it", "Ricoverato presso l'Ospedale San Zorbino di Quirkelia.", "Ospedale San Zorbino di Quirkelia"),
        ("nl", "Zij werkt bij Zorbabouw sinds vorig jaar.", "Zorbabouw"),
    ],
)
def test_a_body_is_told_by_its_head_its_ending_or_a_verb_of_employment(lang: str, text: str, body: str) -> None:
    assert any(body in found for found in _of(text, lang, "ORGANIZATION"))


def test_the_letters_in_brackets_after_a_body_are_the_body_too() -> None:
    assert "INZQ" in _of("O Instituto Nacional de Zorbas Quirkel (INZQ) respondeu.", "pt", "ORGANIZATION")


@pytest.mark.parametrize("text", ["The control group improved.", "A hospital was full.", "She works for her family."])
def test_a_common_noun_alone_is_no_body(text: str) -> None:
    assert _of(text, "en", "ORGANIZATION") == []


@pytest.mark.parametrize(
    ("lang", "text", "country"),
    [
        ("en", "Travelled to Nepal and the United Kingdom last year.", "Nepal"),
        ("pt", "Voltou dos Estados Unidos com tosse.", "Estados Unidos"),
        ("es", "Natural de Marruecos, vive aquí.", "Marruecos"),
        ("de", "Reise nach Südkorea vor drei Wochen.", "Südkorea"),
        ("fr", "Retour de Côte d'Ivoire il y a huit jours.", "Côte d'Ivoire"),
        ("it", "Rientrato dalla Costa d'Avorio da poco.", "Costa d'Avorio"),
        ("nl", "Terug uit het Verenigd Koninkrijk.", "Verenigd Koninkrijk"),
    ],
)
def test_a_country_is_a_place_below_the_bars_of_the_shipped_regimes_and_of_their_rescan(
    lang: str, text: str, country: str
) -> None:
    found = [f for f in _DETECTOR.find_text(text, lang=lang) if text[f.start : f.end] == country]
    assert [(f.entity_type, f.score) for f in found] == [("LOCATION", 0.3)]


def test_a_place_of_several_words_begins_no_person() -> None:
    text = "The New York Heart Association class was two."
    assert _of(text, "en", "PERSON") == []


@pytest.mark.parametrize(
    ("lang", "text", "body"),
    [
        ("de", "Aus dem Spital der guten Brüder St. Anna am Tal", "Spital der guten Brüder St. Anna am Tal"),
        ("pt", "Beneficiária do plano Bradesco Saúde desde maio", "Bradesco Saúde"),
        ("en", "He is insured by Quirkel Mutual and lives alone", "Quirkel Mutual"),
        ("nl", "Zij is verzekerd bij Zilveren Kruis", "Zilveren Kruis"),
    ],
)  # fmt: skip
def test_houses_of_orders_and_insurers_are_bodies(lang: str, text: str, body: str) -> None:
    assert any(body in found for found in _of(text, lang, "ORGANIZATION")), _of(text, lang, "ORGANIZATION")
