import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from phigate.app.asgi import read_body, send_stream
from phigate.errors import InvalidRequestError, TooLargeError

pytestmark = pytest.mark.anyio


def receiver(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop(0)
        await asyncio.sleep(3600)
        raise AssertionError

    return receive


async def test_a_body_in_pieces_is_joined() -> None:
    receive = receiver(
        {"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}
    )
    assert await read_body(receive, headers={}, limit=3) == b"abc"


@pytest.mark.parametrize("headers", [{}, {b"content-length": b"4"}])
async def test_a_body_over_the_limit_is_refused_once_the_client_has_sent_it(headers: dict[bytes, bytes]) -> None:
    receive = receiver(
        {"type": "http.request", "body": b"abcd", "more_body": True}, {"type": "http.request", "body": b"e"}
    )
    with pytest.raises(TooLargeError, match="at most 3 bytes"):
        await read_body(receive, headers=headers, limit=3)


async def test_a_body_without_end_is_not_read_for_ever() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    with pytest.raises(TooLargeError):
        await read_body(receive, headers={}, limit=3)


async def test_a_body_that_ends_early_is_refused() -> None:
    receive = receiver({"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"})
    with pytest.raises(InvalidRequestError, match="ended early"):
        await read_body(receive, headers={}, limit=9)


class Events:
    """Counts what was taken, and whether it was closed."""

    def __init__(self, number: int, pause_s: float = 0.0) -> None:
        self.taken = 0
        self.ended = ""
        self._number, self._pause_s = number, pause_s

    async def run(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self._number):
                self.taken += 1
                yield b"data: x\n\n"
                await asyncio.sleep(self._pause_s)
            self.ended = "end"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        finally:
            self.ended = self.ended or "closed"


async def collect(receive: Any, events: Events) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await send_stream(receive, send, {"x-a": "1"}, events.run())
    return sent


async def test_a_stream_is_sent_event_by_event_and_ended() -> None:
    events = Events(3)
    sent = await collect(receiver(), events)
    assert [m.get("body") for m in sent[1:]] == [b"data: x\n\n"] * 3 + [b""]
    assert sent[-1]["more_body"] is False
    assert events.ended == "end"


async def test_a_client_that_hangs_up_stops_the_stream() -> None:
    events = Events(1_000, pause_s=0.01)
    sent = await collect(receiver({"type": "http.disconnect"}), events)
    assert events.taken < 10
    assert events.ended in {"cancelled", "closed"}
    assert not any(m.get("more_body") is False for m in sent[1:])
