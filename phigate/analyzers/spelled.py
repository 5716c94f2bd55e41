"""Names and numbers written so that no word of them stands in one piece: spelled, spaced, spoken, glued or with digits.

"M A R I A", "4 8 2 1 0", "four eight two one zero", "mariaSilva", "Sm1th". Each run is read as a person would read it;
what it says is then judged by the same patterns, with the words before it as context. A run that counts upwards is a
list and not a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from phigate.analyzers import pipeline
from phigate.analyzers.layers import View
from phigate.analyzers.names.lexicon import GIVEN, NAME, RARE, Lexicon, load
from phigate.analyzers.number_words import NUMBERS, REPEATS, TENS
from phigate.analyzers.shadow import fold, view_of
from phigate.finding import ENTITY_TABLE, EntityType, Family, Finding

_LEAST_LETTERS: Final = 4
_LEAST_DIGITS: Final = 4  # with a label; without one an identifier has seven
_BARE_DIGITS: Final = 7
_MOST_WORDS: Final = 40
_CONTEXT: Final = 60
_BETWEEN: Final = re.compile(r"[ .,_/·•*-]{1,4}")
_SPOKEN_GAP: Final = re.compile(r"[ ,.\n-]{1,4}(?:and |dash |hyphen |traco |tiret |guion |bindestrich )?")
_CUES: Final = frozenset(
    {"spell", "spelled", "spelt", "spells", "spelling", "name", "surname", "nome", "sobrenome", "soletra", "soletrando"}
    | {"apellido", "apellidos", "nombre", "deletreado", "deletrea", "nom", "prenom", "epele", "epelle", "nachname"}
    | {"vorname", "buchstabiert", "buchstabieren", "cognome", "naam", "achternaam", "gespeld", "patient", "paciente"}
)
_NUMBERED: Final = frozenset({EntityType.AGE, EntityType.DATE, EntityType.DOB, EntityType.ZIP})
_GLUED: Final = re.compile(r"(?<![^\W_])([a-z]{4,20}|[A-Z][a-z]{3,20})([A-Z][a-z]{3,20})(?![^\W_])")
_GLUE_HINT: Final = re.compile(r"[a-z][A-Z]")
_DISGUISED: Final = re.compile(
    r"(?<![^\W_])[A-Z](?=\w{3,20}(?!\w))[a-z]{0,20}[013458][a-z]{1,20}[013458]?[a-z]{0,20}(?!\w)"
)
_DISGUISE_HINT: Final = re.compile(r"[A-Za-z][013458][a-z]")
_UNDISGUISED: Final = str.maketrans("013458", "oieasb")


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of the shadow, the words [first, last] that it spans, and what it reads as."""

    first: int
    last: int
    value: str


def find_spelled(view: View) -> list[Finding]:
    """Return names and numbers that are spelled out, offsets into the shadow."""
    lexicon = load()
    found: list[Finding] = []
    single = [n for n, word in enumerate(view.words) if len(word) == 1]
    if len(single) >= _LEAST_LETTERS:
        for run in _runs(view, single):
            found += _number(view, run) if run.value[0].isdigit() else _letters(view, run, lexicon)
    spoken = [n for n, word in enumerate(view.words) if word in NUMBERS or word in TENS]
    if len(spoken) >= _LEAST_DIGITS - 1:
        for run in _spoken(view, spoken):
            found += _number(view, run)
    if _GLUE_HINT.search(view.shadow):
        found += _glued(view, lexicon)
    if _DISGUISE_HINT.search(view.shadow):
        found += _disguised(view, lexicon)
    return found


def _runs(view: View, single: list[int]) -> Iterator[_Run]:
    """Yield runs of single letters or single digits; a gap wider than the others parts words."""
    first = 0
    for at in range(1, len(single) + 1):
        if at < len(single) and _continues(view, single[at - 1], single[at]):
            continue
        if at - first >= _LEAST_LETTERS:
            words = single[first:at]
            gaps = [view.shadow[view.ends[n] : view.starts[n + 1]] for n in words[:-1]]
            narrow = min(map(len, gaps))
            value = view.words[words[0]]
            for n, gap in zip(words[1:], gaps, strict=True):
                value += ("" if view.words[n].isdigit() or len(gap) == narrow else " ") + view.words[n]
            yield _Run(words[0], words[-1], value)
        first = at


def _continues(view: View, before: int, after: int) -> bool:
    if after != before + 1 or view.words[before].isdigit() != view.words[after].isdigit():
        return False
    return _BETWEEN.fullmatch(view.shadow, view.ends[before], view.starts[after]) is not None


def _letters(view: View, run: _Run, lexicon: Lexicon) -> Iterator[Finding]:
    words = run.value.split()
    near = view.words[max(0, run.first - 4) : run.first] + view.words[run.last + 1 : run.last + 6]
    cued = not _CUES.isdisjoint(near)
    parts = [part for word in words for part in (_parted(word, lexicon) or [""])]
    named = [part for part in parts if part and _is_name(part, lexicon)]
    if (named and "" not in parts) or (cued and max(map(len, words)) >= _LEAST_LETTERS):
        score = 0.7 if cued or len(named) > 1 else 0.55
        yield Finding(view.starts[run.first], view.ends[run.last], EntityType.PERSON, score, "shape:spelled_name")


def _parted(word: str, lexicon: Lexicon) -> list[str] | None:
    """Part letters written on and on into the fewest names of the lists, the word itself first; None where none fit."""
    if _is_name(word, lexicon) or len(word) < 6 or len(word) > _MOST_WORDS:
        return [word] if len(word) >= 3 and _is_name(word, lexicon) else None
    best: list[list[str] | None] = [[], *([None] * len(word))]
    for end in range(3, len(word) + 1):
        for start in range(max(0, end - 14), end - 2):
            head = best[start]
            if head is not None and len(head) < 4 and _is_name(word[start:end], lexicon):
                longer = [*head, word[start:end]]
                known = best[end]
                if known is None or len(longer) < len(known):
                    best[end] = longer
    return best[-1]


def _is_name(word: str, lexicon: Lexicon) -> bool:
    flags = lexicon.flags.get(word, 0)
    return bool(flags & NAME) and not flags & RARE


def _spoken(view: View, spoken: list[int]) -> Iterator[_Run]:
    """Yield runs of number words, with figures among them; "double five" and "thirty-four" are read as said."""
    done = -1
    for at in spoken:
        if at <= done:
            continue
        first = at
        while (
            first and (_is_figure(view, first - 1) or view.words[first - 1] in REPEATS) and _spoken_on(view, first - 1)
        ):
            first -= 1
        last = first
        while last + 1 < len(view.words) and last - first < _MOST_WORDS and _spoken_on(view, last):
            if not (_is_spoken(view, last + 1) or _is_figure(view, last + 1)):
                break
            last += 1
        done = last
        value = _said(view.words[first : last + 1])
        if len(value) >= _LEAST_DIGITS and last - first >= 2:
            yield _Run(first, last, value)


def _is_spoken(view: View, n: int) -> bool:
    word = view.words[n]
    return word in NUMBERS or word in TENS or word in REPEATS


def _is_figure(view: View, n: int) -> bool:
    return view.words[n].isdigit() and len(view.words[n]) <= 4


def _spoken_on(view: View, n: int) -> bool:
    return _SPOKEN_GAP.fullmatch(view.folded, view.ends[n], view.starts[n + 1]) is not None


def _said(words: list[str]) -> str:
    """Return the figures that number words say."""
    value = ""
    tens = 0
    times = 1
    for word in words:
        if word in REPEATS:
            times = REPEATS[word]
            continue
        number = TENS.get(word, NUMBERS.get(word, word))
        if tens and len(number) <= 2 and 0 < int(number) < (20 if tens in {60, 80} else 10):
            value = value[:-2] + str(tens + int(number))
            tens = 0
            continue
        tens = int(number) if word in TENS and int(number) >= 20 else 0
        value += number * times
        times = 1
    return value


def _number(view: View, run: _Run) -> Iterator[Finding]:
    """Yield the run as what its figures are after the words before it."""
    start, end = view.starts[run.first], view.ends[run.last]
    before = view.shadow[max(0, start - _CONTEXT) : start]
    inner = view_of(f"{before}{run.value} ", lang=view.lang)
    at = len(inner.shadow) - len(run.value) - 1
    best: Finding | None = None
    for found in pipeline.find_patterns(inner):
        direct = ENTITY_TABLE[found.entity_type].family is Family.ID and found.entity_type not in _NUMBERED
        if (
            direct
            and found.start <= at
            and found.end >= at + len(run.value)
            and (best is None or found.score > best.score)
        ):
            best = found
    if best is not None and best.score >= (0.8 if _counts(run.value) else 0.5):
        yield Finding(start, end, best.entity_type, best.score, "shape:spelled_number")
    elif not _counts(run.value) and len(run.value) >= _BARE_DIGITS and len(set(run.value)) > 3:
        yield Finding(start, end, EntityType.UNIQUE_ID, 0.5, "shape:spelled_number")


def _counts(value: str) -> bool:
    """Whether the figures go up or down one by one, or never change."""
    steps = {int(after) - int(before) for before, after in pairwise(value)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


def _glued(view: View, lexicon: Lexicon) -> Iterator[Finding]:
    """Yield names joined by a capital alone: mariaSilva."""
    for match in _GLUED.finditer(view.shadow):
        given, surname = (fold(part) for part in match.groups())
        known = lexicon.flags.get(given, 0) & (GIVEN | RARE) == GIVEN and _is_name(surname, lexicon)
        if known and not (given in lexicon.common and surname in lexicon.common):
            yield Finding(match.start(), match.end(), EntityType.PERSON, 0.6, "shape:spelled_name")


def _disguised(view: View, lexicon: Lexicon) -> Iterator[Finding]:
    """Yield names in which digits stand for letters: Sm1th, J0hn."""
    for match in _DISGUISED.finditer(view.shadow):
        word = match.group().translate(_UNDISGUISED).lower()
        readings = (word, word.replace("i", "l"))
        if any(_is_name(reading, lexicon) and reading not in lexicon.common for reading in readings):
            yield Finding(match.start(), match.end(), EntityType.PERSON, 0.6, "shape:spelled_name")
