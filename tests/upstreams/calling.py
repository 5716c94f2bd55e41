"""How the tests call the OnPrem port, and servers made of one answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from phigate.app.standin import StandIn
from phigate.errors import PeerError
from phigate.ports import UpstreamReply
from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.onprem import OnPremServers
from phigate.upstreams.reply import Timeouts
from tests.upstreams.serving import Wire, onprem, read_request

CHAT = "chat/completions"
CANARY = "Zulmira Quixadá"
SECRET = "s3cret"
QUICK = Timeouts(connect_s=1, first_byte_s=0.4, idle_s=0.4, total_s=2)
TOLERANT = Tolerance(failures=1000)


def body_of(**fields: Any) -> bytes:
    """Return a body with the canary and odd but legal spacing, which must arrive as it is."""
    asked = {"model": "m", "messages": [{"role": "user", "content": f"sobre {CANARY} em 12/03/2024"}], **fields}
    return b"  " + json.dumps(asked, ensure_ascii=False, indent=1).encode() + b"\n"


@contextlib.asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[OnPremServers]:
    """Yield a port with quick timeouts, closed at the end."""
    given: dict[str, Any] = {"secrets": {}, "timeouts": QUICK, "tolerance": TOLERANT, **settings}
    made = OnPremServers(**given)
    try:
        yield made
    finally:
        await made.close()


async def events_of(reply: UpstreamReply) -> list[bytes]:
    assert reply.events is not None
    return [event async for event in reply.events]


async def drop(reply: UpstreamReply) -> None:
    close: Callable[[], Any] = reply.events.aclose  # type: ignore[union-attr]
    await close()


def state_of(app: Starlette) -> StandIn:
    state: StandIn = app.state.stand_in
    return state


def answering(status: int, content: bytes, *, kind: bytes = b"application/json", extra: bytes = b"") -> Any:
    def serve(connection: socket.socket, wire: Wire) -> None:
        while read_request(connection, wire):
            head = b"HTTP/1.1 %d X\r\ncontent-type: %s\r\n%scontent-length: %d\r\n\r\n" % (
                status,
                kind,
                extra,
                len(content),
            )
            connection.sendall(head + content)

    return serve


async def _exchange(servers: OnPremServers, url: str, *, stream: bool) -> None:
    reply = await servers.send(onprem(url), CHAT, body_of(stream=stream), stream=stream)
    if stream:
        await events_of(reply)


async def problem_of(url: str, *, stream: bool = False, **settings: Any) -> PeerError:
    async with opened(**settings) as servers:
        with pytest.raises(PeerError) as caught:
            await _exchange(servers, url, stream=stream)
    shown: BaseException | None = caught.value
    while shown is not None:  # nothing on the chain that a log could show holds text of the request
        assert CANARY not in str(shown)
        assert shown.__cause__ is None
        shown = None if shown.__suppress_context__ else shown.__context__
    return caught.value


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the port under test sets no event
            await asyncio.sleep(0.01)
