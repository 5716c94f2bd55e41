from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phigate.upstreams.affinity import PrefixAffinity


def table(capacity: int = 1000) -> PrefixAffinity:
    return PrefixAffinity(key=b"k" * 32, capacity=capacity)


@given(st.binary(min_size=512, max_size=4096), st.binary(max_size=2048))
def test_next_turn_of_a_conversation_finds_its_reader(turn: bytes, more: bytes) -> None:
    known = table()
    known.note(turn, "a")
    assert known.reader_of(turn + more) == "a"


def test_longest_known_beginning_wins() -> None:
    known = table()
    known.note(b"x" * 512 + b"a" * 600, "one")
    known.note(b"x" * 512 + b"b" * 600, "two")
    assert known.reader_of(b"x" * 512 + b"a" * 2000) == "one"
    assert known.reader_of(b"x" * 512 + b"b" * 2000) == "two"
    assert known.reader_of(b"x" * 512 + b"c" * 2000) == "two"


def test_short_and_unknown_bodies_have_no_reader() -> None:
    known = table()
    known.note(b"x" * 511, "a")
    assert known.reader_of(b"x" * 511) is None
    assert known.reader_of(b"y" * 2000) is None


def test_oldest_are_forgotten_and_no_text_is_kept() -> None:
    known = table(capacity=3)
    for n in range(5):
        known.note(bytes([65 + n]) * 512, str(n))
    assert known.reader_of(b"A" * 512) is None
    assert known.reader_of(b"E" * 512) == "4"
    assert all(len(digest) == 12 for digest in known._readers)
