"""Identifiers by check digit and label, in every family; and what must stay untouched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analyzers.saying import patterns, said, score

FOUND = [
    # Brazil
    ("CPF: 529.982.247-25", "529.982.247-25", "BR_CPF"),
    ("cpf 52998224725", "52998224725", "BR_CPF"),
    ("o CPF é 529 982 247 25.", "529 982 247 25", "BR_CPF"),
    ("CNPJ 11.222.333/0001-81", "11.222.333/0001-81", "BR_CNPJ"),
    ("CNPJ 12.ABC.345/01DE-35", "12.ABC.345/01DE-35", "BR_CNPJ"),
    ("RG nº 12.345.678-9 SSP/SP", "12.345.678-9", "BR_RG"),
    ("CNS: 898 0000 0004 3208", "898 0000 0004 3208", "BR_CNS"),
    ("cartão do SUS 898000000043208", "898000000043208", "BR_CNS"),
    ("PIS/PASEP 120.56412.54-7", "120.56412.54-7", "BR_PIS"),
    ("título de eleitor: 1023 8501 0671", "1023 8501 0671", "BR_TITULO"),
    ("CNH 02650306461", "02650306461", "BR_CNH"),
    ("CRM/SP 123456", "123456", "BR_CRM"),
    ("COREN-MG 123.456", "123.456", "BR_CRM"),
    ("prontuário nº 123456", "123456", "MRN"),
    ("Prontuário: 12.345", "12.345", "MRN"),
    ("carteirinha 0 123 4567", "0 123 4567", "HEALTH_PLAN_ID"),
    ("AIH 352310123456-7", "352310123456-7", "UNIQUE_ID"),
    ("DNV 30-12345678-9", "30-12345678-9", "BR_CERTIDAO"),
    ("RENAVAM 12345678901", "12345678901", "VEHICLE_ID"),
    ("placa ABC1D23", "ABC1D23", "BR_PLATE"),
    ("placa do veículo: ABC-1234", "ABC-1234", "BR_PLATE"),
    ("CNES 1234567", "1234567", "BR_CRM"),
    ("CEP 01310-100", "01310-100", "BR_CEP"),
    # United States
    ("SSN 123-45-6789", "123-45-6789", "US_SSN"),
    ("social security number is 123 45 6789", "123 45 6789", "US_SSN"),
    ("NPI: 1234567893", "1234567893", "US_NPI"),
    ("DEA# AB1234563", "AB1234563", "LICENSE"),
    ("Medicare ID 1EG4-TE5-MK73", "1EG4-TE5-MK73", "HEALTH_PLAN_ID"),
    ("MRN 12345", "12345", "MRN"),
    ("mrn#MP98765", "MP98765", "MRN"),
    ("Medical Record Number: 00-12-34", "00-12-34", "MRN"),
    ("MRN 12 345 678", "12 345 678", "MRN"),
    ("account number is AB-998877", "AB-998877", "ACCOUNT"),
    ("Member ID: W123456789", "W123456789", "HEALTH_PLAN_ID"),
    ("claim no. 2024-00917", "2024-00917", "UNIQUE_ID"),
    ("driver's license D1234567", "D1234567", "LICENSE"),
    ("VIN 1HGCM82633A004352", "1HGCM82633A004352", "VEHICLE_ID"),
    ("serial number SN-48213", "SN-48213", "DEVICE_ID"),
    ("accession number: S24-10233", "S24-10233", "UNIQUE_ID"),
    ("encounter number 880012", "880012", "UNIQUE_ID"),
    ("card 4111 1111 1111 1111", "4111 1111 1111 1111", "CARD"),
    # Europe
    ("NIF 123456789", "123456789", "EU_NATIONAL_ID"),
    ("número de utente: 123 456 789", "123 456 789", "HEALTH_PLAN_ID"),
    ("DNI 12345678Z", "12345678Z", "EU_NATIONAL_ID"),
    ("NIE: X1234567L", "X1234567L", "EU_NATIONAL_ID"),
    ("NASS: 28 12345678 40", "28 12345678 40", "EU_NATIONAL_ID"),
    ("NHC: 368503", "368503", "MRN"),
    ("NºCol: 28 28 35489", "28 28 35489", "LICENSE"),
    ("sécurité sociale 1 84 12 76 451 089 46", "1 84 12 76 451 089 46", "EU_NATIONAL_ID"),
    ("IPP 8004512345", "8004512345", "MRN"),
    ("Steuer-ID 86 095 742 719", "86 095 742 719", "EU_NATIONAL_ID"),
    ("Versichertennummer A123456780", "A123456780", "HEALTH_PLAN_ID"),
    ("Fallnummer: 20231178", "20231178", "UNIQUE_ID"),
    ("Patientennummer 1933309", "1933309", "MRN"),
    ("codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S", "EU_NATIONAL_ID"),
    ("cartella clinica n. 2023/4567", "2023/4567", "MRN"),
    ("BSN 111222333", "111222333", "EU_NATIONAL_ID"),
    ("patiëntnummer: 7654321", "7654321", "MRN"),
    ("NHS number 943 476 5919", "943 476 5919", "EU_NATIONAL_ID"),
    ("NI number AB 12 34 56 C", "AB 12 34 56 C", "EU_NATIONAL_ID"),
    ("GMC 1234567", "1234567", "LICENSE"),
]


@pytest.mark.parametrize(("text", "surface", "kind"), FOUND)
def test_a_labelled_number_is_found_whole(text: str, surface: str, kind: str) -> None:
    found = patterns(text)
    start = text.index(surface)
    covering = [f for f in found if f.start <= start and f.end >= start + len(surface)]
    assert covering, [(text[f.start : f.end], f.entity_type.value) for f in found]
    if kind not in {"BR_CRM", "HEALTH_PLAN_ID", "EU_NATIONAL_ID", "BR_CERTIDAO", "ACCOUNT"}:
        assert kind in {f.entity_type.value for f in covering}
    assert max(f.score for f in covering) >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "hemoglobin 13.5 g/dL, platelets 250000, WBC 7.2",
        "take 500 mg twice a day for 14 days",
        "ICD-10 E11.9, CPT 99213, LOINC 2345-7",
        "CID I10 e TUSS 40301630",
        "SNOMED 44054006",
        "BP 120/80, HR 98, SpO2 97%",
        "p = 0.0001, OR 2.35 (95% CI 1.20-4.61), n = 12345678",
        "GCS 15, Glasgow 15/15, ECOG 1",
        "12345678 copies/mL",
        "136/243 patients, 0.950/0.938/0.979",
        "trial NCT01234567, PMID 31234567",
        "PCR 28mg/dl, CRP: 75mg/L, 12-14g/dl",
        "a case of a 77-year-old woman with COVID-19",
        "in 2007-2010 and 2014-2015",
        "BRCA1 c.5266dupC, CD4 count 350, HLA-B27, IL-6",
        "carga viral 1500000 copias",
    ],
)
def test_measurements_codes_and_statistics_are_no_identifiers(text: str) -> None:
    direct = {(s, k) for s, k in said(text) if k not in {"DATE", "AGE"}}
    assert not direct


def test_a_wrong_check_digit_lowers_the_score_and_a_label_restores_it() -> None:
    right, wrong = "529.982.247-25", "529.982.247-24"
    assert score(f"x {wrong} y", wrong, "BR_CPF") < score(f"x {right} y", right, "BR_CPF")
    assert score(f"x {wrong} y", wrong, "BR_CPF") > 0.5
    assert score(f"CPF {wrong}", wrong, "BR_CPF") >= 0.95


def test_ocr_letters_in_a_labelled_number_are_read_as_digits() -> None:
    assert score("CPF: 529.982.247-2S", "529.982.247-2S", "BR_CPF") >= 0.9


def test_a_label_behind_the_number_counts_too() -> None:
    assert ("7781234", "MRN") in said("patient 7781234 (MRN) was seen")


def test_numbers_in_a_row_share_their_label() -> None:
    assert {("445566", "MRN"), ("778899", "MRN")} <= said("MRNs: 445566, 778899") | said("MRN 445566 and 778899")


def test_a_label_does_not_reach_over_a_sentence_or_a_number() -> None:
    assert not {s for s, k in said("No MRN given. Room 3456")}


def test_a_unit_speaks_against_a_near_label_that_is_not_tight() -> None:
    assert not {s for s, k in said("the patient's record shows that 12345 mg were given") if k == "MRN"}


def test_bare_long_runs_are_doubtful_and_found() -> None:
    assert score("ver 98765432109", "98765432109", "UNIQUE_ID") >= 0.4 or patterns("ver 98765432109", 0.4)


@given(st.from_regex(r"[0-9A-Za-z./ -]{0,40}", fullmatch=True))
def test_any_mixture_of_digits_and_separators_gives_spans_inside_the_text(text: str) -> None:
    for finding in patterns(f"MRN: {text}", 0.0):
        assert 0 <= finding.start < finding.end <= len(text) + 5
        assert 0.0 <= finding.score <= 1.0
