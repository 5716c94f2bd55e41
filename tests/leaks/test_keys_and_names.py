"""An identifier in a key is renamed and restored; in a name, which holds no surrogate, it keeps the request home."""

import json
from typing import Any

import pytest

from phigate.analyzers.presidio import PresidioAnalyzer
from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.wire.spec import listed
from tests.exchange import Script
from tests.fakes import FakeAnalyzer

pytestmark = pytest.mark.anyio
ID = "48210377"


def planted(bundle: Bundle) -> Script:
    script = Script(bundle, analyzer=FakeAnalyzer({ID: EntityType.MRN, "Maria Souza": EntityType.PERSON}))
    script.answers("Rest.")
    return script


def function(name: str = "find", **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", **parameters}}}


def schema(name: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object", "properties": {name: {}}}}}


NAMES: dict[str, dict[str, Any]] = {
    "a function": {"tools": [function(f"lookup_patient_{ID}")]},
    "an old function": {"functions": [{"name": f"lookup_patient_{ID}"}]},
    "the choice of a function": {
        "tools": [function()],
        "tool_choice": {"type": "function", "function": {"name": f"f_{ID}"}},
    },
    "a custom tool": {"tools": [{"type": "custom", "custom": {"name": f"t_{ID}"}}]},
    "a speaker": {"messages": [{"role": "user", "name": f"patient_{ID}", "content": "x"}]},
    "a call": {
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": f"f_{ID}", "arguments": "{}"}}],
            },
        ]
    },
    "a property": {"tools": [function(properties={f"patient_{ID}": {"type": "string"}})]},
    "a pattern of properties": {"tools": [function(patternProperties={f"^{ID}": {}})]},
    "a definition": {"tools": [function(definitions={f"p{ID}": {}})]},
    "a dependency": {"tools": [function(dependentRequired={ID: ["x"]})]},
    "a property of the reply": {"response_format": schema(f"patient_{ID}")},
    "the name of a reply's schema": {"response_format": {"type": "json_schema", "json_schema": {"name": f"r_{ID}"}}},
}


@pytest.mark.parametrize("place", NAMES)
async def test_an_identifier_in_a_name_keeps_the_request_home(bundle: Bundle, place: str) -> None:
    script = planted(bundle)
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Please help."}], **NAMES[place]}
    reply = await script.send(body)
    assert script.external.calls == []
    assert reply.headers["x-phigate-mode"] == "keep_onprem"
    assert ID in str(script.onprem.calls[0][1])


async def test_an_identifier_in_a_key_is_renamed_everywhere_and_restored(bundle: Bundle) -> None:
    script = planted(bundle)
    arguments = json.dumps({f"patient {ID}": {"Maria Souza": 1}, "who": "Maria Souza"})
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": arguments}}
    answer = {"arguments": '{"[[MRN_1]]":{"[[PERSON_1]]":"[[MRN_1]]"}}', "name": "find"}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "d", "type": "function", "function": answer}],
    }
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    script.external.reply_body = json.dumps(body).encode()
    reply = await script.send(
        {
            "model": "gpt-5",
            "tools": [function()],
            "messages": [
                {"role": "user", "content": f"Find {ID}."},
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": json.dumps({ID: {"name": "Maria Souza"}})},
            ],
        }
    )
    sent: Any = script.external.calls[0][1]
    assert json.loads(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {
        "patient [[MRN_1]]": {"[[PERSON_1]]": 1},
        "who": "[[PERSON_1]]",
    }
    assert json.loads(sent["messages"][2]["content"]) == {"[[MRN_1]]": {"name": "[[PERSON_1]]"}}
    back = json.loads(reply.body or b"")["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(back) == {ID: {"Maria Souza": ID}}


LABELS = listed(
    "mrn MRN ssn SSN cpf CPF cns dob DOB npi patient patient_name patientName PatientName name first_name lastName"
    " birthDate data_nascimento nome nome_mae mother_name doctor physician provider ward bed unit clinic hospital city"
    " state zip address phone email ip account Patientenname Geburtsdatum fecha_nacimiento nombre_paciente apellidos"
    " prenom date_naissance medecin getPatient"
)


@pytest.mark.parametrize("label", sorted(LABELS))
async def test_words_that_label_values_never_rename_a_key(bundle: Bundle, label: str) -> None:
    analyzer = PresidioAnalyzer(bundle)
    script = Script(bundle, analyzer=analyzer)  # type: ignore[arg-type]  # the real one in the fake's place
    script.answers("Rest.")
    properties = {label: {"type": "string"}}
    await script.send(
        {
            "model": "gpt-5",
            "tools": [function(properties=properties, required=[label])],
            "messages": [
                {"role": "user", "content": "Please help."},
                {"role": "tool", "tool_call_id": "c", "content": json.dumps({label: "see above"})},
            ],
        }
    )
    await analyzer.close()
    sent: Any = script.external.calls[0][1]
    assert list(sent["tools"][0]["function"]["parameters"]["properties"]) == [label]
    assert sent["tools"][0]["function"]["parameters"]["required"] == [label]
    assert list(json.loads(sent["messages"][1]["content"])) == [label]
