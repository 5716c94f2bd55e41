"""The External port: litellm behind the border, against servers on loopback ports."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import pytest
from starlette.applications import Starlette

from phigate.app.standin import Fault, stand_in
from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.policy.decision import DestinationKind
from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.external import offered
from phigate.upstreams.reply import NOTHING_SENT, ReplyLimits, Timeouts
from tests.upstreams.calling import answering, drop, events_of, state_of
from tests.upstreams.outside import TEXT, exchange, models, outside, outside_problem, release
from tests.upstreams.serving import Wire, closed_port, read_request, scripted, served

# litellm and pydantic warn about each other; `_load` silences them, and pytest forgets that between tests.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:::pydantic"),
    pytest.mark.filterwarnings("ignore:::litellm"),
]


@pytest.fixture
def cloud() -> Starlette:
    return stand_in("cloud", "gpt-eu")


async def test_whole_answer_passes_as_the_provider_sent_it(cloud: Starlette) -> None:
    with served(cloud) as url:
        async with models() as made:
            what = release(n=2, temperature=0.5, seed=3, reasoning_effort="low", logprobs=True, top_logprobs=1)
            reply = await made.send(outside(url), what, stream=False)
    assert reply.status == 200
    assert reply.body is not None
    choices = json.loads(reply.body)["choices"]
    assert len(choices) == 2
    assert "[[DATE_1+3d]]" in choices[1]["message"]["content"]
    [got] = state_of(cloud).received
    assert reply.sent == (len(got.body), got.body[:8])
    assert json.loads(got.body) == {**what.fields}
    assert {name for name, _ in got.headers} == {
        "host",
        "authorization",
        "accept",
        "content-type",
        "content-length",
        "accept-encoding",
        "user-agent",
    }


async def test_stream_passes_event_by_event_with_every_choice_and_tool_call(cloud: Starlette) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}
    with served(cloud) as url:
        async with models() as made:
            what = release(n=2, stream=True, stream_options={"include_usage": True})
            reply = await made.send(outside(url), what, stream=True)
            chunks = [json.loads(event) for event in await events_of(reply)]
            called = await made.send(outside(url), release(tools=[tool], stream=True), stream=True)
            calls = [json.loads(event)["choices"][0]["delta"] for event in await events_of(called)]
    texts = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
    assert all("[[PERSON_1]]" in text for text in texts.values())
    assert chunks[-1]["usage"]["total_tokens"] > 0
    arguments = "".join(c["function"]["arguments"] for d in calls for c in d.get("tool_calls", ()))
    assert json.loads(arguments) == {"a": "[[PERSON_1]]"}
    sent = state_of(cloud).received[0].body
    assert reply.sent == (len(sent), sent[:8])


async def test_connection_is_used_again_after_a_stream() -> None:
    def serve(connection: socket.socket, wire: Wire) -> None:
        while read_request(connection, wire):
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            connection.sendall(b"e\r\ndata: [DONE]\n\n\r\n")
            connection.sendall(b"0\r\n\r\n")

    with scripted(serve) as wire:
        async with models() as made:
            for _ in range(3):
                assert await events_of(await made.send(outside(wire.url), release(stream=True), stream=True)) == []
        assert (wire.connections, len(wire.requests)) == (1, 3)


async def test_environment_cannot_redirect(cloud: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = f"http://127.0.0.1:{closed_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, elsewhere)
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    with served(cloud) as url:
        async with models() as made:
            assert (await made.send(outside(url), release(), stream=False)).status == 200
    assert ("authorization", "Bearer sk-1") in state_of(cloud).received[0].headers


async def test_forbidden_value_is_stopped_and_the_provider_stays_healthy(cloud: Starlette) -> None:
    what = release(messages=[{"role": "user", "content": f"{TEXT} ZULMIRA  QUIXADA"}])
    with served(cloud) as url:
        async with models(tolerance=Tolerance(failures=1)) as made:
            for stream in (False, True):
                with pytest.raises(BadReplyError) as caught:
                    await made.send(outside(url), what, stream=stream)
                assert caught.value.code == "border_stopped"
                assert caught.value.sent == NOTHING_SENT
            assert made.healthy(outside(url))
    assert not state_of(cloud).received


@pytest.mark.parametrize(
    ("fields", "covers", "shown"),
    [
        ({"user": "a"}, (), "user"),
        ({"metadata": {}}, (), "metadata"),
        ({"api_base": "http://127.0.0.1:1"}, (), "api_base"),
        ({"fallbacks": ["gpt"]}, (), "fallbacks"),
        ({"mock_response": "hi"}, (), "mock_response"),
        ({"extra_body": {}}, (), "extra_body"),
        ({"Zulmira": 1}, (), "unknown to the API"),
        ({"client": 1}, (), "unknown to the API"),
        ({"store": True}, (), "store"),
        ({"web_search_options": {}}, ("store",), "web_search_options"),
    ],
)
async def test_field_that_should_not_be_here_is_stopped(
    cloud: Starlette, fields: dict[str, Any], covers: tuple[str, ...], shown: str
) -> None:
    with served(cloud) as url:
        problem = await outside_problem(outside(url, covers=frozenset(covers)), release(**fields))
    assert str(problem) == f"the border to `eu-cloud` stopped a field ({shown}); nothing was sent"
    assert problem.sent == NOTHING_SENT
    assert not state_of(cloud).received


async def test_field_that_a_contract_covers_passes(cloud: Starlette) -> None:
    with served(cloud) as url:
        async with models() as made:
            to = outside(url, covers=frozenset({"store"}))
            assert (await made.send(to, release(store=False), stream=False)).status == 200
    assert json.loads(state_of(cloud).received[0].body)["store"] is False


@pytest.mark.parametrize(
    ("fault", "stream", "kind", "code"),
    [
        (Fault.ERROR, False, BadReplyError, "upstream_error"),
        (Fault.ERROR, True, BadReplyError, "upstream_error"),
        (Fault.BUSY, False, UnavailableError, "upstream_busy"),
        (Fault.REDIRECT, True, BadReplyError, "upstream_redirect"),
        (Fault.HANG, False, UnavailableError, "upstream_timeout"),
        (Fault.HANG, True, UnavailableError, "upstream_timeout"),
        (Fault.HANG_MIDWAY, True, BadReplyError, "upstream_timeout"),
        (Fault.CLOSE_MIDWAY, True, BadReplyError, "upstream_broke"),
        (Fault.CLOSE_MIDWAY, False, BadReplyError, "upstream_broke"),
        (Fault.NO_DONE, True, BadReplyError, "upstream_broke"),
        (Fault.ERROR_MIDWAY, True, BadReplyError, "upstream_error"),
        (Fault.GARBAGE, False, BadReplyError, "upstream_reply"),
        (Fault.HUGE, False, BadReplyError, "upstream_too_large"),
    ],
)
async def test_faults_of_a_provider_say_what_left_and_nothing_of_its_words(
    cloud: Starlette, fault: Fault, *, stream: bool, kind: type[PeerError], code: str
) -> None:
    state_of(cloud).fault = fault
    limits = ReplyLimits(body_bytes=100_000)
    with served(cloud) as url:
        problem = await outside_problem(outside(url), stream=stream, limits=limits)
    assert type(problem) is kind
    assert problem.code == code
    assert len(state_of(cloud).received) == 1
    body = state_of(cloud).received[0].body
    assert problem.sent == (len(body), body[:8])
    assert problem.retry_after_s == (7 if fault is Fault.BUSY else 1)


async def test_nobody_listens_and_nothing_left() -> None:
    problem = await outside_problem(outside(f"http://127.0.0.1:{closed_port()}"))
    assert isinstance(problem, UnavailableError)
    assert (problem.code, problem.sent) == ("upstream_unreachable", NOTHING_SENT)


@pytest.mark.parametrize(
    ("error", "code", "param"),
    [
        (
            {"message": TEXT, "code": "context_length_exceeded", "param": "messages"},
            "context_length_exceeded",
            "messages",
        ),
        ({"message": TEXT, "code": TEXT, "param": TEXT}, "upstream_http_400", None),
        ({"message": TEXT, "code": 3, "param": ["n"]}, "upstream_http_400", None),
        (TEXT, "upstream_http_400", None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_error_about_the_request_is_told_in_our_words(
    error: object, code: str, param: str | None, *, stream: bool
) -> None:
    with scripted(answering(400, json.dumps({"error": error}).encode())) as wire:
        async with models() as made:
            reply = await made.send(outside(wire.url), release(stream=stream), stream=stream)
            assert made.healthy(outside(wire.url))
    assert reply.status == 400
    assert reply.body is not None
    assert b"PERSON_1" not in reply.body
    assert json.loads(reply.body)["error"] == {
        "message": "`eu-cloud` does not accept this request (HTTP 400); its own words are withheld",
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }
    assert reply.sent is not None
    assert reply.sent[0] > 0


async def test_closing_the_stream_closes_the_socket_even_before_the_first_event() -> None:
    gone = threading.Event()

    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"a":1}\n\n')
        if connection.recv(1) == b"":
            gone.set()

    with scripted(serve) as wire:
        async with models(timeouts=Timeouts()) as made:
            reply = await made.send(outside(wire.url), release(stream=True), stream=True)
            await drop(reply)
            assert await asyncio.to_thread(gone.wait, 5)
            assert await events_of(reply) == []
            gone.clear()
            reply = await made.send(outside(wire.url), release(stream=True), stream=True)
            assert reply.events is not None
            assert await anext(reply.events) == b'{"a":1}'
            await drop(reply)
            assert await asyncio.to_thread(gone.wait, 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_a_call_closes_the_socket(*, stream: bool) -> None:
    gone, began = threading.Event(), threading.Event()

    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        if stream:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        began.set()
        if connection.recv(1) == b"":
            gone.set()

    with scripted(serve) as wire:
        async with models(timeouts=Timeouts()) as made:
            task = asyncio.create_task(exchange(made, outside(wire.url), release(stream=stream), stream=stream))
            assert await asyncio.to_thread(began.wait, 20)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(gone.wait, 5)


async def test_provider_that_fails_is_left_alone_and_tried_again_by_a_real_request_alone(cloud: Starlette) -> None:
    state_of(cloud).fault = Fault.ERROR
    with served(cloud) as url:
        async with models(tolerance=Tolerance(failures=2, pause_s=0.2)) as made:
            to = outside(url)
            assert made.healthy(to)
            for _ in range(2):
                with pytest.raises(BadReplyError):
                    await made.send(to, release(), stream=False)
            assert not made.healthy(to)
            with pytest.raises(UnavailableError) as caught:
                await made.send(to, release(), stream=False)
            assert (caught.value.code, caught.value.sent) == ("upstream_open", NOTHING_SENT)
            state_of(cloud).fault = Fault.NONE
            await asyncio.sleep(0.25)
            assert made.healthy(to)
            await made.send(to, release(), stream=False)
            assert made.healthy(to)
    assert [r.path for r in state_of(cloud).received] == ["/v1/chat/completions"] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"provider": "bedrock"},
            "is not offered; expected one of anthropic, azure, gemini, openai",
        ),
        ({"provider": "vertex_ai"}, "is not offered"),
        ({"secret": "other"}, "the secret `other` of `eu-cloud` is not set"),
        ({"endpoint": "http://llm.example/v1"}, "what leaves the house must be https"),
        ({"kind": DestinationKind.ONPREM}, "`eu-cloud` is not outside"),
    ],
)
async def test_destination_that_could_never_be_called(changes: dict[str, Any], message: str) -> None:
    to = outside("http://127.0.0.1:1", **changes)
    async with models() as made:
        assert not made.healthy(to)
        with pytest.raises(UnavailableError, match=message) as caught:
            await made.send(to, release(), stream=False)
    assert (caught.value.code, caught.value.sent) == ("upstream_settings", NOTHING_SENT)


def test_only_providers_that_take_our_network_are_offered() -> None:
    assert [p for p in ("openai", "azure", "anthropic", "gemini", "bedrock", "vertex_ai", "") if offered(p)] == [
        "openai",
        "azure",
        "anthropic",
        "gemini",
    ]
