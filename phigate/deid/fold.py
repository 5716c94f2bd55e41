"""When two surfaces are the same value: NFKC, case, accent and space folding, numbers without separators (decisions 7).

Folding drops what a reader would not see as a difference. `fold` is fast and gives no offsets; `fold_with_origins`
gives the same characters one by one with the place each came from, for the rare text that holds a match.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from phigate.deid import dates
from phigate.finding import Span

# Combining marks, soft hyphen, zero-width and direction marks: what may hide inside a word unseen.
_UNSEEN: Final = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]+"
)
_ALIKE: Final = (
    ("\u2019", "'"), ("\u2018", "'"), ("\u02bc", "'"), ("\u2010", "-"), ("\u2011", "-"),
    ("\u2012", "-"), ("\u2013", "-"), ("\u2014", "-"), ("\u2212", "-"), ("\u2044", "/"),
)  # fmt: skip
SEPARATORS: Final = " .-/()_+"
_DROP_SEPARATORS: Final = {ord(c): None for c in SEPARATORS}
_DROP_DIGITS: Final = {ord(c): None for c in "0123456789"}
_QUAD: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_DECIMAL: Final = re.compile(r"[+-]?\d+[.,]\d+|[+-]\d+")
_MIN_DIGITS: Final = 5  # below, 1-23 and 12-3 may well be two numbers
_MAX_LETTERS: Final = 4  # AB-12345 is a number with letters; a longer word is a name with digits


def fold(text: str) -> str:
    """Return ``text`` without case, accents, compatibility forms, unseen characters and doubled spaces."""
    if text.isascii():
        return " ".join(text.lower().split())
    return " ".join(_plain(text).split())


def _plain(text: str) -> str:
    text = _UNSEEN.sub("", unicodedata.normalize("NFKD", text)).casefold()
    if not text.isascii():
        for mark, plain in _ALIKE:
            text = text.replace(mark, plain)
    return text


@lru_cache(maxsize=4096)
def _plain_char(char: str) -> str:
    return _plain(char)


def fold_with_origins(text: str) -> tuple[str, list[int]]:
    """Return the folded text and, for each of its characters, the offset in ``text`` where it came from."""
    out: list[str] = []
    origins: list[int] = []
    space_at = -1
    for at, char in enumerate(text):
        for plain in _plain_char(char):
            if plain.isspace():
                space_at = at if space_at < 0 else space_at
                continue
            if space_at >= 0 and out:
                out.append(" ")
                origins.append(space_at)
            space_at = -1
            out.append(plain)
            origins.append(at)
    return "".join(out), origins


def origin_span(text: str, origins: list[int], start: int, end: int) -> Span:
    """Return where folded characters [start, end) stand in ``text``, with the unseen marks that follow them."""
    last = origins[end - 1] + 1
    while last < len(text) and not _plain_char(text[last]):
        last += 1
    return Span(origins[start], last)


def number_form(folded: str) -> str | None:
    """Return a folded value without separators when they carry no meaning in it, else None.

    They do carry meaning in dates (1/12/2021 is not 11/2/2021), dotted quads, decimals and signed numbers.
    """
    bare = folded.translate(_DROP_SEPARATORS)
    if bare.isalpha() or not (bare.isascii() and bare.isalnum()):
        return None
    letters = len(bare.translate(_DROP_DIGITS))
    if len(bare) - letters < _MIN_DIGITS or letters > _MAX_LETTERS:
        return None
    if len(bare) < len(folded) and (
        _QUAD.fullmatch(folded) or _DECIMAL.fullmatch(folded) or dates.is_numeric_date(folded)
    ):
        return None
    return bare


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """One surface, read once: its folded form, and its form without separators where it has one. Never shown."""

    folded: str
    bare: str | None

    @property
    def key(self) -> str:
        """Return what two surfaces of one value have in common."""
        return self.bare or self.folded


def read(surface: str) -> Value:
    """Read a surface as a value."""
    folded = fold(surface)
    return Value(folded, number_form(folded))


def identity(surface: str) -> str:
    """Return the key under which two surfaces are one value."""
    return read(surface).key
