"""The official client against the served gateway: whole and streamed, with tools, with errors."""

import json
from typing import Any

import openai
import pytest

from tests.e2e.house import House

NOTE = (
    "Please summarise for the family doctor. Patient: Helena Brandão Moreira, DOB 14/03/1968, MRN 48210377, phone "
    "(617) 555-0148. Troponin 0.02 ng/mL, creatinine 1.1 mg/dL. Ceftriaxone 1 g daily for five days."
)
SECRETS = ("Helena", "Brandão", "Moreira", "14/03/1968", "48210377", "555-0148")
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "find_patient",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_a_note_leaves_scrubbed_and_comes_back_whole(home: House) -> None:
    before = home.total("external")
    raw = home.client().chat.completions.with_raw_response.create(model="gpt-5", messages=user(NOTE))
    reply = raw.parse()
    outside = "".join(home.since("external", before))
    assert raw.headers["x-phigate-mode"] == "send_scrubbed"
    assert [s for s in SECRETS if s in outside] == []
    assert "Helena Brandão Moreira" in (reply.choices[0].message.content or "")
    assert "[[" not in (reply.choices[0].message.content or "")


def test_a_stream_gives_the_same_text_as_the_whole_reply(home: House) -> None:
    client = home.client()
    whole = client.chat.completions.create(model="gpt-5", messages=user(NOTE)).choices[0].message.content
    chunks = client.chat.completions.create(model="gpt-5", messages=user(NOTE), stream=True)
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert streamed == whole


def test_several_choices_are_restored_each_for_itself(home: House) -> None:
    client = home.client()
    chunks = client.chat.completions.create(model="gpt-5", messages=user(NOTE), stream=True, n=3)
    texts: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    assert len(texts) == 3
    assert all("Helena Brandão Moreira" in text for text in texts.values())


@pytest.mark.parametrize("stream", [False, True])
def test_tool_arguments_come_back_with_the_name_in_them(home: House, stream: bool) -> None:
    client = home.client()
    asked: Any = {"model": "gpt-5", "messages": user(NOTE), "tools": [TOOL], "tool_choice": "required"}
    if stream:
        arguments = ""
        for chunk in client.chat.completions.create(**asked, stream=True):
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or []:
                    arguments += (call.function and call.function.arguments) or ""
    else:
        calls = client.chat.completions.create(**asked).choices[0].message.tool_calls
        arguments = calls[0].function.arguments if calls else ""
    assert json.loads(arguments)["name"] == "Helena Brandão Moreira"


def test_an_image_is_answered_by_the_house(home: House) -> None:
    before = home.total("external")
    message: Any = [
        {
            "role": "user",
            # Text of its own: what was once kept home with an image stays home in later turns, too.
            "content": [
                {"type": "text", "text": f"The film of {NOTE}"},
                {"type": "image_url", "image_url": {"url": PIXEL}},
            ],
        }
    ]
    raw = home.client().chat.completions.with_raw_response.create(model="gpt-5", messages=message)
    assert raw.headers["x-phigate-mode"] == "keep_onprem"
    assert raw.headers["x-phigate-destination"] == "medgemma"
    assert raw.parse().model == "medgemma-27b-it"
    assert home.total("external") == before
    assert "Helena Brandão Moreira" in home.received("onprem")[-1]


def test_a_remote_image_is_refused_for_every_destination(home: House) -> None:
    message: Any = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://pacs.example/1.png"}}]}
    ]
    with pytest.raises(openai.BadRequestError) as caught:
        home.client().chat.completions.create(model="gpt-5", messages=message)
    assert caught.value.code == "remote_url_refused"


def test_a_missing_and_a_wrong_key_are_401(home: House) -> None:
    for key in ("pg_wrong", "x"):
        with pytest.raises(openai.AuthenticationError):
            home.client(key).models.list()


def test_the_models_of_the_app_are_listed(home: House) -> None:
    names = [model.id for model in home.client().models.list()]
    assert "clinical" in names


@pytest.mark.parametrize("path", ["/embeddings", "/files", "/completions", "/responses", "/audio/speech"])
def test_no_other_path_is_passed_through(home: House, path: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        home.client().post(path, body={"model": "gpt-5", "input": NOTE}, cast_to=object)
    assert caught.value.code == "unknown_path"


def test_each_answer_names_its_record_and_the_ledger_verifies(home: House) -> None:
    raw = home.client().chat.completions.with_raw_response.create(model="gpt-5", messages=user(NOTE))
    index = int(raw.headers["x-phigate-record"].rpartition("#")[2])
    entries = home.entries()
    assert entries[index]["kind"] == "intent"
    assert entries[index]["mode"] == "send_scrubbed"
    assert any(e["kind"] == "outcome" and e["intent"]["idx"] == index for e in entries)
    done = home.phigate("ledger", "verify", "--config", str(home.site))
    assert done.returncode == 0, done.stdout + done.stderr


def test_readyz_and_metrics_answer_without_a_key_and_without_text(home: House) -> None:
    ready = json.loads(home.get("/readyz"))
    assert ready["ready"] is True
    assert ready["signed_by"] == ["development"]
    assert "phigate_exchanges" in home.get("/metrics")


def test_no_canary_is_in_any_byte_that_the_gateway_keeps(home: House) -> None:
    canary = "Zyxwvuta Qrstomel"
    client = home.client()
    client.chat.completions.create(model="gpt-5", messages=user(f"Patient: {canary}, MRN 99887766, {NOTE}"))
    list(client.chat.completions.create(model="gpt-5", messages=user(f"Mrs {canary}: {NOTE}"), stream=True))
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"model": canary, "messages": canary}, cast_to=object)
    kept = home.every_byte() + home.get("/metrics").encode() + home.get("/readyz").encode()
    kept += str(caught.value.body).encode()
    for word in (*canary.split(), "99887766", *SECRETS):
        assert word.encode() not in kept
