"""The value behind a label, in whatever groups, spellings of the label and layouts people write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analyzers.saying import patterns, said

WHOLE = [
    # Letters before the digits, loose groups, letters behind
    ("Passaporte: FN 123456", "FN 123456"),
    ("License #: A 123 456", "A 123 456"),
    ("Medicare ID 1EG4 TE5 MK73", "1EG4 TE5 MK73"),
    ("DEA# AB 1234563", "AB 1234563"),
    ("Member ID: ABC 123 456 789", "ABC 123 456 789"),
    ("CPF 529.982.247 - 25", "529.982.247 - 25"),
    ("CPF: 529. 982. 247-25", "529. 982. 247-25"),
    ("CNPJ 11 222 333/0001-81", "11 222 333/0001-81"),
    ("RG 12.345.678-9 SSP/SP", "12.345.678-9 SSP/SP"),
    ("placa ABC 1234", "ABC 1234"),
    ("DNI: 12.345.678 Z", "12.345.678 Z"),
    ("CIP: ABCD 123456 789 012", "ABCD 123456 789 012"),
    ("Codice fiscale: RSSMRA 85T10 A562S", "RSSMRA 85T10 A562S"),
    ("SV-Nummer 65 070649 C 10 3", "65 070649 C 10 3"),
    ("Kennzeichen B-MW 1234", "B-MW 1234"),
    ("IPP : A 123 456", "A 123 456"),
    ("Accession #: 24:SP1234", "24:SP1234"),
    ("CRM 123456-F", "123456-F"),
    ("UDI: (01)00844588003288(17)141120(21)1098d321", "(01)00844588003288(17)141120(21)1098d321"),
    ("MRN 12 345 678", "12 345 678"),
    # Spellings of the label
    ("M.R.N. 123456", "123456"),
    ("D.N.I. 12345678Z", "12345678Z"),
    ("N.H.C.: 368503", "368503"),
    ("C.P.F. 52998224725", "52998224725"),
    ("Nº historia: 368503", "368503"),
    ("Nº de historia clínica 368503", "368503"),
    ("N° de venue : 24H12345", "24H12345"),
    ("Nº de contribuinte 123 456 789", "123 456 789"),
    ("Cod. fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("N. referto: 123456", "123456"),
    ("CPF da mãe: 529 982 247 25", "529 982 247 25"),
    ("Carteirinha Unimed: 0 064 123456 7", "0 064 123456 7"),
    ("CREFITO-3/12345-F", "12345-F"),
    ("coren/mg 123.456", "123.456"),
    # A number sign, whatever it numbers
    ("Incident #48213", "48213"),
    ("Order # 12-345-67", "12-345-67"),
    ("Hosp #: 00-12-34", "00-12-34"),
    ("Casenummer 7654321", "7654321"),
    ("Z-nummer: 1234567", "1234567"),
    ("Dossiernr. H24-12345", "H24-12345"),
    ("Verbale n. 1234567", "1234567"),
    ("Demande n° 123456", "123456"),
    # Layouts
    ("MRN\n1234567\n", "1234567"),
    ("MRN:\n  1234567\n", "1234567"),
    ("MRN ........ 1234567", "1234567"),
    ("**MRN:** 1234567", "1234567"),
    ("<td>MRN</td><td>1234567</td>", "1234567"),
    ("| MRN | 1234567 |", "1234567"),
    ("x\tHosp #\ty\n1\t48213\t2\n", "48213"),
    ("MRN 4821\\\\u00300377", "4821\\\\u00300377"),
    # Numbers of people that look like days
    ("MRN 12-11-56", "12-11-56"),
    ("Chart #: 01-02-03", "01-02-03"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "surface"), WHOLE)
def test_the_value_behind_a_label_is_found_whole(text: str, surface: str) -> None:
    start = text.index(surface)
    covered = {k for f in patterns(text, 0.3) for k in range(f.start, f.end)}
    missed = [k for k in range(start, start + len(surface)) if text[k].isalnum() and k not in covered]
    assert not missed, [(text[f.start : f.end], f.entity_type.value) for f in patterns(text, 0.0)]


@pytest.mark.parametrize(
    "text",
    [
        "Plan: 500 mg twice a day for 14 days",
        "Case 3 of 5, lot of pain, plan 2 weeks",
        "hemoglobin 9.4 g/dL, 22.500 leukocytes",
        "Hb 6.3 g/dl (12-14g/dl), CRP = 170 mg/l",
        "No. 3, Nr. 5, nº 12 de 20, n. 2023, Zimmer Nr. 305",
        "a number of 12345 patients, nº de sessões 12",
        "Lei nº 13.709, RDC nº 302, resolução n. 2.454",
        "osmolality 210 (R.N. 280-300)",
        "PZN Nr. 01234567, EBM Nr. 13212",
        "the record of 3 days, account of pain, registration in 2019",
        "Dossier complet 3 pages, Fall 3 von 45",
        "tablets #21, refills #2",
        "haemoglobin of 6.5g/dl (NR 12-14g/dl)",
        "(AUC, 0.967/0.947/0.925, P>0.05)",
        "(normal level, 4000-9000/ mm 3)",
    ],
)
def test_ordinary_words_and_small_numbers_are_no_labelled_values(text: str) -> None:
    assert not {(s, k) for s, k in said(text, 0.3) if k not in {"DATE", "AGE", "DOB"}}


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("Username: jdoe", "jdoe"),
        ("login = j_smith", "j_smith"),
        ("User ID: drpatel7", "drpatel7"),
        ("usuário: maria.souza", "maria.souza"),
        ("login jsmith82 failed", "jsmith82"),
    ],
)
def test_a_login_needs_no_digit(text: str, login: str) -> None:
    assert login in {s for s, _ in said(text)}


@pytest.mark.parametrize(
    "text", ["User: patient reports pain", "Login: failed", "username required", "usuário: nega dor"]
)
def test_an_ordinary_word_behind_a_label_of_logins_is_none(text: str) -> None:
    assert "USERNAME" not in {k for _, k in said(text)}


def test_a_visit_told_by_its_day_stays_a_day() -> None:
    assert {k for s, k in said("Visit # 12/05/2024")} == {"DATE"}


def test_a_time_is_no_value() -> None:
    assert not {s for s, k in said("Specimen no: 10:30 drawn") if k != "DATE"}


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("Tél: 06.12.34.56.78", "06.12.34.56.78"),
        ("(11) 9 8765-4321", "(11) 9 8765-4321"),
        ("cel 11 9 8765-4321", "11 9 8765-4321"),
    ],
)
def test_telephones_in_pairs_and_with_a_lone_nine_are_found(text: str, surface: str) -> None:
    assert (surface, "PHONE") in said(text)


@given(st.from_regex(r"[0-9A-Z./ #:()+-]{0,60}", fullmatch=True), st.sampled_from(["MRN", "UDI", "login", "nº", "RG"]))
def test_whatever_follows_a_label_gives_spans_inside_the_text(value: str, label: str) -> None:
    text = f"{label}: {value}"
    assert all(0 <= f.start < f.end <= len(text) for f in patterns(text, 0.0))
