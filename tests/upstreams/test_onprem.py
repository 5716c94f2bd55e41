"""One call through the OnPrem port, against real servers on loopback ports."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import pytest
from starlette.applications import Starlette

from phigate.app.standin import Fault, stand_in
from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.upstreams.onprem import OnPremServers
from phigate.upstreams.reply import ReplyLimits, Timeouts
from tests.upstreams.calling import (
    CANARY,
    CHAT,
    SECRET,
    answering,
    body_of,
    drop,
    events_of,
    opened,
    problem_of,
    state_of,
)
from tests.upstreams.serving import Wire, closed_port, onprem, read_request, scripted, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def ward() -> Starlette:
    return stand_in("ward", "m")


async def test_body_arrives_byte_for_byte_and_no_header_but_ours(ward: Starlette) -> None:
    body = body_of(temperature=1e-7, odd={"x": [1.0, 1e400]})
    with served(ward) as url:
        async with opened(secrets={"ward-key": SECRET}) as servers:
            reply = await servers.send(onprem(url, secret="ward-key"), CHAT, body, stream=False)
    assert reply.status == 200
    assert reply.events is None
    assert reply.body is not None
    assert CANARY in json.loads(reply.body)["choices"][0]["message"]["content"]
    [got] = state_of(ward).received
    assert got.body == body
    assert dict(got.headers) == {
        "host": url.removeprefix("http://"),
        "accept": "application/json",
        "authorization": f"Bearer {SECRET}",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }


async def test_stream_yields_every_event_without_done_and_keeps_the_connection(ward: Starlette) -> None:
    with served(ward) as url:
        async with opened() as servers:
            events = await events_of(await servers.send(onprem(url), CHAT, body_of(stream=True), stream=True))
            again = await events_of(await servers.send(onprem(url), CHAT, body_of(stream=True), stream=True))
    assert events == again
    text = "".join(json.loads(e)["choices"][0]["delta"].get("content") or "" for e in events)
    assert CANARY in text
    assert not any(b"[DONE]" in event for event in events)


async def test_one_connection_serves_many_calls() -> None:
    def serve(connection: socket.socket, wire: Wire) -> None:
        while read_request(connection, wire):
            streamed = b'"stream":true' in wire.requests[-1]
            kind = b"text/event-stream" if streamed else b"application/json"
            content = b'data: {"a":1}\n\ndata: [DONE]\n\n' if streamed else b'{"a":1}'
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (kind, len(content))
            )
            connection.sendall(content)

    with scripted(serve) as wire:
        async with opened() as servers:
            for _ in range(3):
                await servers.send(onprem(wire.url), CHAT, b'{"stream":false}', stream=False)
                reply = await servers.send(onprem(wire.url), CHAT, b'{"stream":true}', stream=True)
                assert await events_of(reply) == [b'{"a":1}']
        assert len(wire.requests) == 6
        assert wire.connections == 1


async def test_environment_cannot_redirect(ward: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with served(ward) as url:
        async with opened() as servers:
            assert (await servers.send(onprem(url), CHAT, body_of(), stream=False)).status == 200


@pytest.mark.parametrize(
    ("prefix", "path"), [("", ""), ("/", ""), ("/v1", ""), ("/v1/", ""), ("/a/b", "/a/b"), ("/a/v1", "/a")]
)
async def test_endpoint_may_carry_a_path_prefix(prefix: str, path: str) -> None:
    with scripted(answering(200, b'{"a":1}')) as wire:
        async with opened() as servers:
            await servers.send(onprem(wire.url + prefix), CHAT, b"{}", stream=False)
    assert wire.requests[0].startswith(f"POST {path}/v1/chat/completions HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_error_about_the_request_is_passed_on_as_it_is(status: int) -> None:
    error = b'{"error": {"message": "max_tokens is too large", "type": "BadRequestError", "code": 400}}'
    with scripted(answering(status, error)) as wire:
        async with opened() as servers:
            for stream in (False, True):
                reply = await servers.send(onprem(wire.url), CHAT, b"{}", stream=stream)
                assert (reply.status, reply.body, reply.events) == (status, error, None)
            assert servers.healthy(onprem(wire.url))


@pytest.mark.parametrize(
    ("status", "extra", "kind", "code", "message"),
    [
        (400, b"", BadReplyError, "upstream_error", "`ward` failed (HTTP 400)"),
        (422, b"", BadReplyError, "upstream_error", "`ward` failed (HTTP 422)"),
        (401, b"", BadReplyError, "upstream_key", None),
        (403, b"", BadReplyError, "upstream_key", None),
        (404, b"", BadReplyError, "upstream_model", None),
        (307, b"location: http://127.0.0.1:9/\r\n", BadReplyError, "upstream_redirect", None),
        (429, b"retry-after: 7\r\n", UnavailableError, "upstream_busy", "`ward` is busy (HTTP 429); try again"),
        (503, b"retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n", UnavailableError, "upstream_busy", None),
        (502, b"", UnavailableError, "upstream_unreachable", None),
        (504, b"", UnavailableError, "upstream_unreachable", None),
        (500, b"", BadReplyError, "upstream_error", "`ward` failed (HTTP 500)"),
        (201, b"", BadReplyError, "upstream_error", None),
    ],
)
async def test_other_statuses_become_errors_without_text_of_the_reply(
    status: int, extra: bytes, kind: type[PeerError], code: str, message: str | None
) -> None:
    content = json.dumps({"detail": f"could not handle {CANARY}"}, ensure_ascii=False).encode()
    with scripted(answering(status, content, extra=extra)) as wire:
        problem = await problem_of(wire.url)
    assert type(problem) is kind
    assert problem.code == code
    if message is not None:
        assert str(problem) == message
    assert problem.retry_after_s == (7 if status == 429 else 1)


@pytest.mark.parametrize(
    ("content", "kind", "extra"),
    [
        (b"<html>", b"text/html", b""),
        (b"[1]", b"application/json", b""),
        (b'{"a":', b"application/json", b""),
        (b"[" * 100_000, b"application/json", b""),
        (b'{"a": "\xff"}', b"application/json", b""),
        (b'{"a": 1}', b"application/json", b"content-encoding: gzip\r\n"),
        (b'{"a": 1}', b"text/event-stream", b""),
    ],
)
async def test_garbage_is_noanswering(content: bytes, kind: bytes, extra: bytes) -> None:
    with scripted(answering(200, content, kind=kind, extra=extra)) as wire:
        problem = await problem_of(wire.url)
    assert type(problem) is BadReplyError
    assert problem.code == "upstream_reply"


async def test_stream_that_is_no_stream_is_refused() -> None:
    with scripted(answering(200, b'{"a": 1}')) as wire:
        problem = await problem_of(wire.url, stream=True)
    assert str(problem) == "`ward` answered with a media type other than `text/event-stream`"


async def test_not_http_is_refused() -> None:
    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        connection.sendall(b"220 smtp ready\r\n")

    with scripted(serve) as wire:
        problem = await problem_of(wire.url)
    assert str(problem) == "`ward` does not speak HTTP"


async def test_nobody_listens() -> None:
    problem = await problem_of(f"http://127.0.0.1:{closed_port()}")
    assert type(problem) is UnavailableError
    assert problem.code == "upstream_unreachable"
    assert problem.sent == (0, b"")


@pytest.mark.parametrize(
    ("fault", "stream", "kind", "code"),
    [
        (Fault.HANG, False, UnavailableError, "upstream_timeout"),
        (Fault.HANG, True, UnavailableError, "upstream_timeout"),
        (Fault.HANG_MIDWAY, True, BadReplyError, "upstream_timeout"),
        (Fault.CLOSE_MIDWAY, True, BadReplyError, "upstream_broke"),
        (Fault.CLOSE_MIDWAY, False, BadReplyError, "upstream_broke"),
        (Fault.NO_DONE, True, BadReplyError, "upstream_broke"),
        (Fault.ERROR_MIDWAY, True, BadReplyError, "upstream_error"),
        (Fault.ERROR, True, BadReplyError, "upstream_error"),
        (Fault.GARBAGE, False, BadReplyError, "upstream_reply"),
        (Fault.BUSY, False, UnavailableError, "upstream_busy"),
        (Fault.REDIRECT, False, BadReplyError, "upstream_redirect"),
    ],
)
async def test_faults_of_a_server(
    ward: Starlette, *, fault: Fault, stream: bool, kind: type[PeerError], code: str
) -> None:
    state_of(ward).fault = fault
    with served(ward) as url:
        problem = await problem_of(url, stream=stream)
    assert type(problem) is kind
    assert problem.code == code
    assert len(state_of(ward).received) == 1


async def test_answers_are_bounded_whole_and_streamed(ward: Starlette) -> None:
    limits = ReplyLimits(body_bytes=100_000)
    state_of(ward).fault = Fault.HUGE
    with served(ward) as url:
        assert (await problem_of(url, limits=limits)).code == "upstream_too_large"

    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(100):
            connection.sendall(b'data: {"x": "' + b"y" * 4_000 + b'"}\n\n')

    with scripted(serve) as wire:
        assert (await problem_of(wire.url, stream=True, limits=limits)).code == "upstream_too_large"


async def test_slow_but_steady_stream_passes_until_the_total_time_is_over() -> None:
    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(40):
            connection.sendall(b'data: {"a":1}\n\n')
            gone.wait(0.05)

    gone = threading.Event()
    with scripted(serve) as wire:
        problem = await problem_of(wire.url, stream=True, timeouts=Timeouts(1, 0.4, 0.4, 0.7))
        gone.set()
    assert problem.code == "upstream_timeout"


async def test_closing_the_stream_closes_the_socket_even_before_the_first_event() -> None:
    seen_gone = threading.Event()

    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"a":1}\n\n')
        if connection.recv(1) == b"":
            seen_gone.set()

    with scripted(serve) as wire:
        async with opened(timeouts=Timeouts()) as servers:
            reply = await servers.send(onprem(wire.url), CHAT, b"{}", stream=True)
            await drop(reply)
            assert await asyncio.to_thread(seen_gone.wait, 5)
            assert await events_of(reply) == []
            seen_gone.clear()
            reply = await servers.send(onprem(wire.url), CHAT, b"{}", stream=True)
            assert reply.events is not None
            assert await anext(reply.events) == b'{"a":1}'
            await drop(reply)
            await drop(reply)
            assert await asyncio.to_thread(seen_gone.wait, 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_a_call_closes_the_socket(*, stream: bool) -> None:
    seen_gone, began = threading.Event(), threading.Event()

    def serve(connection: socket.socket, wire: Wire) -> None:
        read_request(connection, wire)
        if stream:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        began.set()
        if connection.recv(1) == b"":
            seen_gone.set()

    async def call(servers: OnPremServers, url: str) -> None:
        await events_of(await servers.send(onprem(url), CHAT, b"{}", stream=stream))

    with scripted(serve) as wire:
        async with opened(timeouts=Timeouts()) as servers:
            task = asyncio.create_task(call(servers, wire.url))
            assert await asyncio.to_thread(began.wait, 5)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(seen_gone.wait, 5)
