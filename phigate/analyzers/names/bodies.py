"""Hospitals, schools, firms, offices: a head noun before the name, a firm's ending after it, a verb of employment.

The forms are those of the language and not lists of firms: "Universidade de X", "University of X", "X GmbH",
"works at X", "X is a company". A common noun alone is no body: each needs a capitalised word besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phigate.analyzers.names.lexicon import (
    CALENDAR,
    COUNTRY,
    GIVEN,
    HEADS_BODY,
    NUMBER_LABEL,
    PLACE_LARGE,
    TITLES,
    Lexicon,
)
from phigate.analyzers.names.titles import NameSpan
from phigate.analyzers.names.words import LETTER, MIXED, SIGN, TITLE, UPPER, Words
from phigate.finding import EntityType

_CAPITAL: Final = frozenset({TITLE, UPPER, MIXED})
_BODY: Final = EntityType.ORGANIZATION
_LINKS: Final = frozenset(
    {"am", "im", "zum", "zur", "of", "the", "for", "de", "da", "do", "dos", "das", "del", "della", "dei", "delle", "di", "du", "des", "la", "los"}
    | {"las", "le", "les", "der", "den", "fur", "voor", "van", "het", "d", "l", "o", "a", "os", "as", "st", "und", "y", "e", "et"}
)  # fmt: skip
_JOINTS: Final = frozenset({"-", "'", "’", "&", '"', "“", "”"})
_ARTICLES: Final = frozenset({"der", "den", "zum", "zur"})
_SAINTS: Final = frozenset({"st", "ste", "sta", "sto", "hl", "dr", "s"})
_MOST_TOKENS: Final = 12
_MOST_BEFORE: Final = 7
_MOST_LINKS: Final = 3
_KINDS_OF_FIRM: Final = frozenset(
    {"company", "firm", "agency", "multinational", "corporation", "startup", "manufacturer", "retailer", "bank", "charity"}
    | {"orchestra", "website", "empresa", "firma", "entreprise", "societe", "azienda", "impresa", "unternehmen", "bedrijf"}
)  # fmt: skip


def find_bodies(words: Words, lexicon: Lexicon, chains: list[list[int]]) -> Iterator[NameSpan]:
    """Yield bodies; ``chains`` are the runs of capitalised words."""
    for chain in chains:
        yield from _of_chain(words, lexicon, chain)
        yield from _described(words, chain)
    for index, flags in enumerate(words.flags):
        if not flags & HEADS_BODY:
            continue
        folded = words.folded[index]
        head = words.match(index, lexicon.cues["org_head"].get(folded, []))
        if head and words.cases[index] in _CAPITAL:
            last = _reach(words, index + head - 1)
            if last > index + head - 1:
                yield from _with_letters(words, NameSpan(index, last, _BODY, 0.7, "body"))
        employs = words.match(index, lexicon.cues["org_employer"].get(folded, []))
        if employs:
            yield from _employer(words, index + employs)
        for section, score in (("org_legal", 0.7), ("org_firm", 0.5)):
            size = words.match(index, lexicon.cues[section].get(folded, []))
            if size and words.cases[index] in _CAPITAL:
                yield from _firm(words, index, size, score)
                break


def _of_chain(words: Words, lexicon: Lexicon, chain: list[int]) -> Iterator[NameSpan]:
    """Yield the body that a chain is by the noun that begins or ends it."""
    end = chain[-1]
    for place, index in enumerate(chain):
        if not words.flags[index] & HEADS_BODY:
            continue
        head = words.match(index, lexicon.cues["org_head"].get(words.folded[index], []))
        if head and words.cases[index] in _CAPITAL and index + head - 1 < end:
            yield NameSpan(index, end, _BODY, 0.7, "body")
            return
        tail = words.match(index, lexicon.cues["org_tail"].get(words.folded[index], []))
        if tail and place and words.cases[index] in _CAPITAL:
            first = chain[0]
            if not all(words.is_common(k) for k in range(first, index)) or place > 1:
                yield NameSpan(first, min(index + tail - 1, end), _BODY, 0.6, "body")
                return


def _reach(words: Words, index: int) -> int:
    """Return the last capitalised word that belongs to the body whose head ends at ``index``."""
    last, links = index, 0
    for at in range(index + 1, min(index + _MOST_TOKENS, len(words))):
        if not words.joined(at - 1):
            break
        if words.cases[at] in _CAPITAL or words.cases[at] == LETTER:
            if words.flags[at] & (TITLES | NUMBER_LABEL):
                break
            last, links = at, 0
        elif (words.folded[at] in _LINKS or _inflected(words, at)) and links < _MOST_LINKS:
            links += 1
        elif words.folded[at] == "." and words.folded[at - 1] in _SAINTS:
            continue
        elif words.folded[at] not in _JOINTS:
            break
    return last


def _inflected(words: Words, index: int) -> bool:
    """Whether the token is an adjective after a German article: "der barmherzigen Schwestern"."""
    return words.folded[index - 1] in _ARTICLES and words.folded[index].endswith("en")


def _with_letters(words: Words, body: NameSpan) -> Iterator[NameSpan]:
    """Yield a body, and the capitals in brackets after it: what it is called for short."""
    yield body
    after = body.last + 1
    bracketed = words.folded[after : after + 1] == ["("] and words.folded[after + 2 : after + 3] == [")"]
    if bracketed and words.cases[after + 1] in {UPPER, MIXED} and len(words.folded[after + 1]) > 1:
        yield NameSpan(after + 1, after + 1, _BODY, 0.6, "body")


def _employer(words: Words, first: int) -> Iterator[NameSpan]:
    """Yield the capitalised words after a verb of employment: no person, no place, no day."""
    if first < len(words) and words.folded[first] in {"the", "a", "o", "la", "el", "der", "die", "het", "il", "l", "'"}:
        first += 1
    if first >= len(words) or words.cases[first] not in _CAPITAL or not words.joined(first - 1):
        return
    if words.flags[first] & (GIVEN | TITLES | CALENDAR | COUNTRY | PLACE_LARGE) or words.is_grammar(first):
        return
    yield NameSpan(first, _reach(words, first), _BODY, 0.5, "employer")


def _described(words: Words, chain: list[int]) -> Iterator[NameSpan]:
    """Yield a chain that the words after it call a firm: "X is a design agency", "the X website"."""
    after = chain[-1] + 1
    if after >= len(words) or words.flags[chain[0]] & (GIVEN | TITLES | COUNTRY):
        return
    direct = words.folded[after] in {"website", "orchestra", "employee", "employees"}
    if direct or (
        words.folded[after : after + 2] in (["is", "a"], ["is", "an"])
        and not _KINDS_OF_FIRM.isdisjoint(words.folded[after + 2 : after + 7])
    ):
        yield NameSpan(chain[0], chain[-1], _BODY, 0.5, "employer")


def _firm(words: Words, index: int, size: int, score: float) -> Iterator[NameSpan]:
    """Yield the words before a firm's ending: "3 Round Stones Inc", "Owens, Duran and Sons", "Quirkel GmbH & Co KG"."""
    first = index
    for at in range(index - 1, max(-1, index - _MOST_BEFORE), -1):
        if not words.joined(at):
            break
        folded, case = words.folded[at], words.cases[at]
        if case in _CAPITAL or case == LETTER:
            if words.is_grammar(at) and words.starts_sentence(at):
                break
            first = at
        elif not (folded in _JOINTS or folded in {",", ".", "and", "of", "und", "et", "e", "y"} or folded.isdigit()):
            break
        elif folded.isdigit() and first < index:
            first = at
            break
    last = min(index + size - 1, len(words) - 1)
    named = [k for k in range(first, index) if words.cases[k] != SIGN and not words.is_common(k)]
    if first < index and (named or score > 0.5):
        yield NameSpan(first, last, _BODY, score, "body")
