"""The servers of one destination as one: who gets the next request, who gets it when the first fails, who must wait.

A request goes to the server that read the beginning of its conversation, unless that one has much more to do than the
idlest; else to the idlest. A failure before any byte of the answer was passed on goes to one other server, once: a
request that kills servers must not go round them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

from phigate.errors import PeerError, UnavailableError
from phigate.ports import UpstreamReply
from phigate.upstreams.affinity import PrefixAffinity
from phigate.upstreams.events import ReplyEvents
from phigate.upstreams.reply import NOTHING_SENT
from phigate.upstreams.server import ModelServer

_SLACK: Final = 4  # requests that the server of a conversation may have more than the idlest, and still be chosen
# After these another server may do better. Not after a timeout: the time of the request is spent.
_ELSEWHERE: Final = frozenset(
    {
        "upstream_unreachable",
        "upstream_closed",
        "upstream_busy",
        "upstream_open",
        "upstream_error",
        "upstream_reply",
        "upstream_broke",
    }
)


@dataclass(frozen=True, slots=True)
class Room:
    """How much one destination takes at once."""

    each: int = 256  # calls that run at one server
    waiting: int = 512  # calls that wait for a place
    wait_s: float = 30.0  # how long one may wait


@final
class ServerGroup:
    """All servers of one destination. Servers answer alike; which one does is nobody's affair."""

    def __init__(
        self,
        name: str,
        servers: Sequence[ModelServer],
        *,
        room: Room,
        affinity: PrefixAffinity,
        on_event: Callable[[str], None],
    ) -> None:
        self.servers = tuple(servers)
        self._name = name
        self._room = room
        self._affinity = affinity
        self._on_event = on_event
        self._places = asyncio.Semaphore(room.each * len(self.servers))
        self._waiting = 0

    @property
    def in_flight(self) -> int:
        """Return how many calls run."""
        return sum(server.in_flight for server in self.servers)

    def healthy(self, now: float) -> bool:
        """Return whether some server takes calls."""
        return any(server.healthy(now) for server in self.servers)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(server.close() for server in self.servers))

    async def probe(self) -> None:
        """Ask every server whether it is there."""
        await asyncio.gather(*(server.probe() for server in self.servers))

    async def call(self, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        """Post the body to one server, or to a second when the first failed. Raises as `ModelServer.call` does."""
        await self._enter()
        streaming = False
        try:
            reply = await self._call(path, body, stream=stream)
            streaming = reply.events is not None
            return reply
        finally:
            if not streaming:
                self._places.release()

    async def _call(self, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        first = self._choose(body, without=None)
        try:
            reply = await self._attempt(first, path, body, stream=stream)
        except PeerError as problem:
            now = asyncio.get_running_loop().time()
            others = [server for server in self.servers if server is not first and server.healthy(now)]
            if not others or problem.code not in _ELSEWHERE:
                raise
        else:
            self._affinity.note(body, first.place.endpoint)
            return reply
        self._on_event("sent_to_another")
        second = self._choose(body, without=first)
        reply = await self._attempt(second, path, body, stream=stream)
        self._affinity.note(body, second.place.endpoint)
        return reply

    async def _attempt(self, server: ModelServer, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        """Call one server; of a stream, wait for its first event: vLLM sends the head long before it has a token.

        The place is the stream's from then on; until then it is the call's, which may go to another server with it.
        """
        handed_over = False

        def ended() -> None:
            if handed_over:
                self._places.release()

        reply = await server.call(path, body, stream=stream, on_stream_end=ended)
        if isinstance(reply.events, ReplyEvents):
            await reply.events.begin()
            handed_over = True
        return reply

    def _choose(self, body: bytes, *, without: ModelServer | None) -> ModelServer:
        now = asyncio.get_running_loop().time()
        left = [server for server in self.servers if server is not without]
        usable = [server for server in left if server.healthy(now)] or left
        idlest = min(usable, key=lambda server: server.in_flight)
        if len(usable) == 1:
            return idlest
        reader = self._affinity.reader_of(body)
        known = next((server for server in usable if server.place.endpoint == reader), None)
        if known is not None and known.in_flight <= idlest.in_flight + _SLACK:
            return known
        return idlest

    async def _enter(self) -> None:
        """Take a place. Raises `UnavailableError` with code ``upstream_full`` when too many wait, or for too long."""
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._waiting >= self._room.waiting:
            raise self._full()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._room.wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise self._full() from None
        finally:
            self._waiting -= 1

    def _full(self) -> UnavailableError:
        self._on_event("full")
        running = max(1, self._room.each * len(self.servers))
        wait_s = min(60, 1 + self._waiting // running)
        return UnavailableError(
            f"`{self._name}` has no room for more requests now; try again",
            code="upstream_full",
            retry_after_s=wait_s,
            sent=NOTHING_SENT,
        )
