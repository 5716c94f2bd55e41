import time

from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.needles import Needles

WORDS = st.text("ab", min_size=1, max_size=4)


def _expected(strings: set[str], text: str) -> list[tuple[int, int]]:
    return sorted((at, at + len(s)) for s in strings for at in range(len(text)) if text.startswith(s, at))


@given(st.sets(WORDS, max_size=8), st.text("abc", max_size=40))
def test_every_occurrence_is_found(strings: set[str], text: str) -> None:
    needles = Needles(strings)
    assert sorted(needles.matches(text)) == _expected(strings, text)
    assert needles.any_in(text) == bool(_expected(strings, text))
    assert bool(needles) == bool(strings)


@given(st.sets(WORDS, max_size=8), st.text("abc", max_size=40))
def test_many_strings_are_found_as_few_are(strings: set[str], text: str) -> None:
    many = strings | {f"x{n}" for n in range(100)}
    needles = Needles(many)
    assert sorted(needles.matches(text)) == _expected(strings, text)
    assert needles.any_in(text) == bool(_expected(strings, text))


def test_a_roster_of_thousands_stays_linear() -> None:
    needles = Needles(f"patient {n:05d}" for n in range(5_000))
    text = "patient zero and the others " * 4_000  # 112 kB: 5,000 searches would take seconds
    began = time.process_time()
    assert not needles.any_in(text)
    assert time.process_time() - began < 2
