"""Finds label words in a view: which kind of value each announces, where it ends, and how sure that is.

One pass over the words of the part with a dictionary: the cost does not depend on the size of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from phigate.analyzers.label_words import LABEL_WORDS
from phigate.analyzers.layers import View
from phigate.analyzers.shadow import fold

KINDS: Final = frozenset(LABEL_WORDS)


@dataclass(frozen=True, slots=True)
class Label:
    """One label in a shadow. ``kinds`` are all kinds that its words may announce; weak ones count close by only."""

    start: int
    end: int
    kinds: frozenset[str]
    weak: bool


_Meaning = tuple[frozenset[str], bool]  # kinds, and whether they count close by only


def phrase_words(phrase: str) -> tuple[str, ...]:
    """Cut a phrase as views are cut; ``#`` disappears, as it does there."""
    return tuple("".join(c if c.isalnum() else " " for c in fold(phrase)).split())


# How "number" and "code" are written beside what they number: each phrase with one of them stands for all.
_NUMBER: Final = ("n", "no", "nr", "nro", "num", "numero")
_CODE: Final = ("codice", "cod")
_PARTING: Final = frozenset("\n()")
_CODE_KEY: Final = "code"
_AFTER_KEY: Final = frozenset({'":', '" ', "='", '="'})
_OF: Final = frozenset({"de", "do", "da", "del", "di", "d", "du", "des", "della"})


def _spellings(words: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return the phrase in all spellings of "number": numero de historia, nº de historia, nº historia, historia nº."""
    if len(words) < 2:
        return {words}
    if words[0] in _NUMBER:
        rest = words[1:]
        bare = rest[1:] if rest[0] in _OF and len(rest) > 1 else rest
        return {(number, *tail) for number in _NUMBER for tail in (rest, bare)}
    if words[-1] in _NUMBER:
        return {(*words[:-1], number) for number in _NUMBER}
    return {(code, *words[1:]) for code in _CODE} if words[0] in _CODE else {words}


def _phrases() -> dict[tuple[str, ...], _Meaning]:
    """Return what each phrase announces. A phrase in several kinds names them all."""
    kinds: dict[tuple[str, ...], set[str]] = {}
    strong: set[tuple[str, ...]] = set()
    for kind, phrases in LABEL_WORDS.items():
        for raw in phrases.split("|"):
            phrase = raw.strip()
            words = phrase_words(phrase.lstrip("~"))
            for spelling in _spellings(words) if words else ():
                kinds.setdefault(spelling, set()).add(kind)
                # Without its sign "chart #" is an ordinary word.
                if not phrase.startswith("~") and not (phrase.endswith("#") and len(words) == 1):
                    strong.add(spelling)
    return {words: (frozenset(found), words not in strong) for words, found in kinds.items()}


def _sizes() -> dict[str, tuple[int, ...]]:
    """Return how long the phrases are that begin with a word, the longest first."""
    sizes: dict[str, set[int]] = {}
    for words in _PHRASES:
        sizes.setdefault(words[0], set()).add(len(words))
    return {word: tuple(sorted(found, reverse=True)) for word, found in sizes.items()}


_PHRASES: Final = _phrases()
_SIZES: Final = _sizes()
_MOST_DOTTED: Final = 5
_HEADS: Final = frozenset(_SIZES) | frozenset("abcdefghijklmnopqrstuvwxyz")  # single letters may be "M.R.N."


def find_labels(view: View) -> list[Label]:
    """Return the labels of a view in order; where phrases nest, the longest counts."""
    found: list[Label] = []
    skip = 0
    for n in [n for n, word in enumerate(view.words) if word in _HEADS]:
        if n < skip:
            continue
        label, after = _dotted(view, n) if len(view.words[n]) == 1 else (None, n)
        if label is None:
            label, after = _plain(view, n)
        if label is not None:
            found.append(label)
            skip = after
    return found


def _plain(view: View, n: int) -> tuple[Label | None, int]:
    """Return the longest phrase that begins with word ``n``, and the word after it."""
    words, starts, ends = view.words, view.starts, view.ends
    for size in _SIZES.get(words[n], ()):
        meaning = _PHRASES.get(tuple(words[n : n + size])) if n + size <= len(words) else None
        if meaning is None:
            continue
        start, end = starts[n], ends[n + size - 1]
        if size == 1 and words[n] == _CODE_KEY and view.shadow[end : end + 2] in _AFTER_KEY:
            break  # the key of a code system's code, in every FHIR resource
        if size > 1 and not _PARTING.isdisjoint(view.shadow[start:end]):
            continue  # words of one label stand on one line, with no bracket between: "g/dl (NR 12-14)"
        return Label(start, end, *meaning), n + size
    return None, n


def _dotted(view: View, n: int) -> tuple[Label | None, int]:
    """Return the label whose letters have full stops between them ("M.R.N.", "D.N.I."), and the word after it."""
    words, starts, ends = view.words, view.starts, view.ends
    last = n
    while (
        last + 1 < len(words)
        and last - n < _MOST_DOTTED
        and len(words[last + 1]) == 1
        and view.shadow[ends[last] : starts[last + 1]] in {".", ". "}
    ):
        last += 1
    if last == n or tuple(words[n : last + 1]) in _PHRASES:
        return None, n  # "c. i." stands in the table by itself, and says another thing than "ci"
    meaning = _PHRASES.get(("".join(words[n : last + 1]),))
    return (None, n) if meaning is None else (Label(starts[n], ends[last], *meaning), last + 1)


_WORDS: Final = frozenset(word for words in _PHRASES for word in words)


def _words_of_key(key: str) -> tuple[str, ...]:
    spaced = "".join(f" {c}" if c.isupper() and n and key[n - 1].islower() else c for n, c in enumerate(key))
    return phrase_words(spaced)


def only_labels(key: str) -> bool:
    """Return whether the name of a field is made of label words alone, and so names nobody."""
    words = _words_of_key(key)
    return bool(words) and _WORDS.issuperset(words) and not any(c.isdigit() for c in key)


def kinds_of_key(key: str) -> frozenset[str]:
    """Return the kinds that the name of a field, column or path step announces: ``patientName``, ``nome_mae``."""
    words = _words_of_key(key)
    for size in range(len(words), 0, -1):  # the end of a compound name says what it is: home_phone_number
        for at in range(len(words) - size, -1, -1):
            meaning = _PHRASES.get(words[at : at + size])
            if meaning is not None:
                return meaning[0]
    return frozenset()
