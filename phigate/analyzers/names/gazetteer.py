"""Runs of capitalised words that the lists know: people, places, and bodies by their head noun. Layer L2.

A *chain* is capitalised words on one line, joined by spaces, hyphens, apostrophes, initials and particles. Inside a
chain, ordinary words and calendar words part it; what is left is a name when the lists vouch for enough of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phigate.analyzers.names.bodies import find_bodies
from phigate.analyzers.names.lexicon import (
    AREA,
    BRAND,
    CALENDAR,
    COUNTRY,
    EPONYM,
    GIVEN,
    MEDICAL,
    NAME,
    OPENS_PLACE,
    PARTICLE,
    PLACE,
    PLACE_LARGE,
    RARE,
    REGION,
    SURNAME,
    Lexicon,
)
from phigate.analyzers.names.titles import NameSpan
from phigate.analyzers.names.words import LETTER, LOWER, MIXED, SIGN, TITLE, UPPER, Words
from phigate.finding import EntityType

_CAPITAL: Final = frozenset({TITLE, UPPER, MIXED})
_JOINTS: Final = frozenset({"-", "'", "’"})
_PLACE_WORDS: Final = 5
# Below the bars of the shipped regimes and of their re-scan (0.45 x 0.7): they let a country stay, so neither look may
# take it out. Who looks for places finds it from 0.3 on.
_COUNTRY: Final = 0.3
_UNKNOWN_AFTER: Final = 3  # words in no list that may follow a known name
STRONG, WEAK, UNKNOWN, ORDINARY, INITIAL, JOIN = range(6)


@dataclass(frozen=True, slots=True)
class _Item:
    """One token of a chain, and what the lists make of it."""

    index: int
    kind: int


def find_listed(words: Words, lexicon: Lexicon) -> Iterator[NameSpan]:
    """Yield people, places and bodies that the lists know."""
    chains = list(_chains(words))
    bodies = list(find_bodies(words, lexicon, chains))
    yield from bodies
    places = list(_places(words, lexicon))
    yield from places
    held = {k for span in bodies for k in range(span.first, span.last + 1)}
    # What a place of several words holds begins and ends no name: "New York Heart Association".
    whole = {k for span in places if span.last > span.first for k in range(span.first, span.last + 1)}
    held |= {k for span in places if span.score >= 0.7 for k in range(span.first, span.last + 1)}
    for chain in chains:
        for part in _parts(words, chain, whole):
            if not held.issuperset(item.index for item in part if item.kind != JOIN):
                yield from _person(words, lexicon, part)


def _chains(words: Words) -> Iterator[list[int]]:
    """Yield maximal chains of capitalised words as token indices, joins included."""
    index, size = 0, len(words)
    while index < size:
        if words.cases[index] not in _CAPITAL and words.cases[index] != LETTER:
            index += 1
            continue
        chain = [index]
        while (following := _next_in_chain(words, chain[-1])) is not None:
            chain.extend(range(chain[-1] + 1, following + 1))
        yield chain
        index = chain[-1] + 1


def _next_in_chain(words: Words, index: int) -> int | None:
    """Return the next capitalised word that belongs to the chain of ``index``, over at most four joining tokens."""
    size = len(words)
    particles = 0
    position = index
    for _ in range(4):
        if position + 1 >= size or not words.joined(position):
            return None
        position += 1
        case, folded = words.cases[position], words.folded[position]
        if case in _CAPITAL or case == LETTER:
            return position
        if case == SIGN:
            short = words.cases[position - 1] == LETTER or (
                words.cases[position - 1] in {UPPER, TITLE} and len(words.folded[position - 1]) == 2
            )
            tight = words.tokens.ends[position - 1] == words.tokens.starts[position]
            if not tight or not (folded in _JOINTS or (folded == "." and short)):
                return None
        elif (words.flags[position] & PARTICLE or _spelled_article(words, position)) and particles < 2:
            particles += 1
        else:
            return None
    return None


def _spelled_article(words: Words, index: int) -> bool:
    """Whether the token is the article of a contraction written out: "Graça de o Campo"."""
    return words.folded[index] in {"o", "a", "os", "as"} and words.folded[index - 1] == "de"


def _kind(words: Words, index: int) -> int:
    case, flags, length = words.cases[index], words.flags[index], len(words.folded[index])
    if case in {SIGN, LOWER} or (flags & PARTICLE and not flags & NAME):
        return JOIN
    if case == LETTER:
        return INITIAL
    nobody = flags & (BRAND | CALENDAR | MEDICAL) and (not flags & GIVEN or flags & RARE)
    if nobody or words.is_abbreviation(index) or words.is_grammar(index):
        return ORDINARY
    common = words.is_common(index)
    if not flags & NAME:
        return ORDINARY if common or length < 3 else UNKNOWN
    doubtful = common or flags & (RARE | EPONYM | CALENDAR | MEDICAL) or length < 3
    return WEAK if doubtful or (flags & PLACE and not flags & GIVEN) else STRONG


def _parts(words: Words, chain: list[int], whole: set[int]) -> Iterator[list[_Item]]:
    """Part a chain at ordinary words and at places of several words."""
    part: list[_Item] = []
    for index in chain:
        kind = ORDINARY if index in whole else _kind(words, index)
        if kind == ORDINARY:
            if part:
                yield part
            part = []
        elif kind != JOIN or part:
            part.append(_Item(index, kind))
    if part:
        yield part


def _person(words: Words, lexicon: Lexicon, part: list[_Item]) -> Iterator[NameSpan]:
    known = [k for k, item in enumerate(part) if item.kind in {STRONG, WEAK}]
    if not known:
        return
    first, last = known[0], known[-1]
    first = _reach_left(words, part, first)
    last = _reach_right(part, last)
    items = [item for item in part[first : last + 1] if item.kind != JOIN]
    if is_eponym(words, lexicon, part[first].index, part[last].index):
        return
    score = _score(words, items)
    if score:
        yield NameSpan(part[first].index, part[last].index, EntityType.PERSON, score, "gazetteer")


def _reach_left(words: Words, part: list[_Item], first: int) -> int:
    """Take initials before a name, and one unknown word before a surname."""
    position = first - 1
    while position >= 0 and part[position].kind in {INITIAL, JOIN}:
        position -= 1
    reached = position + 1
    while part[reached].kind == JOIN:
        reached += 1
    flags = words.flags[part[first].index]
    if reached == first and first and not flags & GIVEN and part[first - 1].kind == UNKNOWN:
        return first - 1
    return reached


def _reach_right(part: list[_Item], last: int) -> int:
    taken = 0
    for position in range(last + 1, len(part)):
        kind = part[position].kind
        if kind in {INITIAL, UNKNOWN}:
            taken += 1
            if taken > _UNKNOWN_AFTER:
                break
            last = position
    return last


def _score(words: Words, items: list[_Item]) -> float:
    """Say how surely these words are a person, from 0.2 (one doubtful word) to 0.85."""
    strong = [item for item in items if item.kind == STRONG]
    weak = [item for item in items if item.kind == WEAK]
    shouted = all(words.cases[item.index] in {UPPER, LETTER} for item in items)
    if strong:
        if len(items) > 1:
            return 0.75 if shouted else 0.85
        score = 0.6 if words.flags[strong[0].index] & GIVEN else 0.5
        score -= 0.15 if shouted else 0.0
        return score - 0.05 if words.starts_sentence(strong[0].index) else score
    given_first = bool(words.flags[weak[0].index] & GIVEN) and any(
        words.flags[item.index] & SURNAME for item in weak[1:]
    )
    if given_first and not shouted:
        return 0.5 if not words.starts_sentence(weak[0].index) else 0.45
    if any(item.kind == INITIAL for item in items) and not shouted:
        return 0.4
    return 0.3 if len(weak) > 1 else 0.2


def is_eponym(words: Words, lexicon: Lexicon, first: int, last: int, *, sure: bool = False) -> bool:
    """Whether the name belongs to a disease, a sign, a scale or a device.

    Without such a noun beside it, a name that is an eponym in the first place is taken for one, unless an initial
    shows a person or the tagger is ``sure``.
    """
    flags = [words.flags[k] for k in range(first, last + 1) if words.cases[k] not in {SIGN, LETTER}]
    after = last + 1
    if after < len(words) and words.folded[after] in {"'", "’", "-"}:
        after += 1
        if after < len(words) and words.folded[after] == "s":
            after += 1
    for offset in (0, 1):
        position = after + offset
        if offset and after < len(words) and words.cases[after] == SIGN:
            break  # "Bridget Nolan, epilepsy nurse": the noun beyond a comma is another's
        if position < len(words) and words.match(
            position, lexicon.cues["eponym_right"].get(words.folded[position], [])
        ):
            return True
    before = first - 1
    if before >= 0 and (words.flags[before] & PARTICLE or words.folded[before] in {"'", "’"}):
        before -= 1
        if before >= 0 and words.folded[before] in {"d", "l", "di", "de"}:
            before -= 1
    if before >= 0 and words.match(before, lexicon.cues["eponym_left"].get(words.folded[before], [])):
        return True
    if sure:
        return False
    initials = any(words.cases[k] == LETTER for k in range(first + 1, last + 1))
    return bool(flags) and all(flag & (EPONYM | PARTICLE) for flag in flags) and not initials


def _places(words: Words, lexicon: Lexicon) -> Iterator[NameSpan]:
    for index, flags in enumerate(words.flags):
        if not flags & (PLACE | OPENS_PLACE | COUNTRY | AREA) or words.cases[index] not in _CAPITAL:
            continue
        length, flag = _longest(words, lexicon, index) if flags & OPENS_PLACE else (0, 0)
        if length:
            kind = EntityType.LOCATION if flag & (REGION | COUNTRY | AREA) else EntityType.CITY
            country = flag & COUNTRY and not flag & PLACE
            yield NameSpan(index, index + length - 1, kind, *((_COUNTRY, "country") if country else (0.75, "place")))
            continue
        if flags & (COUNTRY | AREA) and not flags & PLACE_LARGE:
            yield from _country(words, lexicon, index)
        elif flags & PLACE and not flags & (CALENDAR | BRAND):
            score = _place_score(words, lexicon, index, flags)
            if score:
                kind = EntityType.LOCATION if flags & REGION else EntityType.CITY
                yield NameSpan(index, index, kind, score, "place")


def _country(words: Words, lexicon: Lexicon, index: int) -> Iterator[NameSpan]:
    """Yield a country or a region: weakly, since no regime asks for more, and not where it may be a person."""
    flags = words.flags[index]
    person = flags & GIVEN or (flags & NAME and not flags & COUNTRY)
    doubtful = flags & CALENDAR or (words.cases[index] == UPPER and not words.shouts and len(words.folded[index]) < 2)
    if doubtful or (person and not _has_cue(words, lexicon, index)):
        return
    yield NameSpan(index, index, EntityType.LOCATION, *((_COUNTRY, "country") if flags & COUNTRY else (0.6, "place")))


def _has_cue(words: Words, lexicon: Lexicon, index: int) -> bool:
    """Whether a preposition of place stands before the token."""
    before = index - 1
    return before >= 0 and words.match(before, lexicon.cues["place_cue"].get(words.folded[before], [])) == 1


def _longest(words: Words, lexicon: Lexicon, index: int) -> tuple[int, int]:
    """Match a place of several words; hyphens, apostrophes and full stops between them count for nothing."""
    ends: list[int] = []
    name = ""
    found = (0, 0)
    position = index
    while len(ends) < _PLACE_WORDS and position < len(words):
        if words.cases[position] != SIGN:
            ends.append(position)
            name = f"{name} {words.folded[position]}" if name else words.folded[position]
            if len(ends) > 1 and name in lexicon.places and words.cases[position] in _CAPITAL:
                found = (position + 1 - index, lexicon.places[name])
        elif words.folded[position] not in {"-", "'", "’", "."}:
            break
        if not words.joined(position):
            break
        position += 1
    return found


def _place_score(words: Words, lexicon: Lexicon, index: int, flags: int) -> float:
    before = index - 1
    cue = _has_cue(words, lexicon, index)
    label = before >= 1 and words.folded[before] == ":" and words.folded[before - 1] in lexicon.cues["label_place"]
    after = index + 1
    tail = (
        after + 1 < len(words)
        and words.folded[after] in {",", "/", "-", "("}
        and bool(
            words.flags[after + 1] & REGION or (words.cases[after + 1] == UPPER and len(words.folded[after + 1]) == 2)
        )
    )
    common = words.is_common(index)
    if label or (tail and not common):
        return 0.85
    if cue and not common:
        return 0.8 if not flags & NAME or flags & PLACE_LARGE else 0.6
    if common or flags & NAME:
        return 0.3 if flags & PLACE_LARGE else 0.0
    return 0.6 if flags & (PLACE_LARGE | REGION) else 0.35
