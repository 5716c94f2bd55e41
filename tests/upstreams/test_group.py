"""Several servers behind one destination, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette

from phigate.app.standin import Fault, stand_in
from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.policy.bundle import Destination
from phigate.policy.load import read
from phigate.store.bundles import load_folder, shipped_folder
from phigate.upstreams.group import Room
from phigate.upstreams.onprem import OnPremServers
from phigate.upstreams.reply import Timeouts
from tests.fakes import FakeMetrics
from tests.upstreams.calling import CHAT, answering, body_of, drop, events_of, opened, state_of
from tests.upstreams.serving import Wire, closed_port, onprem, read_request, scripted, served

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def ward_of(*faults: Fault, **settings: Any) -> AsyncIterator[tuple[OnPremServers, Destination, list[Starlette]]]:
    """Yield a port, a destination of as many servers as faults, and the servers."""
    apps = [stand_in(f"ward-{n}", "m", fault=fault) for n, fault in enumerate(faults)]
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(served(app)) for app in apps]
        async with opened(**settings) as servers:
            yield servers, onprem(urls[0], replicas=tuple(urls[1:])), apps


def counts(apps: list[Starlette]) -> list[int]:
    return [len(state_of(app).received) for app in apps]


def long_body(name: str, turns: int = 1) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": name * 600}] * turns, "model": "m"}).encode()


async def test_parallel_requests_go_to_the_idlest_server() -> None:
    async with ward_of(Fault.SLOW, Fault.SLOW) as (servers, there, apps):
        replies = [await servers.send(there, CHAT, body_of(stream=True), stream=True) for _ in range(4)]
        assert counts(apps) == [2, 2]
        for reply in replies:
            await drop(reply)


async def test_conversation_returns_to_the_server_that_knows_it_unless_that_is_busy() -> None:
    async with ward_of(Fault.SLOW, Fault.SLOW) as (servers, there, apps):
        first = await servers.send(there, CHAT, body_of(stream=True), stream=True)  # one server has more to do
        await servers.send(there, CHAT, long_body("a"), stream=False)
        assert counts(apps) == [1, 1]
        await drop(first)
        for turns in (2, 3, 4):
            await servers.send(there, CHAT, long_body("a", turns), stream=False)
        assert counts(apps) == [1, 4]
        busy = [
            await servers.send(
                there, CHAT, json.dumps(json.loads(long_body("a", 9)) | {"stream": True}).encode(), stream=True
            )
            for _ in range(8)
        ]
        assert counts(apps)[0] > 1
        for reply in busy:
            await drop(reply)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.GARBAGE, Fault.BUSY])
@pytest.mark.parametrize("stream", [False, True])
async def test_failed_request_is_answered_by_another_server(fault: Fault, *, stream: bool) -> None:
    metrics = FakeMetrics()
    async with ward_of(fault, Fault.NONE, metrics=metrics) as (servers, there, apps):
        reply = await servers.send(there, CHAT, body_of(stream=stream), stream=stream)
        assert reply.status == 200
        if stream:
            assert await events_of(reply)
        assert counts(apps) == [1, 1]
    assert metrics.counts["upstream_errors", (("kind", "sent_to_another"),)] == 1


def head_then_gone(connection: socket.socket, wire: Wire) -> None:
    """Say 200 and that events will come, as vLLM does before its first token; then die."""
    read_request(connection, wire)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    time.sleep(0.02)


def head_then_error(connection: socket.socket, wire: Wire) -> None:
    """Say 200, then an error for a first event."""
    read_request(connection, wire)
    event = b'data: {"error": {"message": "the engine died", "code": 500}}\n\n'
    connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (len(event), event)
    )


@pytest.mark.parametrize("dying", [head_then_gone, head_then_error])
async def test_stream_that_dies_before_its_first_event_is_answered_by_another_server(dying: Any) -> None:
    with scripted(dying) as dead, served(stand_in("ward", "m")) as url:
        async with opened(room=Room(each=1, waiting=0)) as servers:
            there = onprem(dead.url, replicas=(url,))
            for _ in range(3):  # places are given back: two rooms, and none is lost
                replies = [await servers.send(there, CHAT, body_of(stream=True), stream=True) for _ in range(2)]
                with pytest.raises(UnavailableError, match="has no room"):
                    await servers.send(there, CHAT, body_of(), stream=False)
                for reply in replies:
                    assert await events_of(reply)
        assert dead.connections >= 1


async def test_stream_that_dies_before_its_first_event_everywhere_says_so() -> None:
    with scripted(head_then_gone) as one, scripted(head_then_gone) as two:
        async with opened(room=Room(each=1, waiting=0)) as servers:
            for _ in range(3):
                with pytest.raises(BadReplyError, match="closed its answer before"):
                    await servers.send(onprem(one.url, replicas=(two.url,)), CHAT, body_of(stream=True), stream=True)


async def test_caller_that_leaves_before_the_first_event_gives_its_place_back() -> None:
    whole = answering(200, b'{"choices": []}')

    def slow_at_first(connection: socket.socket, wire: Wire) -> None:
        if wire.connections > 1:
            whole(connection, wire)
            return
        head_then_gone(connection, wire)
        time.sleep(0.5)

    async with opened(room=Room(each=1, waiting=0), timeouts=Timeouts(1, 5, 5, 5)) as servers:
        with scripted(slow_at_first) as slow:
            there = onprem(slow.url)
            task = asyncio.create_task(servers.send(there, CHAT, body_of(stream=True), stream=True))
            await asyncio.sleep(0.1)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 200


async def test_dead_server_costs_no_request() -> None:
    with served(stand_in("ward", "m")) as url:
        there = onprem(f"http://127.0.0.1:{closed_port()}", replicas=(url,))
        async with opened() as servers:
            for _ in range(10):
                assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 200


async def test_request_that_kills_servers_does_not_go_round_them_all() -> None:
    async with ward_of(Fault.ERROR, Fault.ERROR, Fault.ERROR, Fault.NONE) as (servers, there, apps):
        with pytest.raises(BadReplyError):
            await servers.send(there, CHAT, body_of(), stream=False)
        assert sum(counts(apps)) == 2


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.REDIRECT])
async def test_timeouts_and_wrong_servers_are_not_tried_elsewhere(fault: Fault) -> None:
    async with ward_of(fault, Fault.NONE) as (servers, there, apps):
        with pytest.raises(PeerError):
            await servers.send(there, CHAT, body_of(), stream=False)
        assert counts(apps) == [1, 0]


async def test_error_about_the_request_is_not_tried_elsewhere() -> None:
    async with ward_of(Fault.BAD_REQUEST, Fault.NONE) as (servers, there, apps):
        assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 400
        assert counts(apps) == [1, 0]


async def test_full_house_refuses_at_once_and_says_when_to_come_back() -> None:
    async with ward_of(Fault.HANG_MIDWAY, room=Room(each=1, waiting=0)) as (servers, there, apps):
        held = await servers.send(there, CHAT, body_of(stream=True), stream=True)
        with pytest.raises(UnavailableError) as caught:
            await servers.send(there, CHAT, body_of(), stream=False)
        assert (caught.value.code, caught.value.sent) == ("upstream_full", (0, b""))
        assert caught.value.retry_after_s >= 1
        await drop(held)
        state_of(apps[0]).fault = Fault.NONE
        assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 200


async def test_request_that_waits_is_served_in_turn_or_refused_at_its_deadline() -> None:
    async with ward_of(Fault.HANG_MIDWAY, room=Room(each=1, waiting=5, wait_s=0.2)) as (servers, there, apps):
        held = await servers.send(there, CHAT, body_of(stream=True), stream=True)
        with pytest.raises(UnavailableError, match="has no room"):
            await servers.send(there, CHAT, body_of(), stream=False)
        state_of(apps[0]).fault = Fault.NONE
        waiting = [asyncio.create_task(servers.send(there, CHAT, body_of(), stream=False)) for _ in range(3)]
        await asyncio.sleep(0.02)
        await drop(held)
        assert [(await task).status for task in waiting] == [200, 200, 200]
        assert len(state_of(apps[0]).received) == 4


async def test_place_is_given_back_whatever_becomes_of_a_call() -> None:
    async with ward_of(Fault.NONE, room=Room(each=1, waiting=0)) as (servers, there, apps):
        for fault, stream in [
            (f, s) for f in (Fault.ERROR, Fault.GARBAGE, Fault.CLOSE_MIDWAY, Fault.NONE) for s in (True, False)
        ]:
            state_of(apps[0]).fault = fault
            with contextlib.suppress(PeerError):
                reply = await servers.send(there, CHAT, body_of(stream=stream), stream=stream)
                if stream:
                    await events_of(reply)
        state_of(apps[0]).fault = Fault.HANG
        task = asyncio.create_task(servers.send(there, CHAT, body_of(), stream=False))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        state_of(apps[0]).fault = Fault.NONE
        assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 200


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('replicas: ["http://10.0.0.2:8001/v1", "http://10.0.0.3:8001/v1"]', None),
        ('replicas: ["http://8.8.8.8/v1"]', "8.8.8.8 is neither a loopback nor a private address"),
        ('replicas: ["ftp://10.0.0.2"]', "expected scheme, host and port"),
        ('replicas: "http://10.0.0.2:8001/v1"', "expected a list"),
    ],
)
def test_replicas_stand_in_the_destinations_file_and_are_checked_like_endpoints(line: str, problem: str | None) -> None:
    files = dict(load_folder(shipped_folder()))
    text = files["destinations.yaml"].decode()
    files["destinations.yaml"] = text.replace("    country: BR\n", f"    country: BR\n    {line}\n", 1).encode()
    reading = read(files)
    if problem is None:
        assert reading.bundle is not None
        there = reading.bundle.destinations["medgemma"]
        assert there.replicas == ("http://10.0.0.2:8001/v1", "http://10.0.0.3:8001/v1")
    else:
        assert any(problem in str(each) for each in reading.problems)
