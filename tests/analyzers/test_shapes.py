"""Values whose place tells what they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analyzers.shapes import hints_of
from phigate.analyzers.shapes.markup import kind_of
from tests.analyzers.saying import prepared, said

HL7 = (
    "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20240102101500||ORU^R01|MSG00001|P|2.5.1\r"
    "PID|1||123456^^^HOSP^MR||XYLO^QUIN^A||19800101|F|||12 Elm St^^Boston^MA^02115||617-555-1234|||||998877|"
    "123-45-6789\r"
    "PV1|1|I|W^389^1||||1234^BRAG^ODA\r"
    "OBX|1|NM|718-7^Hemoglobin||13.5|g/dL|12-16|N|||F"
)


def hinted(text: str) -> set[tuple[str, str]]:
    view = prepared(text)
    return {(view.shadow[h.start : h.end], h.kind) for h in view.hints}


def test_fields_of_hl7_are_known_by_number() -> None:
    assert {
        ("123456", "mrn"),
        ("XYLO", "person"),
        ("QUIN", "person"),
        ("19800101", "dob"),
        ("12 Elm St", "street"),
        ("Boston", "city"),
        ("02115", "zip"),
        ("617-555-1234", "phone"),
        ("998877", "account"),
        ("123-45-6789", "ssn"),
        ("BRAG", "clinician"),
        ("MSG00001", "case"),
    } <= hinted(HL7)
    found = said(HL7)
    assert {("XYLO", "PERSON"), ("19800101", "DOB"), ("BRAG", "CLINICIAN_NAME")} <= found
    assert not {s for s, _ in found} & {"13.5", "12-16", "718-7"}


def test_a_patient_in_fhir_is_known_by_path() -> None:
    resource = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "A12345"}],
        "name": [{"use": "official", "family": "Zorb", "given": ["Quill", "Ona"]}],
        "telecom": [{"system": "phone", "value": "555 010 7788"}],
        "birthDate": "1974-12-25",
        "address": [{"line": ["9 Elm St"], "city": "Fooville", "postalCode": "12345"}],
        "active": True,
    }
    found = hinted(json.dumps(resource, indent=1))
    assert {
        ("Zorb", "person"),
        ("Quill", "person"),
        ("Ona", "person"),
        ("A12345", "id"),
        ("555 010 7788", "phone"),
        ("1974-12-25", "dob"),
        ("9 Elm St", "street"),
        ("Fooville", "city"),
        ("12345", "zip"),
    } <= found
    assert not {s for s, _ in found} & {"official", "phone", "Patient", "urn:oid:1.2.3"}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('{"patientName": "Zorb Quill"}', ("Zorb Quill", "person")),
        ('{"nome_mae": "Zorba"}', ("Zorba", "relative")),
        ('{"cpf": "52998224725"}', ("52998224725", "cpf")),
        ('{"patient": {"name": "Zorb"}}', ("Zorb", "person")),
        ('{"mrn": 4455667}', ("4455667", "mrn")),
        ("<family value='Zorb'/>", ("Zorb", "person")),
        ('<birthDate value="1974-12-25"/>', ("1974-12-25", "dob")),
        ("<patient><name>Zorb Quill</name></patient>", ("Zorb Quill", "person")),
        ("name,dob,mrn\nZorb Quill,01/02/1980,55512", ("Zorb Quill", "person")),
        ("mrn;nome\n55512;Zorb", ("55512", "mrn")),
        ('name,note\n"Quill, Zorb",ok', ("Quill, Zorb", "person")),
        ("| Patient | Age |\n|---|---|\n| Zorb | 44 |", ("Zorb", "person")),
        ("paciente\tprontuário\nZorb\t9911", ("9911", "mrn")),
        ("From: Zorb Quill <z@q.org>\nhello", ("Zorb Quill", "person")),
        ("[12/05/23, 10:30] Zorb Quill: hi\n", ("Zorb Quill", "person")),
    ],
)
def test_a_key_column_or_header_names_its_value(text: str, hint: tuple[str, str]) -> None:
    assert hint in hinted(text)


@pytest.mark.parametrize(
    "text", ["a, b and c\nfine, thanks, bye", "yes | no", "{}", "x: y", '{"name": null, "status": "final"}', ""]
)
def test_ordinary_text_gives_no_hints(text: str) -> None:
    assert not hinted(text)


def test_a_key_says_what_its_value_is_in_any_spelling() -> None:
    keys = ("DateOfBirth", "home_phone_number", "NumeroCarteirinha", "endereço", "weight")
    assert [kind_of(key, "", "x") for key in keys] == ["dob", "phone", "plan", "street", ""]
    assert kind_of("value", "telecom", "a@b.org") == "email"


@pytest.mark.parametrize(
    ("text", "surface", "kind"),
    [
        ("Localidad/ Provincia: Fooville.", "Fooville", "CITY"),
        ("Address: 9 Elm St, Fooville", "9 Elm St, Fooville", "STREET"),
        ("Nome: Zorba Quillão\nIdade: 4", "Zorba Quillão", "PERSON"),
        ("Mutter: Zorba Quill", "Zorba Quill", "RELATIVE_NAME"),
        ("Médico: Zorb Quill. NºCol: 28", "Zorb Quill", "CLINICIAN_NAME"),
    ],
)
def test_a_label_and_a_colon_name_the_value(text: str, surface: str, kind: str) -> None:
    assert (surface, kind) in said(text)


def test_values_that_say_nothing_are_no_findings() -> None:
    assert not {k for _, k in said("Paciente: não\nNome: unknown\nCidade: 12")} & {"PERSON", "CITY"}


@given(st.text(alphabet='{}[]"\\:,|^~<>/=\n ;PIDabc1', max_size=200))
def test_broken_shapes_give_hints_inside_the_text_without_overlap(text: str) -> None:
    view = prepared(text)
    last = 0
    for hint in hints_of(view):
        assert last <= hint.start < hint.end <= len(view.shadow)
        last = hint.end
