"""Language per part; what is surely foreign; what takes its neighbours' language."""

import pytest

from phigate.analyzers.language import language_of, settle_languages
from phigate.analyzers.shadow import view_of

OWN = {
    "en": "The patient was admitted with chest pain and has not had any fever since then.",
    "pt": "Paciente apresenta dor torácica há três dias, nega febre e não tem outras queixas.",
    "es": "El paciente presenta dolor torácico desde hace tres días y no tiene fiebre.",
    "fr": "Le patient présente une douleur thoracique depuis trois jours et n'a pas de fièvre.",
    "de": "Der Patient wurde wegen Brustschmerzen aufgenommen und hat kein Fieber.",
    "it": "Il paziente presenta un dolore toracico da tre giorni e non ha febbre.",
    "nl": "De patiënt werd opgenomen met pijn op de borst en heeft geen koorts gehad.",
}
FOREIGN = [
    "Pacjent zgłosił się do szpitala z bólem w klatce piersiowej, który trwał od trzech dni i nie ustępował.",
    "Patienten inkom till akuten med bröstsmärta som har varat i tre dagar och det är inte bättre.",
    "Hasta göğüs ağrısı ile başvurdu ve üç gündür devam eden bir şikayet olarak değil.",
    "Пациент поступил в больницу с болью в груди и одышкой.",
    "患者因胸痛三天入院，无发热，既往有高血压病史，目前服用降压药物治疗，血压控制尚可，无其他不适，家属陪同。",
    "المريض دخل المستشفى بسبب ألم في الصدر منذ ثلاثة أيام ولا يوجد حمى",
]


@pytest.mark.parametrize("lang", OWN)
def test_each_of_the_seven_is_told(lang: str) -> None:
    assert language_of(view_of(OWN[lang])) == (lang, False)


@pytest.mark.parametrize("text", FOREIGN)
def test_a_foreign_text_is_surely_foreign(text: str) -> None:
    assert language_of(view_of(text))[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HbA1c 7.2 %, LDL 130 mg/dl, TSH 2.1",
        "α-synuclein, β-blocker, µg",
        "Zorb Quill 12/05/2023",
        "Привет",
        "DOE^JANE^Q||19800101|F",
    ],
)
def test_being_unsure_is_not_foreign(text: str) -> None:
    assert not language_of(view_of(text))[1]


def test_a_foreign_paragraph_in_an_english_text_is_noticed() -> None:
    assert language_of(view_of(OWN["en"] * 5 + "\n" + FOREIGN[3]))[1]


def test_short_parts_take_the_language_of_their_neighbours() -> None:
    views = [view_of("ok"), view_of(OWN["pt"]), view_of("Zorb"), view_of("x" * 400)]
    assert settle_languages(views, ["", "pt", "", ""]) == ["pt", "pt", "pt", ""]
