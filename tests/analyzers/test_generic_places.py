"""E-mail, URL, machine addresses, telephones, streets, postal codes."""

import pytest

from phigate.analyzers.examine import Examiner, Text, options_of
from tests.analyzers.saying import patterns, said


@pytest.mark.parametrize(
    "address",
    [
        "maria.souza@hospital.intranet",
        "j.doe+x@hc.corp",
        "ana@hsp.local",
        "joão@clínica.br",
        "a@b.co",
        "x_y@[10.0.0.1]",
        "root@localhost",
    ],
)
def test_an_email_is_found_on_any_domain(address: str) -> None:
    assert (address, "EMAIL") in said(f"write to {address}, please")


def test_spoken_and_hidden_addresses_are_found() -> None:
    assert ("john at gmail dot com", "EMAIL") in said("reach john at gmail dot com")
    assert ("john [at] clinic [dot] org", "EMAIL") in said("reach john [at] clinic [dot] org")
    assert not said("exercising at this point. He is at home.")


@pytest.mark.parametrize(
    ("text", "surface", "kind"),
    [
        ("see https://x.org/a?b=1.", "https://x.org/a?b=1", "URL"),
        ("see www.clinic.example/p", "www.clinic.example/p", "URL"),
        ("at 192.168.10.4 now", "192.168.10.4", "IP_ADDRESS"),
        ("fe80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890a", "IP_ADDRESS"),
        ("MAC 00:1B:44:11:3A:B7", "00:1B:44:11:3A:B7", "MAC"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000", "UUID"),
        ("GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 32", "IBAN"),
        ("tweet @maria_s", "@maria_s", "USERNAME"),
    ],
)
def test_a_rare_character_gives_it_away(text: str, surface: str, kind: str) -> None:
    assert (surface, kind) in said(text)


def test_namespaces_of_standards_are_no_urls() -> None:
    assert not {
        s
        for s, k in said("http://hl7.org/fhir/StructureDefinition/Patient http://loinc.org")
        if k == "URL" and "://" in s
    }


def test_times_are_no_addresses_of_machines() -> None:
    assert not {k for _, k in said("at 14:30:22 and 10:00")} & {"IP_ADDRESS", "MAC"}


@pytest.mark.parametrize(
    "number",
    [
        "617-555-1234",
        "(617) 555-1234",
        "(617) 555-1234 ext. 22",
        "+1 617 555 1234",
        "+55 11 98765-4321",
        "(11) 98765-4321",
        "11 3456-7890",
        "+351 912 345 678",
        "912 345 678",
        "+34 612 34 56 78",
        "917 27 00 83",
        "01 42 68 53 00",
        "+33 1 42 68 53 00",
        "0341 8387176",
        "+49 (0)30 901820",
        "06-12345678",
        "020 7946 0958",
        "+447700 921 916",
        "345-899-3560x4587",
        "333 1234567",
    ],
)
def test_a_telephone_number_is_found_whole(number: str) -> None:
    text = f"Tel. {number} please"
    assert any(f.start <= 5 and f.end >= 5 + len(number) for f in patterns(text) if f.entity_type == "PHONE")


def test_fax_and_pager_have_their_label() -> None:
    assert ("617-555-1234", "FAX") in said("Fax: 617-555-1234")
    assert ("4521", "PHONE") in said("pager 4521")
    assert ("2210", "PHONE") in said("ramal 2210")


@pytest.mark.parametrize(
    "street",
    [
        "123 Main Street",
        "742 Evergreen Ter",
        "5 N. Oak Ave, Apt 4B",
        "Rua das Flores, 123",
        "Av. Paulista, 1578, apto 45",
        "R. 15 de Novembro, 20",
        "Calle Mayor 3",
        "C/ Jacinto Verdaguer 12, 3º B",
        "Avda. de América, s/n",
        "12 rue de la Paix",
        "Hauptstraße 12",
        "Afritschgasse 22",
        "Via Garibaldi 7",
        "Keizersgracht 123",
        "Rua do Ouro, 5",
    ],
)
def test_a_street_is_found_with_its_number(street: str) -> None:
    text = f"lives at {street}."
    found = [f for f in patterns(text) if f.entity_type == "STREET"]
    digits = [9 + at for at, c in enumerate(street) if c.isalnum()]
    covered = [at for at in digits if any(f.start <= at < f.end for f in found)]
    assert len(covered) >= len(digits) - 3, [text[f.start : f.end] for f in found]


@pytest.mark.parametrize(
    "text",
    [
        "via oral 500 mg",
        "in place 3 days",
        "During 2001 patients",
        "the way 2 go",
        "ringworm 3",
        "place the patient",
        "court order 12",
    ],
)
def test_ordinary_words_are_no_streets(text: str) -> None:
    assert not {s for s, k in said(text) if k == "STREET"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Springfield, IL 62704", "62704"),
        ("80331 München", "80331"),
        ("London SW1A 1AA", "SW1A 1AA"),
        ("1012 AB Amsterdam", "1012 AB"),
        ("CAP 00184", "00184"),
        ("code postal : 75002", "75002"),
        ("ZIP 02115-1234", "02115-1234"),
    ],
)
def test_a_postal_code_is_found(text: str, code: str) -> None:
    assert code in {s for s, k in said(text) if k in {"ZIP", "BR_CEP"}}


def test_addresses_are_put_together() -> None:
    text = "Dr. Muster, Korekamp 15, 47809 Kleinstadt"
    examiner = Examiner(options_of(knob="recall", allow=(), deny={}))
    found = {(text[f.start : f.end], f.entity_type.value) for f in examiner.examine([Text(text)])[0].findings}
    assert {("Korekamp 15", "STREET"), ("47809", "ZIP")} <= found
    assert any(surface.endswith("Kleinstadt") for surface, _ in found)


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("seen at Cedar Ridge on May 3, 2020", "Cedar Ridge"),
        ("treated at Zorb Clinic, stable", "Zorb Clinic"),
        ("at St. Anne's Hospital", "St. Anne's Hospital"),
        ("internado no Santa Zita há dois dias", "Santa Zita"),
        ("ingresado en Vall Zeta", "Vall Zeta"),
    ],
)
def test_a_house_of_care_is_told_by_the_words_around_it(text: str, surface: str) -> None:
    assert (surface, "ORGANIZATION") in said(text)


@pytest.mark.parametrize(
    "text", ["admitted to ICU", "seen in ER on Monday", "transferred to the ward", "Hospital course was mild"]
)
def test_wards_are_no_houses(text: str) -> None:
    assert not {s for s, k in said(text) if k == "ORGANIZATION"}


@pytest.mark.parametrize("text", ["version 3.4.21.5", "EC 3.4.21.5", "CBHPM 4.03.01.63-0", '"system":"loinc.org"'])
def test_versions_classes_and_namespaces_are_no_addresses_of_machines(text: str) -> None:
    assert not {k for _, k in said(text, 0.45)} & {"IP_ADDRESS", "URL"}


def test_a_short_extension_after_a_name_is_a_telephone() -> None:
    assert ("x4471", "PHONE") in said("SW Janelle Pruitt x4471 aware")
    assert "PHONE" not in {k for _, k in said("ambulated x2, matrix 256x256, 3 x1000 mg")}


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Convênio: Unimed nº 0 064", "Unimed"),
        ("Referring facility: Cedar Ridge of Ohio", "Cedar Ridge of Ohio"),
        ("Krankenkasse: Techniker", "Techniker"),
    ],
)
def test_a_body_behind_its_label_is_found(text: str, body: str) -> None:
    assert (body, "ORGANIZATION") in said(text)


def test_the_code_of_a_code_system_is_no_identifier() -> None:
    assert not said('{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}', 0.45)
    assert not said("codice ICD 410.71, chr7:140753336", 0.3)


def test_a_telephone_before_a_sentence_makes_no_town() -> None:
    text = "tel 98811-2203. Comunicado ao colega"
    found = Examiner(options_of(knob="recall", allow=(), deny={})).examine([Text(text, lang="pt")])[0].findings
    assert not [f for f in found if "Comunicado" in text[f.start : f.end]]


def test_the_province_in_brackets_belongs_to_its_town() -> None:
    text = "residente in Via dei Mille 24, 12045 Fossano (CN), coniugato"
    found = Examiner(options_of(knob="recall", allow=(), deny={})).examine([Text(text, lang="it")])[0].findings
    at = text.index("CN")
    assert any(f.start <= at and f.end >= at + 2 for f in found)


@pytest.mark.parametrize("text", ["(0513-555123)", "call him (0171 1234567) now", "Mutter (06 12 34 56 78)"])
def test_a_telephone_in_brackets_that_are_not_its_own_is_found(text: str) -> None:
    digits = [k for k, c in enumerate(text) if c.isdigit()]
    assert [f for f in patterns(text) if f.entity_type.value == "PHONE" and f.start <= digits[0] and f.end > digits[-1]]


@pytest.mark.parametrize(
    ("text", "street"),
    [
        ("8 place Carnot 69002 LYON", "8 place Carnot"),
        ("12 bis, rue de Kermaria", "12 bis, rue de Kermaria"),
        ("chaussée de Wavre 511, 1040 Etterbeek", "chaussée de Wavre 511"),
        ("loc. Poggio 3, Murlo", "loc. Poggio 3"),
        ("1200 Pine St, 4th floor", "1200 Pine St, 4th floor"),
        ("We live at 3310 SE 29th, Mercer Island", "3310 SE 29th, Mercer Island"),
    ],
)
def test_streets_are_found_with_their_number_wherever_it_stands(text: str, street: str) -> None:
    start = text.index(street)
    assert [f for f in patterns(text) if f.start <= start and f.end >= start + len(street)], said(text)


def test_a_sentence_after_a_postal_code_is_no_town() -> None:
    text = "77 Larkspur Trail, Bastrop TX 78602. Wound left heel is dry."
    found = Examiner(options_of(knob="recall", allow=(), deny={})).examine([Text(text, lang="en")])[0].findings
    assert not [f for f in found if "Wound" in text[f.start : f.end]]
