"""The tokens of one text with what the lists say of each: folded form, flags, case. The common ground of L2 and L3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phigate.analyzers.names.lexicon import (
    DRUG_ENDING,
    GRAMMAR_SHIFT,
    MEDICAL,
    NAME,
    NUMBER_LABEL,
    RARE,
    Lexicon,
    Phrase,
    language_bits,
)
from phigate.analyzers.names.tokens import Tokens, fold, tokenize

LOWER: Final = 0
TITLE: Final = 1
UPPER: Final = 2
MIXED: Final = 3
SIGN: Final = 4  # no letter: digits and punctuation
LETTER: Final = 5  # one capital letter: an initial, or an article

# Words, never lines; forgotten together when the table is full, so that it cannot grow with the traffic.
_LINE_TOKENS: Final = 60
_SPEAKER: Final = 6
_LINE_ENDS: Final = frozenset({".", "!", "?", ":", ";", ")", "|"})
_SENTENCES: Final = 3  # from so many on their first letters tell the habit of a text
_CACHE_WORDS: Final = 60_000


@dataclass(slots=True)
class Words:
    """One text, parted. All lists have one item a token."""

    tokens: Tokens
    folded: list[str]
    flags: list[int]
    cases: list[int]
    common: list[int]  # language bits in which the word is an ordinary one
    bits: int  # the languages this text may be in
    uses_capitals: bool  # sentences begin with one, or words inside them do, beside words in lower case
    shouts: bool  # as many words in capitals as in lower case

    def __len__(self) -> int:
        return len(self.folded)

    def gap(self, index: int) -> str:
        """Return the white space between token ``index`` and the next."""
        return self.tokens.text[self.tokens.ends[index] : self.tokens.starts[index + 1]]

    def joined(self, index: int) -> bool:
        """Whether the next token stands on the same line, at most two spaces away."""
        if index + 1 >= len(self.folded):
            return False
        width = self.tokens.starts[index + 1] - self.tokens.ends[index]
        return width == 0 or (width <= 2 and "\n" not in self.gap(index) and "\t" not in self.gap(index))

    def is_common(self, index: int) -> bool:
        """Whether the word is an ordinary one in a language of this text."""
        return bool(self.common[index] & self.bits)

    def is_grammar(self, index: int) -> bool:
        """Whether the word is one of grammar (the, der, will): never a name in lower case."""
        return bool(self.common[index] >> GRAMMAR_SHIFT & self.bits)

    def is_casual(self, index: int) -> bool:
        """Whether a missing capital at this token says nothing: the text uses none, or its own line does not."""
        if not self.uses_capitals:
            return True
        first = index
        while first and index - first < _LINE_TOKENS and "\n" not in self.gap(first - 1):
            first -= 1
        last = index
        while last + 1 < len(self) and last - index < _LINE_TOKENS and "\n" not in self.gap(last):
            last += 1
        spoken = ":" in self.folded[first : min(first + _SPEAKER, last)]
        if spoken:  # "Thaís: dona neide do 302": who speaks has a capital, what is said has none
            first = self.folded.index(":", first) + 1
        # A line that goes on a sentence begun above it has no capital either, nor has the middle of a long one.
        gap = self.gap(first - 1) if first else "\n\n"
        begins = spoken or ("\n" in gap and (first == 0 or self.folded[first - 1] in _LINE_ENDS or gap.count("\n") > 1))
        cases = self.cases[first : last + 1]
        return begins and cases[0] == LOWER and TITLE not in cases and cases.count(LOWER) > 2

    def is_abbreviation(self, index: int) -> bool:
        """Whether the token is a short word in capitals that no list of names vouches for, in a text with lower case."""
        length, flags = len(self.folded[index]), self.flags[index]
        if flags & NUMBER_LABEL and self.cases[index] == UPPER:
            return True
        if self.cases[index] != UPPER or length > 5 or self.shouts:
            return False
        if not flags & NAME or flags & RARE or length < 3:
            return True
        # ANA and ART are tests and names: a neighbour in capitals that is a name decides.
        beside = [k for k in (index - 1, index + 1) if 0 <= k < len(self) and self.cases[k] == UPPER]
        return length < 5 and not any(self.flags[k] & NAME and not self.flags[k] & RARE for k in beside)

    def starts_sentence(self, index: int) -> bool:
        """Whether the token opens a line or a sentence, where a capital says nothing."""
        if index == 0:
            return True
        before = self.folded[index - 1]
        return before in _SENTENCE_ENDS or "\n" in self.gap(index - 1) or (before == "-" and index == 1)

    def match(self, index: int, phrases: Sequence[tuple[Phrase, int]]) -> int:
        """Return how many tokens from ``index`` one of the phrases takes (the longest), or 0."""
        for phrase, bits in phrases:
            size = len(phrase)
            if bits & self.bits and self.folded[index : index + size] == list(phrase):
                return size
        return 0


_SENTENCE_ENDS: Final = frozenset({".", "!", "?", ":", ";", "•", "*", "|", '"', "“", "(", ">", "#"})


def case_of(word: str) -> int:
    """Return the case class of a token."""
    if not word[0].isalpha():
        return SIGN
    if word.islower():
        return LOWER
    if len(word) == 1:
        return LETTER
    if word.isupper():
        return UPPER
    return TITLE if word[0].isupper() and word[1:].islower() else MIXED


class WordReader:
    """Turns texts into `Words`, remembering what it worked out for each surface."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._known: dict[str, tuple[str, int, int, int]] = {}

    def read(self, text: str, *, lang: str) -> Words:
        """Part a text and look every word up."""
        tokens = tokenize(text)
        known = self._known
        if len(known) > _CACHE_WORDS:
            known.clear()
        for word in set(tokens.words).difference(known):
            known[word] = self.look_up(word)
        facts = [known[word] for word in tokens.words]
        folded, flags, cases, common = (list(column) for column in zip(*facts, strict=True)) if facts else ([],) * 4
        return Words(
            tokens, folded, flags, cases, common, language_bits(lang), _uses_capitals(folded, cases), _shouts(cases)
        )

    def look_up(self, word: str) -> tuple[str, int, int, int]:
        """Return folded form, flags, case and common bits of one word."""
        folded = fold(word)
        flags = self._lexicon.flags.get(folded, 0)
        if not flags & (NAME | MEDICAL) and len(folded) > 6 and DRUG_ENDING.search(folded):
            flags |= MEDICAL
        return folded, flags, case_of(word), self._lexicon.common.get(folded, 0)


def _shouts(cases: list[int]) -> bool:
    return cases.count(UPPER) >= cases.count(LOWER)


def _uses_capitals(folded: list[str], cases: list[int]) -> bool:
    """Whether a missing capital says something. One at the very beginning does not: telephones put it there."""
    lower, titled = cases.count(LOWER), cases.count(TITLE) + cases.count(MIXED)
    opening = [case for sign, case in zip(folded, cases[1:], strict=False) if sign in {".", "?", "!"} and case != SIGN]
    begun = sum(case != LOWER for case in opening)
    if len(opening) >= _SENTENCES and begun * 2 >= len(opening):
        return True
    inside = titled - begun - (cases[:1] in ([TITLE], [MIXED]))
    return inside * 40 > lower > 0
