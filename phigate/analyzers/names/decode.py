"""From chances to spans: where the tagger is sure enough, and how far each span reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from phigate.analyzers.names.features import LABELS
from phigate.analyzers.names.lexicon import CALENDAR, GIVEN, MEDICAL, NAME
from phigate.analyzers.names.tagger import Floats
from phigate.analyzers.names.titles import NameSpan
from phigate.analyzers.names.words import LOWER, SIGN, UPPER, Words
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
_SURE: Final = 0.9
_NEEDS_DIGIT: Final = frozenset({EntityType.DATE, EntityType.UNIQUE_ID, EntityType.PHONE})


@dataclass(frozen=True, slots=True)
class Bars:
    """The chance from which a token opens a span, by label, and from which a neighbour joins it."""

    opens: tuple[float, ...]
    joins: float


BALANCED: Final = Bars(opens=(0.55, 0.6, 0.6, 0.7, 0.7, 0.9, 0.9), joins=0.3)
RECALL: Final = Bars(opens=(0.3, 0.4, 0.4, 0.5, 0.5, 0.7, 0.7), joins=0.15)


def tagged(words: Words, chances: Floats, bars: Bars) -> Iterator[NameSpan]:
    """Yield the spans of the tagger, one label at a time."""
    for number, (entity_type, opens) in enumerate(zip(_TYPES, bars.opens, strict=True), 1):
        column = chances[:, number]
        reached = -1
        for index in np.flatnonzero(column >= opens).tolist():
            if index <= reached or not _may_open(words, index, entity_type, float(column[index])):
                continue
            first = last = index
            while first and first - 1 > reached and column[first - 1] >= bars.joins and words.joined(first - 1):
                first -= 1
            while last + 1 < len(words) and column[last + 1] >= bars.joins and words.joined(last):
                last += 1
            reached = last
            first, last = _trim(words, first, last, entity_type)
            if last < first:
                continue
            if entity_type in _NEEDS_DIGIT and not any(words.folded[k][0].isdigit() for k in range(first, last + 1)):
                continue
            yield NameSpan(first, last, entity_type, float(column[first : last + 1].max()), "tagger")


def _may_open(words: Words, index: int, entity_type: EntityType, chance: float) -> bool:
    """Whether this token may open a span of people: how sure the tagger must be depends on what the word looks like."""
    if entity_type is not EntityType.PERSON:
        return True
    case, flags = words.cases[index], words.flags[index]
    if case == SIGN or len(words.folded[index]) < 2 or (flags & (MEDICAL | CALENDAR) and not flags & GIVEN):
        return False
    if case == LOWER and words.uses_capitals:
        # In a text with capitals a name without one is a slip: only a known name, and only with good reason.
        return bool(flags & NAME) and chance >= _SURE and not words.is_common(index)
    if words.is_grammar(index):
        return chance >= _SURE and case != LOWER
    abbreviation = case == UPPER and len(words.folded[index]) <= 5 and not flags & NAME and words.uses_capitals
    return chance >= _SURE or not (abbreviation or words.is_common(index))


def _trim(words: Words, first: int, last: int, entity_type: EntityType) -> tuple[int, int]:
    """Leave signs at the ends out, but keep the brackets and full stops that belong to numbers and initials."""
    while (
        first <= last
        and words.cases[first] == SIGN
        and not words.folded[first][0].isdigit()
        and words.folded[first] != "("
    ):
        first += 1
    while last >= first and words.cases[last] == SIGN and not words.folded[last][0].isdigit():
        last -= 1
    if entity_type is EntityType.PERSON:
        while first <= last and words.cases[first] == SIGN:
            first += 1
    return first, last
