"""What the tagger sees of a word: rows of one embedding table, some fixed, most hashed. Shared with training.

A word is its spelling (hashed), its edges and letter groups (hashed), its shape, and what the lists say of it. The sum
of the rows depends on the surface alone, so it is worked out once a word and remembered.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from phigate.analyzers.names.lexicon import GRAMMAR_SHIFT
from phigate.analyzers.names.words import LOWER, MIXED, SIGN, TITLE, UPPER

Ints = npt.NDArray[np.intp]

ROWS: Final = 32_768
LABELS: Final = ("PERSON", "LOCATION", "ORG", "DATE", "AGE", "ID", "PHONE")
OUTPUTS: Final = 1 + 2 * len(LABELS)  # O, then B and I of each label

# Row 0 is empty. Rows from _CASE on are fixed, the hashed ones follow them.
_LISTS: Final = 1  # one row a bit of `lexicon` flags, and two for ordinary words and grammar
_LIST_BITS: Final = 12
_CASE: Final = 16  # six case classes
_LENGTH: Final = 24  # ten lengths
_NUMBER: Final = 36  # kinds of numbers
# Twelve rows: what stands before the token (nothing, a space, a line break, a tab) by how its surroundings use capitals
# (as usual, hardly at all, everywhere).
PLACE: Final = 48
PLACES: Final = 12
_AROUND: Final = 40  # tokens to either side that tell how capitals are used
_HASHED: Final = 64

# Groups, so that training can leave whole kinds of features out.
WORD, EDGES, GRAMS, LISTS, SHAPE = range(5)
_MOST_GRAMS: Final = 10
WIDTH: Final = 34  # the most rows a word can have


def _row(kind: str, text: str) -> int:
    return _HASHED + crc32(f"{kind}{text}".encode()) % (ROWS - _HASHED)


def rows_of(surface: str, folded: str, flags: int, case: int, common: int) -> tuple[list[int], list[int]]:
    """Return the groups and the rows of all features of a word."""
    groups, rows = [SHAPE, SHAPE], [_CASE + case, _LENGTH + min(len(surface), 9)]
    if case == SIGN:
        more = _number_rows(surface) if surface[0].isdigit() else ([WORD], [_row("w", surface)])
        return groups + more[0], rows + more[1]
    edges = [_row(f"p{k}", folded[:k]) for k in (2, 3) if len(folded) > k]
    edges += [_row(f"s{k}", folded[-k:]) for k in (2, 3, 4) if len(folded) > k]
    padded = f"^{folded}$"
    grams = [padded[k : k + 3] for k in range(len(padded) - 2)][: _MOST_GRAMS // 2]
    grams += [padded[k : k + 4] for k in range(len(padded) - 3)][-(_MOST_GRAMS - len(grams)) :]
    lists = [_LISTS + bit for bit in range(_LIST_BITS) if flags >> bit & 1]
    if common:
        lists.append(_LISTS + _LIST_BITS)
    if common >> GRAMMAR_SHIFT:
        lists.append(_LISTS + _LIST_BITS + 1)
    rows += [_row("w", folded), *edges, *[_row("g", gram) for gram in grams], *lists]
    groups += [WORD, *[EDGES] * len(edges), *[GRAMS] * len(grams), *[LISTS] * len(lists)]
    return groups, rows


def _number_rows(surface: str) -> tuple[list[int], list[int]]:
    size = len(surface)
    value = int(surface) if size <= 4 and surface.isascii() else -1
    kinds = [0] if 1900 <= value <= 2099 and size == 4 else []
    kinds += [1] if 1 <= value <= 12 else []
    kinds += [2] if 1 <= value <= 31 else []
    kinds += [3] if 1 <= value <= 120 and size <= 3 else []
    kinds += [4] if surface[0] == "0" else []
    groups, rows = [SHAPE] * len(kinds), [_NUMBER + kind for kind in kinds]
    return ([*groups, WORD], [*rows, _row("w", surface)]) if size <= 2 else (groups, rows)


def places_of(starts: Ints, ends: Ints, cases: Ints, text: str) -> Ints:
    """Return the place row of each token, from 0, for one token or more.

    In a text that uses capitals a word without one is hardly a name; in one that uses none, or nothing else, case says
    nothing. The network sees this for the surroundings of each token.
    """
    before = np.concatenate([[0], ends[:-1]])
    gaps = (starts > before).astype(np.intp)
    for kind, sign in ((3, "\t"), (2, "\n")):
        if sign in text:
            counts = np.concatenate([[0], np.cumsum(np.fromiter((char == sign for char in text), np.intp, len(text)))])
            gaps[counts[starts] > counts[before]] = kind
    gaps[0] = 2
    titled = _around((cases == TITLE) | (cases == MIXED))
    lower, upper = _around(cases == LOWER), _around(cases == UPPER)
    small = (titled * _AROUND <= lower) & (lower > upper)
    large = upper > 2 * (lower + titled)
    found: Ints = gaps + 4 * (small & ~large) + 8 * large
    return found


def _around(chosen: npt.NDArray[np.bool_]) -> Ints:
    """Count the chosen tokens in the surroundings of each."""
    counts = np.concatenate([[0], np.cumsum(chosen)])
    places = np.arange(len(chosen))
    right, left = np.minimum(places + _AROUND + 1, len(chosen)), np.maximum(places - _AROUND, 0)
    found: Ints = counts[right] - counts[left]
    return found
