"""Layer L4: what was found once is found everywhere, in all parts of one exchange.

Every accepted name token of three letters or more, identifier and telephone is looked for again, accents and case
folded, at word boundaries. Tokens that are ordinary words count in capitals only; titles and labels are nobody; what
one layer guessed of a single word that no list vouches for is not spread. One pass over the words of a part per
exchange: the cost does not grow with the number of names.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from phigate.analyzers.language_words import FOREIGN_WORDS, OWN_WORDS
from phigate.analyzers.layers import View
from phigate.analyzers.names.lexicon import (
    BRAND,
    CALENDAR,
    EPONYM,
    MEDICAL,
    NAME,
    NUMBER_LABEL,
    PARTICLE,
    RARE,
    load,
)
from phigate.analyzers.names.titles import title_words
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Family, Finding

_PEOPLE: Final = frozenset({EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME})
_SURE: Final = 0.6
_SCORE: Final = 0.6
_LEAST_LETTERS: Final = 3
_LEAST_DIGITS: Final = 5
_FUNCTION_WORDS: Final = frozenset(w for text in (*OWN_WORDS.values(), *FOREIGN_WORDS.values()) for w in text.split())
_MORE_TITLES: Final = frozenset(
    {"md", "phd", "rn", "do", "jr", "neto", "filho", "junior", "van", "von", "der", "den", "del", "della", "dos", "das", "san", "santa"}
)  # fmt: skip
_WEAK_GAZETTEER: Final = 0.6
_SENTENCE_ENDS: Final = '.!?:;\n"(•*>'


@dataclass(frozen=True, slots=True)
class _Knowledge:
    """What the lists say of a folded word, for the questions of this layer."""

    flags: Mapping[str, int]
    common: Mapping[str, int]
    titles: frozenset[str]

    def is_nobody(self, word: str) -> bool:
        """Whether the word is never a part of anybody's name: a title, a word of grammar, the label of a number."""
        return (
            word in _FUNCTION_WORDS or word in self.titles or bool(self.flags.get(word, 0) & (NUMBER_LABEL | PARTICLE))
        )

    def is_name(self, word: str) -> bool:
        """Whether the lists vouch for the word alone: a name of many people, and no ordinary word."""
        flags = self.flags.get(word, 0)
        return (
            bool(flags & NAME) and not flags & (RARE | MEDICAL | EPONYM | BRAND | CALENDAR) and word not in self.common
        )


@functools.cache
def _knowledge() -> _Knowledge:
    lexicon = load()
    return _Knowledge(lexicon.flags, lexicon.common, title_words(lexicon) | _MORE_TITLES)


def common_words() -> Container[str]:
    """Return the ordinary words of the seven languages, folded: those that count as a name in capitals alone."""
    return _knowledge().common


@dataclass(slots=True)
class Memory:
    """What one exchange has said so far."""

    names: dict[str, EntityType] = field(default_factory=dict)  # folded word -> type
    capitals: set[str] = field(default_factory=set)  # of these, those that only a capital makes a name
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
        first = view.word_at_or_after(finding.start)
        last = first
        while last < len(view.words) and view.ends[last] <= finding.end:
            last += 1
        lists = _knowledge()
        said = [word for word in view.words[first:last] if _may_be_name(word) and not lists.is_nobody(word)]
        alone = _guessed(finding) and len(said) == 1
        for word in said:
            vouched = lists.is_name(word)
            # What one layer guessed of one word it may have guessed wrongly: repeated, one error becomes twenty.
            if not vouched and (alone or (word in lists.common and not lists.flags.get(word, 0) & NAME)):
                continue
            if word not in self.names:
                self.names[word] = finding.entity_type
                if not vouched and _guessed(finding):
                    self.capitals.add(word)
            elif vouched or not _guessed(finding):
                self.capitals.discard(word)

    def recall(self, view: View, known: Sequence[Finding], common: Container[str]) -> list[Finding]:
        """Return further mentions in one part, offsets into its shadow.

        ``common`` words count in capitals only, and not where every word has one.
        """
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
                doubtful = word in common or len(word) < 4 or word in self.capitals
                if doubtful and not _capital_says_name(view, n, common=word in common):
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


def _may_be_name(word: str) -> bool:
    return len(word) >= _LEAST_LETTERS and word.isalpha()


def _guessed(finding: Finding) -> bool:
    """Whether one layer alone took this for a person, with no title, role or label beside it."""
    return finding.source == "names:tagger" or (finding.source == "names:gazetteer" and finding.score < _WEAK_GAZETTEER)


def _capital_says_name(view: View, n: int, *, common: bool) -> bool:
    """Whether word ``n`` carries a capital, and for an ordinary word one that no beginning of a sentence explains."""
    start = view.starts[n]
    if not view.shadow[start].isupper():
        return False
    if not common:
        return True
    before = view.shadow[max(0, start - 3) : start]
    return bool(before.strip(" ")) and before.rstrip(" ")[-1] not in _SENTENCE_ENDS
