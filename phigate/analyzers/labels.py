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


def _table() -> dict[str, list[_Entry]]:
    """First word -> entries, longest first. A phrase in several kinds becomes one entry that names them all."""
    kinds: dict[tuple[str, ...], set[str]] = {}
    strong: set[tuple[str, ...]] = set()
    for kind, phrases in LABEL_WORDS.items():
        for raw in phrases.split("|"):
            phrase = raw.strip()
            words = phrase_words(phrase.lstrip("~"))
            if not words:
                continue
            kinds.setdefault(words, set()).add(kind)
            if not phrase.startswith("~"):
                strong.add(words)
    table: dict[str, list[_Entry]] = {}
    for words, found in kinds.items():
        table.setdefault(words[0], []).append((words[1:], frozenset(found), words not in strong))
    for entries in table.values():
        entries.sort(key=lambda e: -len(e[0]))
    return table


_TABLE: Final = _table()


def find_labels(view: View) -> list[Label]:
    """Return the labels of a view in order; where phrases nest, the longest counts."""
    words, starts, ends = view.words, view.starts, view.ends
    found: list[Label] = []
    table = _TABLE
    skip = 0
    for n, word in enumerate(words):
        if word not in table or n < skip:
            continue
        for rest, kinds, weak in table[word]:
            size = len(rest)
            if not rest or tuple(words[n + 1 : n + 1 + size]) == rest:
                end = ends[n + size]
                # Words of one label stand on one line.
                if size and "\n" in view.shadow[starts[n] : end]:
                    continue
                found.append(Label(starts[n], end, kinds, weak))
                skip = n + 1 + size
                break
    return found


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
