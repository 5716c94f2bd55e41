"""The streamed answer of a model server as an iterator of event payloads, which ends well only at ``[DONE]``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Self, final

import aiohttp

from phigate.errors import BadReplyError, PeerError
from phigate.upstreams.reply import ReplyLimits, Timeouts
from phigate.wire.sse import SSEDecoder

_DONE: Final = b"[DONE]"
# How long to wait for the end of the transfer once [DONE] is here, so that the connection can be used again.
_TAIL_S: Final = 0.05
_TAIL_READS: Final = 4


@final
class ReplyEvents:
    """Yields the payload of each event, without ``[DONE]``. ``aclose`` drops the connection, which stops the server.

    It is a class, not a generator: closing a generator that nobody has begun to read runs none of its code, and the
    model would go on writing for no one.
    """

    __slots__ = (
        "_deadline",
        "_decoder",
        "_ended",
        "_first",
        "_left",
        "_on_end",
        "_ready",
        "_reply",
        "_server",
        "_timeouts",
    )

    def __init__(
        self,
        reply: aiohttp.ClientResponse,
        *,
        server: str,
        timeouts: Timeouts,
        limits: ReplyLimits,
        deadline: float,
        first_byte_at: float,
        on_end: Callable[[PeerError | None, bool], None],
    ) -> None:
        self._reply = reply
        self._server = server
        self._timeouts = timeouts
        self._left = limits.body_bytes
        self._deadline = deadline
        self._first: float | None = first_byte_at  # the latest time for the first byte; None once it is here
        self._on_end = on_end  # called once: the error or None, and whether the stream came to its [DONE]
        self._decoder = SSEDecoder()
        self._ready: deque[bytes] = deque()
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._ready:
            if self._ended:
                raise StopAsyncIteration
            await self._fill()
        payload = self._ready.popleft()
        if payload == _DONE:
            await self._finish()
            raise StopAsyncIteration
        self._check(payload)
        return payload

    async def begin(self) -> None:
        """Wait for the first event, which stays to be read. Raises `PeerError` when the stream dies before it.

        Until then nothing of the answer went to anybody, and another server may be asked.
        """
        if not self._ready and not self._ended:
            await self._fill()
            self._check(self._ready[0])

    async def _fill(self) -> None:
        """Read until an event is ready."""
        try:
            while not self._ready:
                self._ready.extend(self._decoder.feed(await self._read()))
        except PeerError as problem:
            self._end(problem, keep=False)
            raise
        except asyncio.CancelledError:
            self._end(None, keep=False)
            raise

    def _check(self, payload: bytes) -> None:
        if payload.startswith(b'{"error"'):
            failed = BadReplyError(f"`{self._server}` failed in the middle of its answer", code="upstream_error")
            self._end(failed, keep=False)
            raise failed

    async def aclose(self) -> None:
        """Stop the call: the socket closes, and the server sees its reader gone."""
        self._end(None, keep=False)

    async def _read(self) -> bytes:
        """Return the next bytes. Raises `BadReplyError` when none come: in time, within the size, or before the end."""
        loop = asyncio.get_running_loop()
        idle_at = self._first if self._first is not None else loop.time() + self._timeouts.idle_s
        try:
            async with asyncio.timeout_at(min(idle_at, self._deadline)):
                chunk = await self._reply.content.readany()
        except TimeoutError:
            raise BadReplyError(
                f"`{self._server}` stopped in the middle of its answer", code="upstream_timeout"
            ) from None
        except (aiohttp.ClientError, OSError):
            raise self._broken() from None
        if not chunk:
            raise self._broken()
        self._first = None
        self._left -= len(chunk)
        if self._left < 0:
            raise BadReplyError(f"`{self._server}` answered more than an answer may weigh", code="upstream_too_large")
        return chunk

    def _broken(self) -> BadReplyError:
        return BadReplyError(f"`{self._server}` closed its answer before [DONE]", code="upstream_broke")

    async def _finish(self) -> None:
        """Read the last bytes of the transfer, if they come at once, and give the connection back."""
        ended = self._reply.content.at_eof()
        try:
            async with asyncio.timeout(_TAIL_S):
                for _ in range(_TAIL_READS):
                    if ended:
                        break
                    ended = not await self._reply.content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError):
            ended = False
        self._end(None, keep=ended, done=True)

    def _end(self, problem: PeerError | None, *, keep: bool, done: bool = False) -> None:
        if self._ended:
            return
        self._ended = True
        self._ready.clear()
        if keep:
            self._reply.release()
        else:
            self._reply.close()
        self._on_end(problem, done)
