"""Which server of the house is called, again or not at all: health, stale connections, settings."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest
from starlette.applications import Starlette

from phigate.app.standin import Fault, stand_in
from phigate.errors import BadReplyError, SettingsError, UnavailableError
from phigate.policy.bundle import Destination
from phigate.policy.decision import DestinationKind
from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.reply import Timeouts
from tests.fakes import FakeMetrics
from tests.upstreams.calling import (
    CHAT,
    body_of,
    opened,
    state_of,
    until,
)
from tests.upstreams.serving import Wire, closed_port, onprem, read_request, scripted, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def ward() -> Starlette:
    return stand_in("ward", "m")


def _closes_second_request(*, answer_second_connection: bool, wait_s: float = 0.0) -> Any:
    def serve(connection: socket.socket, wire: Wire) -> None:
        first = wire.connections == 1
        while read_request(connection, wire):
            if (first and len(wire.requests) > 1) or (not first and not answer_second_connection):
                threading.Event().wait(wait_s)
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")

    return serve


async def test_stale_connection_is_replaced_once_and_counted() -> None:
    metrics = FakeMetrics()
    with scripted(_closes_second_request(answer_second_connection=True)) as wire:
        async with opened(metrics=metrics) as servers:
            for _ in range(2):
                assert (await servers.send(onprem(wire.url), CHAT, b'{"n":1}', stream=False)).status == 200
    assert wire.connections == 2
    assert len(wire.requests) == 3
    assert metrics.counts == {("upstream_errors", (("kind", "resent"),)): 1}


async def test_request_is_sent_no_third_time() -> None:
    with scripted(_closes_second_request(answer_second_connection=False)) as wire:
        async with opened() as servers:
            await servers.send(onprem(wire.url), CHAT, b"{}", stream=False)
            with pytest.raises(UnavailableError) as caught:
                await servers.send(onprem(wire.url), CHAT, b"{}", stream=False)
    assert caught.value.code == "upstream_closed"
    assert len(wire.requests) == 3


async def test_server_that_dies_at_work_is_not_asked_again() -> None:
    with scripted(_closes_second_request(answer_second_connection=True, wait_s=0.8)) as wire:
        async with opened(timeouts=Timeouts()) as servers:
            await servers.send(onprem(wire.url), CHAT, b"{}", stream=False)
            with pytest.raises(UnavailableError, match=r"^`ward` closed the connection without an answer$"):
                await servers.send(onprem(wire.url), CHAT, b"{}", stream=False)
    assert len(wire.requests) == 2


async def test_new_connection_that_closes_is_not_asked_again() -> None:
    with scripted(_closes_second_request(answer_second_connection=False)) as wire:
        wire.connections = 5
        async with opened() as servers:
            with pytest.raises(UnavailableError):
                await servers.send(onprem(wire.url), CHAT, b"{}", stream=False)
    assert len(wire.requests) == 1


async def test_server_that_fails_is_left_alone_until_a_pause_is_over(ward: Starlette) -> None:
    state_of(ward).fault = Fault.ERROR
    with served(ward) as url:
        async with opened(tolerance=Tolerance(failures=2, pause_s=0.2)) as servers:
            there = onprem(url)
            for _ in range(2):
                assert servers.healthy(there)
                with pytest.raises(BadReplyError):
                    await servers.send(there, CHAT, body_of(), stream=False)
            assert not servers.healthy(there)
            with pytest.raises(UnavailableError) as caught:
                await servers.send(there, CHAT, body_of(), stream=False)
            assert caught.value.code == "upstream_open"
            assert caught.value.retry_after_s == 1
            assert len(state_of(ward).received) == 2
            state_of(ward).fault = Fault.NONE
            await asyncio.sleep(0.25)
            assert servers.healthy(there)
            assert (await servers.send(there, CHAT, body_of(), stream=False)).status == 200


async def test_full_queue_is_no_illness(ward: Starlette) -> None:
    state_of(ward).fault = Fault.BUSY
    with served(ward) as url:
        async with opened(tolerance=Tolerance(failures=1)) as servers:
            with pytest.raises(UnavailableError):
                await servers.send(onprem(url), CHAT, body_of(), stream=False)
            assert servers.healthy(onprem(url))


async def test_probes_find_a_server_that_died_and_one_that_came_back() -> None:
    port = closed_port()
    there = onprem(f"http://127.0.0.1:{port}")
    async with opened(destinations=lambda: [there], probe_every_s=0.02, tolerance=Tolerance(2, 0.05)) as servers:
        assert servers.healthy(there)  # nothing is known yet
        await servers.start()
        await until(lambda: not servers.healthy(there))
        with socket.create_server(("127.0.0.1", port)) as listener:
            task = asyncio.create_task(asyncio.to_thread(_serve_probe, listener))
            await until(lambda: servers.healthy(there))
            probe = await task
    assert probe.startswith(b"GET /v1/models HTTP/1.1\r\n")
    names = sorted(line.partition(b":")[0].lower() for line in probe.split(b"\r\n")[1:] if line)
    assert names == [b"accept", b"host"]


def _serve_probe(listener: socket.socket) -> bytes:
    listener.settimeout(5)
    connection, _ = listener.accept()
    with connection:
        wire = Wire()
        read_request(connection, wire)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        connection.recv(1)
    return wire.requests[0]


async def test_probe_does_not_forgive_a_server_that_answers_probes_alone(ward: Starlette) -> None:
    state_of(ward).fault = Fault.GARBAGE
    with served(ward) as url:
        there = onprem(url)
        async with opened(
            destinations=lambda: [there], probe_every_s=0.01, tolerance=Tolerance(failures=1, pause_s=60)
        ) as servers:
            await servers.start()
            with pytest.raises(BadReplyError):
                await servers.send(there, CHAT, body_of(), stream=False)
            await asyncio.sleep(0.1)
            assert not servers.healthy(there)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"endpoint": "ftp://127.0.0.1"}, "not a URL of the form http://host:port"),
        ({"endpoint": "http://"}, "not a URL of the form http://host:port"),
        ({"endpoint": "http://h:99999999"}, "not a URL of the form http://host:port"),
        ({"endpoint": "http://u:p@127.0.0.1/"}, "holds a user, a query or a fragment"),
        ({"endpoint": "http://127.0.0.1/?a=1"}, "holds a user, a query or a fragment"),
        ({"endpoint": "https://8.8.8.8"}, "stands at a public address; pin its certificate authority"),
        ({"endpoint": "http://[::ffff:8.8.8.8]:80"}, "stands at a public address; pin its certificate authority"),
        ({"endpoint": "http://h", "pinned_ca": "ca.pem"}, "so its endpoint must be https"),
        ({"secret": "ward-key"}, "the secret `ward-key` of `ward` is not set"),
        ({"secret": "bad"}, "holds characters that a header cannot carry"),
        ({"kind": DestinationKind.EXTERNAL}, "`ward` is not on-prem"),
    ],
)
async def test_destination_that_could_never_be_called_stops_start_up(changes: dict[str, Any], message: str) -> None:
    there = onprem(changes.pop("endpoint", "http://127.0.0.1:1"), **changes)
    listed: list[Destination] = [there]
    if there.kind is DestinationKind.EXTERNAL:
        listed = []
    async with opened(secrets={"bad": "a\r\nb"}, destinations=lambda: listed) as servers:
        if listed:
            with pytest.raises(SettingsError, match=message):
                await servers.start()
        assert not servers.healthy(there)
        with pytest.raises(UnavailableError, match=message) as caught:
            await servers.send(there, CHAT, body_of(), stream=False)
        assert caught.value.code == "upstream_settings"


@pytest.mark.parametrize("path", ["/metrics", "../metrics", "chat/../x", "chat//x", "", "chat?x=1", "https://a/b"])
async def test_path_that_could_leave_v1_is_a_mistake_of_ours(path: str) -> None:
    async with opened() as servers:
        with pytest.raises(ValueError, match=r"^expected a path below /v1/, as in chat/completions$"):
            await servers.send(onprem("http://127.0.0.1:1"), path, b"{}", stream=False)


async def test_pools_of_destinations_that_left_the_bundle_are_closed(ward: Starlette) -> None:
    with served(ward) as url:
        listed = [onprem(url), onprem(url + "/v1")]
        async with opened(destinations=lambda: listed, probe_every_s=0.01) as servers:
            await servers.start()
            assert len(servers._groups) == 2
            listed.pop()
            await until(lambda: len(servers._groups) == 1)
