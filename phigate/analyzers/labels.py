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


_Entry = tuple[tuple[str, ...], frozenset[str], bool]


def phrase_words(phrase: str) -> tuple[str, ...]:
    """Cut a phrase as views are cut; ``#`` disappears, as it does there."""
    return tuple("".join(c if c.isalnum() else " " for c in fold(phrase)).split())


# How "number" and "code" are written beside what they number: each phrase with one of them stands for all.
_NUMBER: Final = ("n", "no", "nr", "nro", "num", "numero")
_CODE: Final = ("codice", "cod")
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


def _table() -> dict[str, list[_Entry]]:
    """First word -> entries, longest first. A phrase in several kinds becomes one entry that names them all."""
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
    table: dict[str, list[_Entry]] = {}
    for words, found in kinds.items():
        table.setdefault(words[0], []).append((words[1:], frozenset(found), words not in strong))
    for entries in table.values():
        entries.sort(key=lambda e: -len(e[0]))
    return table


_TABLE: Final = _table()
_MOST_DOTTED: Final = 5


def find_labels(view: View) -> list[Label]:
    """Return the labels of a view in order; where phrases nest, the longest counts."""
    words, starts, ends = view.words, view.starts, view.ends
    found: list[Label] = []
    table = _TABLE
    skip = 0
    for n, word in enumerate(words):
        if n < skip:
            continue
        if len(word) == 1 and view.shadow[ends[n] : ends[n] + 1] == ".":
            label = _dotted(view, n)
            if label is not None:
                found.append(label[0])
                skip = label[1]
                continue
        if word not in table:
            continue
        for rest, kinds, weak in table[word]:
            size = len(rest)
            if not rest or tuple(words[n + 1 : n + 1 + size]) == rest:
                end = ends[n + size]
                if word == _CODE_KEY and not size and view.shadow[end : end + 2] in _AFTER_KEY:
                    break  # the key of a code system's code, in every FHIR resource
                # Words of one label stand on one line.
                if size and "\n" in view.shadow[starts[n] : end]:
                    continue
                found.append(Label(starts[n], end, kinds, weak))
                skip = n + 1 + size
                break
    return found


def _dotted(view: View, n: int) -> tuple[Label, int] | None:
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
    apart = tuple(words[n + 1 : last + 1])
    if last == n or any(rest == apart for rest, _, _ in _TABLE.get(words[n], ())):
        return None  # "c. i." stands in the table by itself, and says another thing than "ci"
    known = _TABLE.get("".join(words[n : last + 1]), ())
    for rest, kinds, weak in known:
        if not rest:
            return Label(starts[n], ends[last], kinds, weak), last + 1
    return None


_WORDS: Final = frozenset(
    word for first, entries in _TABLE.items() for rest, _, _ in entries for word in (first, *rest)
)


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
            for rest, kinds, _weak in _TABLE.get(words[at], ()):
                if len(rest) == size - 1 and words[at + 1 : at + size] == rest:
                    return kinds
    return frozenset()
