"""Server-sent events: any split gives the same events, and what is unfinished or too large is told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.errors import BadReplyError
from phigate.wire.sse import DONE, SSEDecoder, comment, encode


def decode(*chunks: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def whole_lines(stream: bytes) -> list[bytes]:
    """Read a stream the slow way, as the specification tells it, to compare with."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    data: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append(b"\n".join(data))
            data = []
        elif line == b"data":
            data.append(b"")
        elif line.startswith(b"data:"):
            value = line[5:]
            data.append(value[1:] if value.startswith(b" ") else value)
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\r\n\r\n", [b"a"]),
        (b"data:  a\r\r", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data:\ndata\n\n", [b"\n"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b": note\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 3\n\n", []),
        (b"event: x\ndata: a\nid: 1\n\n", [b"a"]),
        (b"dataset: a\n\n", []),
        (b"data: [DONE]\n\n", [DONE]),
        (b"data: a\n", []),
        (b"", []),
    ],
)
def test_streams_are_read_as_the_specification_says(stream: bytes, events: list[bytes]) -> None:
    assert decode(stream) == events
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == events
    assert whole_lines(stream) == events


_pieces = st.lists(
    st.sampled_from(
        [b"data", b":", b" ", b"\r", b"\n", b"\r\n", b"x", "é€𝄞".encode(), b"\xef\xbb\xbf", b"id", b"data: {}\n\n", b""]
    ),
    max_size=40,
)


@given(_pieces, st.lists(st.integers(0, 200), max_size=8))
def test_any_split_gives_the_same_events(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert decode(*chunks) == decode(stream) == whole_lines(stream)


@given(st.binary(max_size=60).filter(lambda payload: b"\r" not in payload and not payload.endswith(b"\n")))
def test_what_is_encoded_is_decoded(payload: bytes) -> None:
    assert decode(comment("x"), encode(payload), encode(DONE)) == [payload, DONE]


def test_line_breaks_in_a_payload_cannot_end_its_event() -> None:
    assert decode(encode(b"a\r\n\r\nb\rc")) == [b"a\n\nb\nc"]


@pytest.mark.parametrize(
    ("stream", "inside"),
    [
        (b"", False),
        (b"data: a\n\n", False),
        (b"data: a\n", True),
        (b"data: a", True),
        (b"dat", True),
        (b": half a comment", False),
        (b"\xef\xbb\xbf: half a comment", False),
        (b"\xef\xbb\xbf", False),
        (b"id: 1\n", False),
    ],
)
def test_close_says_whether_an_event_was_cut(stream: bytes, *, inside: bool) -> None:
    decoder = SSEDecoder()
    decoder.feed(stream)
    assert decoder.close() is inside


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_an_event_over_the_limit_is_an_error_however_it_comes(chunk: int) -> None:
    stream = b"data: ok\n\n" + b"data: " + b"x" * 40 + b"\ndata: " + b"y" * 40 + b"\n\n"
    decoder = SSEDecoder(max_event_bytes=64)
    events: list[bytes] = []
    pieces = [stream[start : start + chunk] for start in range(0, len(stream), chunk)]
    with pytest.raises(BadReplyError, match="expected events of at most 64 bytes, found a longer one") as caught:
        events.extend(event for piece in [*pieces, b""] for event in decoder.feed(piece))
    assert events == [b"ok"]
    assert caught.value.code == "event_too_large"
    assert decoder.close() is True


def test_an_event_over_the_limit_is_an_error_at_once_when_none_came_before() -> None:
    with pytest.raises(BadReplyError):
        SSEDecoder(max_event_bytes=8).feed(b"data: 123456789")


def test_events_below_the_limit_may_be_many() -> None:
    assert len(decode(b"data: 1234\n\n" * 10_000)) == 10_000


def test_a_comment_is_one_line() -> None:
    assert comment("phigate outcome=a#1") == b": phigate outcome=a#1\n\n"
    for text in ("a\nb", "a\rb"):
        with pytest.raises(ValueError, match="expected a comment of one line, found a line break"):
            comment(text)
