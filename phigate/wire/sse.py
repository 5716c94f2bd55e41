"""Server-sent events, both directions, over bytes (WHATWG HTML, section 9.2.6: interpreting an event stream).

Only `data` matters to the APIs spoken here; `event`, `id` and `retry` are read over. Bytes are not decoded: lines end
in CR, LF or CRLF, none of which is part of a UTF-8 sequence, so any split of the stream gives the same events.
"""

from __future__ import annotations

from typing import Final

from phigate.errors import BadReplyError

DONE: Final = b"[DONE]"  # the payload with which OpenAI's streams end
_BOM: Final = b"\xef\xbb\xbf"
_MAX_EVENT_BYTES: Final = 4 * 1024 * 1024


class SSEDecoder:
    """Turns chunks of a stream into the payloads of its events."""

    def __init__(self, *, max_event_bytes: int = _MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._line = bytearray()  # the line that has not ended yet
        self._data: list[bytes] = []  # the data lines of the event that has not ended yet
        self._size = 0  # bytes in _data
        self._after_cr = False  # an LF that comes next belongs to a line end already seen
        self._at_start = True  # a byte order mark may still come
        self._too_large = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the payloads of the events that this chunk completes.

        Raises `BadReplyError` with code ``event_too_large``; events complete before that are returned first.
        """
        if self._too_large:
            raise self._error()
        events: list[bytes] = []
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        lines = chunk.splitlines(keepends=True)
        for line in lines:
            end = line[-1:]
            ended = end in (b"\n", b"\r")
            self._line += line[: len(line) - (2 if line.endswith(b"\r\n") else 1)] if ended else line
            if len(self._line) + self._size > self._limit:
                self._too_large = True
                if events:
                    return events
                raise self._error()
            self._after_cr = end == b"\r"
            if ended:
                self._end_line(events)
        return events

    def close(self) -> bool:
        """Return whether the stream ended inside an event, which is thereby lost."""
        line = self._line.removeprefix(_BOM) if self._at_start else self._line
        unfinished = bool(line) and not line.startswith(b":")
        return bool(self._data) or unfinished

    def _end_line(self, events: list[bytes]) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data, self._size = [], 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1

    def _error(self) -> BadReplyError:
        return BadReplyError(
            f"expected events of at most {self._limit} bytes, found a longer one", code="event_too_large"
        )


def encode(payload: bytes) -> bytes:
    """Return one event with this payload; a payload of several lines becomes several data lines."""
    lines = payload.splitlines() if b"\n" in payload or b"\r" in payload else [payload]
    return b"".join([b"data: " + line + b"\n" for line in lines]) + b"\n"


def comment(text: str) -> bytes:
    """Return a comment, which clients skip. Raises `ValueError` when it is more than one line."""
    if "\n" in text or "\r" in text:
        raise ValueError("expected a comment of one line, found a line break")
    return f": {text}\n\n".encode()
