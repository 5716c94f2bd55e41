"""Words of a text with their offsets, and the one spelling under which lists know a word."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import accumulate
from operator import sub

# A word is letters alone, with the combining marks that follow them; digits and every other sign stand by themselves.
# Hyphens and apostrophes part words: "Anne-Marie" is three tokens, so that lists need no compound. With the white
# space before it, each token follows the last without a hole: offsets are running sums of lengths.
_PIECE = re.compile(r"\s*(?:[^\W\d_]+(?:[̀-ͯ]+[^\W\d_]*)*|\d+|[^\w\s]|_)")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one text, in order: surfaces, and half-open offsets in code points."""

    text: str
    words: list[str]
    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.words)


def tokenize(text: str) -> Tokens:
    """Part a text into words, digit runs and single signs. White space belongs to no token."""
    # Without the blanks at the end: from each of them the pattern would run to the end in vain.
    pieces = _PIECE.findall(text.rstrip())
    words = list(map(str.lstrip, pieces))
    ends = list(accumulate(map(len, pieces)))
    return Tokens(text=text, words=words, starts=list(map(sub, ends, map(len, words))), ends=ends)


# Letters that decomposition leaves whole.
_WHOLE = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def fold(word: str) -> str:
    """Return the word in lower case without accents; a mark that stands alone is itself, so that nothing is empty."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFKD", word.lower().translate(_WHOLE))
    return "".join(char for char in parts if not unicodedata.combining(char)) or word.lower()
