"""What the layers share: the view of one part, hints from its shape, and what a layer must offer.

A *view* is one part prepared once: the shadow copy (normalised characters), the folded copy (lower case, accents
stripped), and its words with their offsets. Shadow and folded have equal length; every layer reports findings with
offsets **into the shadow**, and `View.original` maps them back to the text as it was sent. Layers are pure and keep no
state between views. `NameFinder` is the interface of `phigate.analyzers.names.NameDetector`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from phigate.finding import EntityType, Finding

# The digit comes first in the pattern: the search then skips all else at the speed of C.
_DIGIT_START: Final = re.compile(r"\d(?<![^\W_].)\d*")


@dataclass(frozen=True, slots=True)
class Hint:
    """A stretch of the shadow whose meaning its place tells: the value of a key, column, segment field or header.

    ``kind`` is a label kind of `labels.KINDS` ("person", "mrn", "dob", ...); the whole stretch is the value.
    """

    start: int
    end: int
    kind: str


@dataclass(slots=True)
class View:
    """One part, prepared. All sequences are in order of their start; nothing here is ever logged."""

    raw: str
    shadow: str  # equal in length to raw unless `offsets` is set
    folded: str  # same length as shadow: lower case, no accents
    offsets: Sequence[int] | None  # shadow index -> index in raw, one more than the shadow is long
    words: list[str]  # folded words: runs of letters, digits and underscore
    starts: list[int]
    ends: list[int]
    lang: str = ""  # "" is unsure: all languages
    hints: tuple[Hint, ...] = ()
    recall: bool = False  # the re-scan: gazetteer without stop list, lowest bars
    memo: dict[str, object] = field(default_factory=dict)  # what one layer worked out and another may read

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Map a non-empty stretch of the shadow to the stretch of the raw text that it stands for."""
        if self.offsets is None:
            return start, end
        last = self.offsets[end - 1]
        while self.offsets[end] == last:  # one escape may stand for several characters: take it whole
            end += 1
        return self.offsets[start], self.offsets[end]

    def digit_starts(self) -> list[int]:
        """Return where runs of digits begin that no letter or digit precedes; worked out once."""
        known = self.memo.get("digit_starts")
        if known is None:
            known = self.memo["digit_starts"] = [m.start() for m in _DIGIT_START.finditer(self.shadow)]
        assert isinstance(known, list)
        return known

    def word_at_or_after(self, offset: int) -> int:
        """Return the index of the first word that starts at or after ``offset``."""
        return bisect_left(self.starts, offset)

    def word_before(self, offset: int) -> int:
        """Return the index of the last word that ends at or before ``offset``, or -1."""
        return bisect_right(self.ends, offset) - 1


class NameFinder(Protocol):
    """Layers L2 and L3: names, places and organisations by gazetteer, title, label and tagger."""

    def find(self, view: View) -> list[Finding]:
        """Return findings with offsets into ``view.shadow``; ``source`` is "names:" and the rule, never text."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the knobs of the bundle mean for the layers."""

    knob: str = "recall"
    allow: frozenset[str] = frozenset()  # folded
    deny: tuple[tuple[str, EntityType], ...] = ()  # folded
