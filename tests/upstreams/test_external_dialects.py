"""Providers that speak another dialect than OpenAI's, through litellm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette

from phigate.app.standin import stand_in
from phigate.errors import BadReplyError
from phigate.upstreams.reply import NOTHING_SENT
from tests.upstreams.calling import answering, events_of
from tests.upstreams.outside import TEXT, models, outside, outside_problem, release
from tests.upstreams.serving import scripted

# litellm and pydantic warn about each other; `_load` silences them, and pytest forgets that between tests.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:::pydantic"),
    pytest.mark.filterwarnings("ignore:::litellm"),
]


@pytest.fixture
def cloud() -> Starlette:
    return stand_in("cloud", "gpt-eu")


async def test_azure_is_spoken_to_by_deployment(cloud: Starlette) -> None:
    content = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}).encode()
    with scripted(answering(200, content)) as wire:
        async with models() as made:
            reply = await made.send(outside("", endpoint=wire.url, provider="azure"), release(), stream=False)
    assert reply.body == content
    head = wire.requests[0].split(b"\r\n\r\n")[0]
    assert head.startswith(b"POST /openai/deployments/gpt-eu/chat/completions?api-version=2024-10-21 HTTP/1.1")
    assert b"api-key: sk-1" in head


async def _collect(events: AsyncIterator[bytes], into: list[bytes]) -> None:
    async for event in events:
        into.append(event)  # noqa: PERF401 - what came before the end must not be lost with it


def _delta_texts(events: list[bytes]) -> str:
    return "".join(c["delta"].get("content") or "" for e in events for c in json.loads(e)["choices"])


TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
    },
}
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [
        {"type": "text", "text": "See [[PERSON_1]]."},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": "é"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}
GEMINI = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "See [[PERSON_1]]."}]}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7},
    "modelVersion": "gemini",
}


def _sse(*events: dict[str, Any], named: bool) -> bytes:
    return b"".join(
        (f"event: {e['type']}\n".encode() if named else b"") + b"data: " + json.dumps(e).encode() + b"\n\n"
        for e in events
    )


CLAUDE_STREAM = (
    {"type": "message_start", "message": {**CLAUDE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "See [[PER"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "SON_1]]."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a": "é"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)


async def test_anthropic_is_translated_whole_and_streamed() -> None:
    to_url = "/v1/messages"
    with scripted(answering(200, json.dumps(CLAUDE).encode())) as wire:
        async with models() as made:
            to = outside("", endpoint=wire.url, provider="anthropic")
            reply = await made.send(to, release(tools=[TOOL], max_tokens=9), stream=False)
    assert reply.body is not None
    [choice] = json.loads(reply.body)["choices"]
    assert choice["message"]["content"] == "See [[PERSON_1]]."
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"a": "é"}
    assert choice["finish_reason"] == "tool_calls"
    assert json.loads(reply.body)["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST {to_url} HTTP/1.1".encode())
    assert b"x-api-key: sk-1" in head
    assert reply.sent == (len(body), body[:8])
    with scripted(answering(200, _sse(*CLAUDE_STREAM, named=True), kind=b"text/event-stream")) as wire:
        async with models() as made:
            to = outside("", endpoint=f"{wire.url}/v1", provider="anthropic")
            events = await events_of(await made.send(to, release(stream=True, max_tokens=9), stream=True))
    assert wire.requests[0].startswith(f"POST {to_url} HTTP/1.1".encode())
    assert _delta_texts(events) == "See [[PERSON_1]]."
    calls = [c for e in events for x in json.loads(e)["choices"] for c in x["delta"].get("tool_calls", ())]
    assert json.loads("".join(c["function"].get("arguments") or "" for c in calls)) == {"a": "é"}
    assert [x["finish_reason"] for e in events for x in json.loads(e)["choices"] if x["finish_reason"]] == [
        "tool_calls"
    ]


async def test_translated_stream_that_breaks_off_is_not_given_a_made_up_end() -> None:
    broken = _sse(*CLAUDE_STREAM[:4], named=True)
    with scripted(answering(200, broken, kind=b"text/event-stream")) as wire:
        async with models() as made:
            to = outside("", endpoint=wire.url, provider="anthropic")
            reply = await made.send(to, release(stream=True, max_tokens=9), stream=True)
            assert reply.events is not None
            events: list[bytes] = []
            with pytest.raises(BadReplyError) as caught:
                await _collect(reply.events, events)
    assert caught.value.code == "upstream_broke"
    assert not any(x["finish_reason"] for e in events for x in json.loads(e)["choices"])


async def test_gemini_is_translated_whole_and_streamed() -> None:
    with scripted(answering(200, json.dumps(GEMINI).encode())) as wire:
        async with models() as made:
            to = outside("", endpoint=wire.url, provider="gemini")
            reply = await made.send(to, release(max_tokens=9, tools=[TOOL]), stream=False)
    assert reply.body is not None
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == "See [[PERSON_1]]."
    assert wire.requests[0].startswith(b"POST /v1beta/models/gpt-eu:generateContent HTTP/1.1")
    with scripted(answering(200, _sse(GEMINI, named=False), kind=b"text/event-stream")) as wire:
        async with models() as made:
            to = outside("", endpoint=f"{wire.url}/v1beta", provider="gemini")
            events = await events_of(await made.send(to, release(stream=True), stream=True))
    assert wire.requests[0].startswith(b"POST /v1beta/models/gpt-eu:streamGenerateContent?alt=sse HTTP/1.1")
    assert _delta_texts(events) == "See [[PERSON_1]]."


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
async def test_provider_errors_in_other_dialects_keep_their_words_to_themselves(provider: str) -> None:
    words = json.dumps({"type": "error", "error": {"type": "api_error", "message": TEXT}}).encode()
    for status, code in ((500, "upstream_error"), (529, "upstream_error"), (429, "upstream_busy")):
        with scripted(answering(status, words)) as wire:
            to = outside("", endpoint=wire.url, provider=provider)
            for stream in (False, True):
                problem = await outside_problem(to, release(max_tokens=9, stream=stream), stream=stream)
                assert problem.code == code
        assert len(wire.requests) == 2


async def test_field_that_a_provider_does_not_know_is_named_and_nothing_is_sent() -> None:
    with scripted(answering(200, b"{}")) as wire:
        async with models() as made:
            to = outside("", endpoint=wire.url, provider="anthropic")
            reply = await made.send(to, release(logit_bias={"1": 1}, max_tokens=9), stream=False)
    assert wire.requests == []
    assert reply.status == 400
    assert reply.sent == NOTHING_SENT
    assert reply.body is not None
    assert json.loads(reply.body)["error"] == {
        "message": "the model at `eu-cloud` does not take logit_bias",
        "type": "invalid_request_error",
        "param": "logit_bias",
        "code": "unsupported_parameter",
    }
