"""What the tagger sees of a word: rows of one embedding table, some fixed, most hashed. Shared with training.

A word is its spelling (hashed), its edges and letter groups (hashed), its shape, and what the lists say of it. The sum
of the rows depends on the surface alone, so it is worked out once a word and remembered.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from phigate.analyzers.names.words import SIGN

ROWS: Final = 32_768
LABELS: Final = ("PERSON", "LOCATION", "ORG", "DATE", "AGE", "ID", "PHONE")
OUTPUTS: Final = 1 + 2 * len(LABELS)  # O, then B and I of each label

# Row 0 is empty. Rows from _CASE on are fixed, the hashed ones follow them.
_LISTS: Final = 1  # one row a bit of `lexicon` flags, 11 of them, and two for ordinary words and grammar
_CASE: Final = 16  # six case classes
_LENGTH: Final = 24  # ten lengths
_NUMBER: Final = 36  # kinds of numbers
GAP: Final = 48  # what stands before the token: nothing, a space, a line break, a tab
_HASHED: Final = 64

# Groups, so that training can leave whole kinds of features out.
WORD, EDGES, GRAMS, LISTS, SHAPE = range(5)
_MOST_GRAMS: Final = 10
WIDTH: Final = 34  # the most rows a word can have


def _row(kind: str, text: str) -> int:
    return _HASHED + crc32(f"{kind}{text}".encode()) % (ROWS - _HASHED)


def rows_of(surface: str, folded: str, flags: int, case: int, common: int) -> list[tuple[int, int]]:
    """Return (group, row) for every feature of a word."""
    rows = [(SHAPE, _CASE + case), (SHAPE, _LENGTH + min(len(surface), 9))]
    if case == SIGN:
        return rows + (_number_rows(surface) if surface[0].isdigit() else [(WORD, _row("w", surface))])
    rows.append((WORD, _row("w", folded)))
    rows += [(EDGES, _row(f"p{k}", folded[:k])) for k in (2, 3) if len(folded) > k]
    rows += [(EDGES, _row(f"s{k}", folded[-k:])) for k in (2, 3, 4) if len(folded) > k]
    rows.append((SHAPE, _row("a", surface[-1]) if surface != folded and not surface.isascii() else 0))
    padded = f"^{folded}$"
    grams = [padded[k : k + 3] for k in range(len(padded) - 2)][: _MOST_GRAMS // 2]
    grams += [padded[k : k + 4] for k in range(len(padded) - 3)][-(_MOST_GRAMS - len(grams)) :]
    rows += [(GRAMS, _row("g", gram)) for gram in grams]
    rows += [(LISTS, _LISTS + bit) for bit in range(11) if flags >> bit & 1]
    if common:
        rows.append((LISTS, _LISTS + 11))
    if common >> 8:
        rows.append((LISTS, _LISTS + 12))
    return [(group, row) for group, row in rows if row]


def _number_rows(surface: str) -> list[tuple[int, int]]:
    size = len(surface)
    value = int(surface) if size <= 4 and surface.isascii() else -1
    kinds = [0] if 1900 <= value <= 2099 and size == 4 else []
    kinds += [1] if 1 <= value <= 12 else []
    kinds += [2] if 1 <= value <= 31 else []
    kinds += [3] if 1 <= value <= 120 and size <= 3 else []
    kinds += [4] if surface[0] == "0" else []
    rows = [(SHAPE, _NUMBER + kind) for kind in kinds]
    if size <= 2:
        rows.append((WORD, _row("w", surface)))
    return rows
