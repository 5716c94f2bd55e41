"""The streamed answer of a model outside: as it came, or as litellm translated it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Self, final

from phigate.errors import BadReplyError, PeerError
from phigate.upstreams.border import Passage
from phigate.upstreams.translated import chunk_of
from phigate.wire.sse import DONE, SSEDecoder

_TAIL_S: Final = 0.05  # how long to wait for the end of the transfer after [DONE], to use the connection again


@final
class OutsideEvents:
    """The payloads of one answer; closing it closes the connection, even before the first is read."""

    def __init__(
        self,
        payloads: AsyncIterator[bytes],
        passage: Passage,
        *,
        server: str,
        on_end: Callable[[PeerError | None], None],
        keep: object,
    ) -> None:
        self._payloads = payloads
        self._passage = passage
        self._server = server
        self._on_end: Callable[[PeerError | None], None] | None = on_end  # None once it was called, or the reader left
        self._keep = keep  # the client: it closes its connections when nobody holds it

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._on_end is None:
            raise StopAsyncIteration
        problem: PeerError | None = None
        try:
            return await anext(self._payloads)
        except StopAsyncIteration:
            pass
        except PeerError as error:
            problem = error
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except Exception:  # noqa: BLE001 - whatever a library raises may quote the reply; its words stay here
            problem = BadReplyError(f"`{self._server}` answered something unusable", code="upstream_reply")
        problem = self._passage.problem or problem
        await self._ended(problem)
        if problem is None:
            raise StopAsyncIteration
        problem.sent = self._passage.sent
        raise problem

    async def aclose(self) -> None:
        """Stop the call."""
        self._on_end = None
        await self._passage.aclose()

    async def _ended(self, problem: PeerError | None) -> None:
        note, self._on_end = self._on_end, None
        if note is not None:
            note(problem)
        await self._passage.aclose()


async def plain_payloads(passage: Passage, *, server: str) -> AsyncIterator[bytes]:
    """Yield the events of a provider that speaks OpenAI's API, as they came."""
    decoder, pieces = SSEDecoder(), passage.pieces()
    async for piece in pieces:
        for payload in decoder.feed(piece):
            if payload == DONE:
                await _read_tail(pieces)
                return
            if payload.startswith(b'{"error"'):
                raise BadReplyError(f"`{server}` failed in the middle of its answer", code="upstream_error")
            yield payload
    raise BadReplyError(f"`{server}` broke off its answer", code="upstream_broke")


async def _read_tail(pieces: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAIL_S):
            async for _ in pieces:
                pass


async def translated_payloads(answer: Any, passage: Passage) -> AsyncIterator[bytes]:
    """Yield the chunks that litellm makes of an answer in another dialect."""
    async for chunk in answer:
        if passage.problem is not None:
            return  # litellm makes up an end for a stream that broke off
        payload = chunk_of(chunk)
        if payload is not None:
            yield payload


async def begun(payloads: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Wait for the first payload; return an iterator that yields it and the rest."""
    first = await anext(payloads, None)

    async def whole() -> AsyncIterator[bytes]:
        if first is not None:
            yield first
            async for payload in payloads:
                yield payload

    return whole()
