"""Reading a body within its limit, and answering: whole, or as a stream that notices when the client hangs up.

Plain ASGI, because a request/response base class would buffer the stream and hide the disconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from phigate.errors import InvalidRequestError, TooLargeError

_DRAIN: Final = 4  # times the limit that are read and dropped

# ASGI's own shapes (asgiref, "HTTP connection scope"); Any is the specification's.
Message = dict[str, Any]


async def read_body(receive: Any, *, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """Return the body. Raises `TooLargeError` past ``limit`` bytes, `InvalidRequestError` where it is cut or packed.

    What is too large is read to its end, within bounds, and dropped: a client that is still sending would otherwise
    see a broken connection in place of the error.
    """
    if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        raise InvalidRequestError(
            "expected a body that is not compressed, found a content-encoding; send plain JSON", code="compressed_body"
        )
    declared = headers.get(b"content-length", b"")
    dropping = declared.isdigit() and int(declared) > limit
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequestError("the body ended early", code="body_cut")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            dropping = True
            chunks.clear()
        if not dropping:
            chunks.append(chunk)
        if size > limit * _DRAIN:
            raise _too_large(limit)
        if not message.get("more_body", False):
            if dropping:
                raise _too_large(limit)
            return b"".join(chunks)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"expected a body of at most {limit} bytes, found more", code="body_too_large")


async def send_whole(send: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Answer with one body."""
    pairs = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def send_stream(receive: Any, send: Any, headers: Mapping[str, str], events: AsyncIterator[bytes]) -> None:
    """Answer with server-sent events until they end or the client hangs up; then close ``events`` either way."""
    pairs = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
    pairs += [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": pairs})
    pump = asyncio.ensure_future(_pump(send, events))
    gone = asyncio.ensure_future(_hang_up(receive))
    try:
        await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not pump.done():
            pump.cancel()
        # The pump's own error, if any, is raised here; a cancelled one ends quietly, its outcome is being written.
        await asyncio.gather(pump, return_exceptions=pump.cancelled() or not pump.done())
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _pump(send: Any, events: AsyncIterator[bytes]) -> None:
    async for event in events:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hang_up(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
