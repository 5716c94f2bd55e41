"""Layer L4: what was found once is found everywhere, in all parts of one exchange.

Every accepted name token of three letters or more, identifier and telephone is looked for again, accents and case
folded, at word boundaries. Tokens that are ordinary words count in capitals only. One pass over the words of a part
per exchange: the cost does not grow with the number of names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from phigate.analyzers.language_words import FOREIGN_WORDS, OWN_WORDS
from phigate.analyzers.layers import View
from phigate.analyzers.shadow import fold
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Family, Finding

_PEOPLE: Final = frozenset({EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME})
_SURE: Final = 0.6
_SCORE: Final = 0.6
_LEAST_LETTERS: Final = 3
_LEAST_DIGITS: Final = 5
_FUNCTION_WORDS: Final = frozenset(w for text in (*OWN_WORDS.values(), *FOREIGN_WORDS.values()) for w in text.split())
_TITLES: Final = frozenset(
    [
        "dr",
        "dra",
        "drs",
        "prof",
        "mr",
        "mrs",
        "ms",
        "miss",
        "sr",
        "sra",
        "srta",
        "don",
        "dona",
        "dom",
        "frau",
        "herr",
        "mme",
        "mlle",
        "monsieur",
        "madame",
        "sig",
        "signora",
        "dott",
        "dottssa",
        "mevr",
        "dhr",
        "enf",
        "md",
        "phd",
        "rn",
        "do",
        "van",
        "von",
        "der",
        "den",
        "del",
        "della",
        "dos",
        "das",
        "san",
        "santa",
        "jr",
        "neto",
        "filho",
        "junior",
    ]
)


@dataclass(slots=True)
class Memory:
    """What one exchange has said so far."""

    names: dict[str, EntityType] = field(default_factory=dict)  # folded word -> type
    values: dict[str, EntityType] = field(default_factory=dict)  # letters and digits of an identifier -> type
    _words: frozenset[str] | None = None

    def learn(self, view: View, findings: Iterable[Finding]) -> None:
        """Take in the sure findings of one part, offsets into its shadow."""
        self._words = None
        for finding in findings:
            if finding.score < _SURE:
                continue
            if finding.entity_type in _PEOPLE:
                self._learn_name(view, finding)
            elif ENTITY_TABLE[finding.entity_type].family is Family.ID and (
                ENTITY_TABLE[finding.entity_type].entity_class is EntityClass.DIRECT
            ):
                value = "".join(c for c in view.folded[finding.start : finding.end] if c.isalnum())
                if sum(c.isdigit() for c in value) >= _LEAST_DIGITS:
                    self.values.setdefault(value, finding.entity_type)

    def _learn_name(self, view: View, finding: Finding) -> None:
        at = view.word_at_or_after(finding.start)
        while at < len(view.words) and view.ends[at] <= finding.end:
            word = view.words[at]
            if len(word) >= _LEAST_LETTERS and word.isalpha() and word not in _FUNCTION_WORDS and word not in _TITLES:
                self.names.setdefault(word, finding.entity_type)
            at += 1

    def recall(self, view: View, known: Sequence[Finding], common: frozenset[str]) -> list[Finding]:
        """Return further mentions in one part, offsets into its shadow. ``common`` words count in capitals only."""
        if not self.names and not self.values:
            return []
        wanted = self._wanted()
        if wanted.isdisjoint(view.words):
            return []
        found: list[Finding] = []
        covered = sorted((f.start, f.end) for f in known)
        names, values = self.names, self.values
        lengths = {len(v) for v in values}
        for n, word in enumerate(view.words):
            if word not in wanted:
                continue
            kind = names.get(word)
            if kind is None and word.endswith("s") and view.shadow[view.starts[n]].isupper():
                kind = names.get(word[:-1]) if len(word) > 4 else None  # Smiths, Meiers: a genitive without apostrophe
            if kind is not None:
                if not view.shadow[view.starts[n]].isupper() and (word in common or len(word) < 4):
                    continue
                found.append(Finding(view.starts[n], view.ends[n], kind, _SCORE, "memory:name"))
            elif values and word[0].isdigit() | word[-1].isdigit():
                end = self._value_at(view, n, lengths)
                if end is not None:
                    found.append(Finding(view.starts[n], view.ends[end[0]], end[1], _SCORE, "memory:value"))
        return [f for f in found if not _inside(f, covered)]

    def _wanted(self) -> frozenset[str]:
        """Return every word at which a mention may begin: names, their genitives, and beginnings of values.

        Nearly every word of a part is none of these; the test costs one look-up.
        """
        if self._words is None:
            beginnings = (value[:end] for value in self.values for end in range(1, len(value) + 1))
            self._words = frozenset((*self.names, *(f"{name}s" for name in self.names), *beginnings))
        return self._words

    def _value_at(self, view: View, n: int, lengths: set[int]) -> tuple[int, EntityType] | None:
        joined = ""
        for at in range(n, min(n + 8, len(view.words))):
            if at > n and view.starts[at] - view.ends[at - 1] > 2:
                break
            joined += view.words[at]
            if len(joined) in lengths and joined in self.values:
                return at, self.values[joined]
        return None


def _inside(finding: Finding, covered: Sequence[tuple[int, int]]) -> bool:
    """Binary search would miss nested spans; the list is short per part, and sorted, so stop early."""
    at = bisect_right(covered, (finding.start, 1 << 60)) - 1
    return any(start <= finding.start and finding.end <= end for start, end in covered[max(0, at - 4) : at + 1])


def folded_words(text: str) -> frozenset[str]:
    """Return the folded words of a list, for allow lists and common words."""
    return frozenset(fold(text).split())
