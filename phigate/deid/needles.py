"""Many known strings in one text: by repeated search while they are few, by one automaton beyond.

The automaton (Aho and Corasick, 1975) costs one step a character however many strings there are, which keeps a request
with a roster of thousands of people linear; below its threshold the built-in search of each string is far quicker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

_FEW: Final = 64


class Needles:
    """A set of non-empty strings to look for."""

    def __init__(self, strings: Iterable[str]) -> None:
        self._strings = tuple(dict.fromkeys(strings))
        self._automaton = _Automaton(self._strings) if len(self._strings) > _FEW else None

    def __bool__(self) -> bool:
        return bool(self._strings)

    def any_in(self, text: str) -> bool:
        """Return whether one of the strings stands in ``text``."""
        if self._automaton is not None:
            return any(True for _ in self._automaton.matches(text))
        return any(string in text for string in self._strings)

    def matches(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield [start, end) of every occurrence, overlapping ones too, in no fixed order."""
        if self._automaton is not None:
            yield from self._automaton.matches(text)
            return
        for string in self._strings:
            at = text.find(string)
            while at >= 0:
                yield at, at + len(string)
                at = text.find(string, at + 1)


class _Automaton:
    def __init__(self, strings: Iterable[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._fail = [0]
        self._length = [0]  # of the string that ends at a state; 0: none does
        self._shorter = [0]  # the nearest state along the failures at which a shorter string ends
        for string in strings:
            self._enter(string)
        self._link()

    def _enter(self, string: str) -> None:
        state = 0
        for char in string:
            following = self._next[state].get(char)
            if following is None:
                following = self._next[state][char] = len(self._next)
                self._next.append({})
                self._fail.append(0)
                self._length.append(0)
                self._shorter.append(0)
            state = following
        self._length[state] = len(string)

    def _link(self) -> None:
        queue = deque(self._next[0].values())
        while queue:
            state = queue.popleft()
            for char, following in self._next[state].items():
                fail = self._step(self._fail[state], char)
                self._fail[following] = fail
                self._shorter[following] = fail if self._length[fail] else self._shorter[fail]
                queue.append(following)

    def _step(self, state: int, char: str) -> int:
        while state and char not in self._next[state]:
            state = self._fail[state]
        return self._next[state].get(char, 0)

    def matches(self, text: str) -> Iterator[tuple[int, int]]:
        state = 0
        following, fail, length, shorter = self._next, self._fail, self._length, self._shorter
        for at, char in enumerate(text, 1):
            while state and char not in following[state]:
                state = fail[state]
            state = following[state].get(char, 0)
            ending = state if length[state] else shorter[state]
            while ending:
                yield at - length[ending], at
                ending = shorter[ending]
