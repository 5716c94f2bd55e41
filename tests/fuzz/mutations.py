"""Hostile bytes: noise, and valid inputs that somebody bent. What the fuzz tests draw from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

# What readers of text disagree on, and what overflows the counters of careless ones.
NASTY: Final = (
    b"\r",
    b"\r\n",
    b"\n",
    b"\n\n",
    b"\x00",
    b"\x1f",
    b"\x7f",
    b" ",
    b"\t",
    b"\xc2\x85",  # next line
    b"\xe2\x80\xa8",  # line separator
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\xc0\xaf",  # an overlong slash
    b"\xc0\x80",  # an overlong NUL
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xf4\x90\x80\x80",  # beyond Unicode
    b"\xff",
    b"\\ud800",
    b"\\u0000",
    b"=",
    b"==",
    b"-",
    b"+",
    b"0",
    b"00",
    b"-0",
    b"1e400",
    b"0.1",
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b"9007199254740992",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"9" * 5000,
    "\u0661\u0662".encode(),  # digits that are not ASCII
    b"\xff\xff\xff\xff",
    b"[" * 3000,
    b'{"a":' * 3000,
    b'"a":1,"a":2,',
    "\u2014 x AAAA\n".encode(),
    b"data:",
    b"data: [DONE]\n\n",
)

_AT: Final = st.integers(0, 1 << 16)
_PUT: Final = st.sampled_from(NASTY) | st.binary(max_size=6)
_STEP: Final = st.tuples(
    st.sampled_from(("flip", "cut", "repeat", "splice", "put", "over", "drop", "tail")), _AT, _AT, _PUT
)


def bent(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Draw a valid input with one to four things done to it."""
    return st.builds(_bend, st.sampled_from(list(seeds)), st.lists(_STEP, min_size=1, max_size=4))


def noise(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Draw bytes of no shape, or pieces of valid inputs and nasty ones in any order."""
    pieces = [seed[at : at + 24] for seed in seeds for at in range(0, min(len(seed), 240), 24)]
    return st.binary(max_size=120) | st.lists(st.sampled_from([*pieces, *NASTY]), max_size=8).map(b"".join)


def _bend(data: bytes, steps: Sequence[tuple[str, int, int, bytes]]) -> bytes:
    for what, first, second, put in steps:
        size = len(data) + 1
        low, high = sorted((first % size, second % size))
        piece = data[low:high]
        match what:
            case "flip" if low < len(data):
                data = data[:low] + bytes((data[low] ^ 1 << second % 8,)) + data[low + 1 :]
            case "cut":
                data = data[:low]
            case "drop":
                data = data[:low] + data[high:]
            case "repeat":
                data = data[:high] + piece + data[high:]
            case "splice":
                data = piece + data[:low] + data[high:]
            case "over":
                data = data[:low] + put + data[low + len(put) :]
            case "tail":
                data += put
            case _:
                data = data[:low] + put + data[low:]
    return data
