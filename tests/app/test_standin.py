from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionToolParam

from phigate.app.standin import ConstantStandIn, Fault, stand_in
from tests.upstreams.serving import served

NOTE = "O paciente João da Conceição, 12/03/2024. Ask [[PERSON_1]] about [[DATE_2+12d]] and 123.456.789-09."


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(stand_in("ward", "m", record=3)) as base:
        yield base


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as made:
        yield made


def test_answer_repeats_names_dates_and_surrogates(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": NOTE}])
    text = reply.choices[0].message.content or ""
    for mention in ("João da Conceição", "12/03/2024", "[[PERSON_1]]", "[[DATE_2+12d]]", "123.456.789-09"):
        assert mention in text
    assert reply.usage is not None
    again = client.chat.completions.create(model="m", messages=[{"role": "user", "content": NOTE}])
    assert again == reply


def test_stream_holds_the_same_text_and_cuts_surrogates(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="m", messages=[{"role": "user", "content": NOTE}], n=2)
    with client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": NOTE}],
        n=2,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)
    texts = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {c.index: c.message.content for c in whole.choices}
    assert texts[0] != texts[1]
    assert chunks[-1].usage is not None
    assert not any("[[PERSON_1]]" in (c.delta.content or "") for chunk in chunks for c in chunk.choices)


def test_tools_are_called_with_what_was_mentioned(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {
            "who": {"type": "string"},
            "when": {"type": "array", "items": {"type": "string"}},
            "urgent": {"type": "boolean"},
            "count": {"type": "integer"},
            "kind": {"enum": ["a", "b"]},
        },
    }
    tools: list[ChatCompletionToolParam] = [
        {"type": "function", "function": {"name": "other"}},
        {"type": "function", "function": {"name": "book", "parameters": schema}},
    ]
    reply = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": [{"type": "text", "text": NOTE}]}],
        tools=tools,
        tool_choice={"type": "function", "function": {"name": "book"}},
    )
    assert reply.choices[0].finish_reason == "tool_calls"
    calls = reply.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "book"
    assert json.loads(calls[0].function.arguments) == {
        "who": "João da Conceição",
        "when": ["12/03/2024"],
        "urgent": True,
        "count": 1,
        "kind": "a",
    }
    with client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": NOTE}], tools=tools, stream=True
    ) as stream:
        names = [c.function.name for chunk in stream for c in chunk.choices[0].delta.tool_calls or () if c.function]
    assert names[0] == "other"


def test_structured_output_fits_its_schema(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": NOTE}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
    )
    assert json.loads(reply.choices[0].message.content or "") == {"a": "João da Conceição"}
    reply = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "oi"}], response_format={"type": "json_object"}
    )
    assert json.loads(reply.choices[0].message.content or "")["about"] == []


def test_received_holds_the_exact_bytes_of_the_last_requests(url: str) -> None:
    bodies = [b'{"x": %d, "bad": "\xff"}' % n for n in range(5)]
    for body in bodies:
        assert httpx.post(f"{url}/v1/chat/completions", content=body).status_code == 400
    rows = httpx.get(f"{url}/received").json()["requests"]
    assert [base64.b64decode(row["body_base64"]) for row in rows] == bodies[-3:]
    assert ["host", url.removeprefix("http://")] in rows[0]["headers"]


def test_unknown_model_is_404_and_unknown_fault_400(url: str, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="x", messages=[{"role": "user", "content": "a"}])
    assert httpx.put(f"{url}/fault", content=b"nonsense").status_code == 400
    assert httpx.get(f"{url}/v1/models").json()["data"][0]["id"] == "m"


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.ERROR, 500), (Fault.BUSY, 429), (Fault.BAD_REQUEST, 400), (Fault.REDIRECT, 307), (Fault.GARBAGE, 200)],
)
def test_faults_answer_as_named(url: str, fault: Fault, status: int) -> None:
    assert httpx.put(f"{url}/fault", content=fault.value).status_code == 204
    try:
        assert httpx.post(f"{url}/v1/chat/completions", json={"model": "m"}).status_code == status
        if fault is Fault.ERROR:
            assert httpx.get(f"{url}/v1/models").status_code == 500
    finally:
        httpx.put(f"{url}/fault", content=Fault.NONE.value)


def test_constant_stand_in_answers_the_same_whole_and_streamed() -> None:
    with served(ConstantStandIn("m", reply_chars=100)) as base:
        client = openai.OpenAI(base_url=f"{base}/v1", api_key="k")
        whole = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "a"}])
        with client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "a"}], stream=True
        ) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert text == whole.choices[0].message.content
        assert len(text) == 100
        assert client.models.list().data[0].id == "m"
        client.close()
