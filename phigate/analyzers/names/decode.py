"""From chances to spans: where the tagger is sure enough, and how far each span reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from phigate.analyzers.names.features import LABELS
from phigate.analyzers.names.lexicon import CALENDAR, GIVEN, MEDICAL, NAME, PARTICLE, RARE, language_bits
from phigate.analyzers.names.tagger import Floats
from phigate.analyzers.names.titles import NameSpan
from phigate.analyzers.names.words import LOWER, SIGN, TITLE, Words
from phigate.finding import EntityType

_TYPES: Final = (
    EntityType.PERSON,
    EntityType.LOCATION,
    EntityType.ORGANIZATION,
    EntityType.DATE,
    EntityType.AGE,
    EntityType.UNIQUE_ID,
    EntityType.PHONE,
)
PERSON: Final = 1 + LABELS.index("PERSON")
# How sure the tagger must be of a person, by what the lists say of the word.
_HALF_KNOWN, _UNUSUAL, _UNKNOWN, _FAIRLY_SURE, _SURE, _VERY_SURE, _NEVER = 0.3, 0.45, 0.55, 0.8, 0.9, 0.97, 2.0
_SPEAKING: Final = 0.1
_SAYS: Final = frozenset(
    {"says", "said", "asks", "asked", "replied", "explained", "added", "told", "diz", "disse", "afirma", "afirmou", "explica"}
    | {"explicou", "contou", "observou", "respondeu", "perguntou", "dice", "dijo", "explico", "respondio", "dit", "explique"}
    | {"lives", "lived", "resides", "moved", "reside", "mora", "morava", "vive", "vivia", "habite", "wohnt", "abita", "woont"}
    | {"affirme", "repond", "sagt", "sagte", "meinte", "erklarte", "fragte", "disse", "spiega", "risponde", "zegt", "zei", "vertelt"}
)  # fmt: skip
_GERMAN: Final = language_bits("de")
_DIGITS: Final = {EntityType.DATE: 1, EntityType.PHONE: 7}  # the fewest that mean anything


@dataclass(frozen=True, slots=True)
class Bars:
    """The chance from which a token opens a span, by label, and from which a neighbour joins it.

    People have bars of their own by word (`_person_bar`), which ``people`` scales.
    """

    opens: tuple[float, ...]
    joins: float
    people: float


BALANCED: Final = Bars(opens=(0.2, 0.2, 0.2, 0.7, 0.7, 0.9, 0.9), joins=0.3, people=0.6)
RECALL: Final = Bars(opens=(0.15, 0.2, 0.2, 0.5, 0.5, 0.7, 0.7), joins=0.15, people=0.5)


def tagged(words: Words, chances: Floats, bars: Bars) -> Iterator[NameSpan]:
    """Yield the spans of the tagger, one label at a time."""
    for number, (entity_type, opens) in enumerate(zip(_TYPES, bars.opens, strict=True), 1):
        column = chances[:, number]
        reached = -1
        for index in np.flatnonzero(column >= opens).tolist():
            if index <= reached:
                continue
            if entity_type is EntityType.PERSON and column[index] < _scaled_bar(words, index, bars):
                continue
            first = last = index
            while first and first - 1 > reached and column[first - 1] >= bars.joins and words.joined(first - 1):
                first -= 1
            while last + 1 < len(words) and column[last + 1] >= bars.joins and words.joined(last):
                last += 1
            reached = last
            first, last = _trim(words, first, last, column if entity_type is EntityType.PERSON else None)
            if last < first:
                continue
            if not _has_digits(words, first, last, entity_type) or _is_noun(words, first, last, entity_type):
                continue
            yield NameSpan(first, last, entity_type, float(column[first : last + 1].max()), "tagger")


def _scaled_bar(words: Words, index: int, bars: Bars) -> float:
    """Return the bar of a word under these bars. In a text with capitals one without is no name by leniency."""
    bar = _person_bar(words, index)
    firm = words.cases[index] == LOWER and words.uses_capitals and bars is not RECALL
    return bar if firm else bars.people * bar


def _person_bar(words: Words, index: int) -> float:
    """Return how sure the tagger must be that this token opens a name; 2 is never."""
    case, flags = words.cases[index], words.flags[index]
    nobody = flags & (MEDICAL | CALENDAR) and (not flags & GIVEN or flags & RARE)
    if case == SIGN or len(words.folded[index]) < 2 or nobody or words.is_abbreviation(index):
        return _NEVER
    known = flags & NAME and not flags & RARE and not words.is_common(index)
    if case == LOWER and not words.is_casual(index):
        # In a text with capitals a name without one is a slip: only a known name, and only with good reason.
        return _VERY_SURE if known else _NEVER
    if words.is_grammar(index):  # "Ele faz 80 anos": at the beginning a capital says nothing
        return _SURE if case != LOWER and not words.starts_sentence(index) else _NEVER
    if words.is_common(index):
        if case == LOWER and not flags & NAME:
            return _NEVER
        return _SURE if case == LOWER or not flags & NAME else _FAIRLY_SURE
    return _HALF_KNOWN if known else _unknown_bar(words, index)


def _speaks(words: Words, index: int) -> bool:
    """Whether a verb of saying stands beside a capitalised word: only people say."""
    if words.cases[index] == LOWER:
        return False
    return any(words.folded[k] in _SAYS for k in (index - 1, index + 1) if 0 <= k < len(words))


def _unknown_bar(words: Words, index: int) -> float:
    """Return the bar of a word in no list. In German every noun carries a capital, which then says nothing."""
    if _speaks(words, index):
        return _SPEAKING
    if words.cases[index] != TITLE:
        return _UNKNOWN
    if words.bits == _GERMAN:
        return _SURE
    return _UNKNOWN if words.starts_sentence(index) else _UNUSUAL


def _has_digits(words: Words, first: int, last: int, entity_type: EntityType) -> bool:
    """Whether dates, numbers and identifiers hold digits enough: a blood pressure or a range is no identifier."""
    runs = [len(words.folded[k]) for k in range(first, last + 1) if words.folded[k][0].isdigit()]
    if entity_type is not EntityType.UNIQUE_ID:
        return sum(runs) >= _DIGITS.get(entity_type, 0)
    lettered = any(words.cases[k] != SIGN for k in range(first, last + 1))
    return max(runs, default=0) >= 5 or sum(runs) >= (5 if lettered else 8)


def _is_noun(words: Words, first: int, last: int, entity_type: EntityType) -> bool:
    """Whether a place or a body is ordinary words in lower case alone: "the clinic", "home" name nothing."""
    if entity_type not in {EntityType.LOCATION, EntityType.ORGANIZATION}:
        return False
    return all(
        words.cases[k] == SIGN or (words.cases[k] == LOWER and words.is_common(k)) for k in range(first, last + 1)
    )


def _trim(words: Words, first: int, last: int, people: Floats | None) -> tuple[int, int]:
    """Leave signs at the ends out, but keep the brackets and full stops that belong to numbers and initials.

    With ``people``, the chances of a person, leave out what neither begins nor ends a name too.
    """
    while (
        first <= last
        and words.cases[first] == SIGN
        and not words.folded[first][0].isdigit()
        and words.folded[first] != "("
    ):
        first += 1
    while last >= first and words.cases[last] == SIGN and not words.folded[last][0].isdigit():
        last -= 1
    if people is not None:
        while first <= last and _is_edge(words, first) and not _opens_surname(words, first, people):
            first += 1
        while last >= first and _is_edge(words, last):
            last -= 1
    return first, last


def _opens_surname(words: Words, index: int, people: Floats) -> bool:
    """Whether a particle is part of the surname ("van den Berg"), of which the tagger must be all but sure."""
    return bool(words.flags[index] & PARTICLE) and bool(people[index] >= _FAIRLY_SURE)


def _is_edge(words: Words, index: int) -> bool:
    """Whether a token may stand inside a name but neither begin nor end one."""
    if words.cases[index] == SIGN:
        return True
    if words.cases[index] != LOWER:
        return False
    if words.is_grammar(index):
        return True
    flags = words.flags[index]
    # Beside words that carry capitals, one without is no end of a name, unless it is a name.
    return words.uses_capitals and bool(flags & PARTICLE or (words.is_common(index) and not flags & NAME))
