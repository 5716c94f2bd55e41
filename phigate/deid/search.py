"""Where known values stand in other text: exact after folding, at word boundaries or anywhere.

Used twice: to carry a value found in one part to where it stands unfound, and to search an outgoing copy for anything
that should have been taken out. Costs one pass of the text per value while values are few, and one pass in all beyond.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from phigate.deid.fold import fold, fold_with_origins, number_form, origin_span
from phigate.finding import Span
from phigate.phi import PHIText

_SHORT: Final = 5  # below five characters a value counts at word boundaries only (decisions 11)
_LEAST: Final = 2  # one letter or digit identifies nobody and stands everywhere
_LEAST_DIGITS: Final = 4  # 120 is a blood pressure before it is a record number
_DELETED: Final = b" .-/()_+"


class ValueIndex:
    """A set of values to look for. ``inside`` finds values of five characters or more within longer words too."""

    def __init__(self, values: Iterable[str], *, inside: bool) -> None:
        self._inside = inside
        self._plain: dict[str, str] = {}  # folded form -> the value as given
        self._numbers: dict[str, str] = {}  # form without separators -> the value as given
        for value in values:
            folded = fold(value)
            if searchable(folded):
                self._plain.setdefault(folded, value)
                if (number := number_form(folded)) is not None:
                    self._numbers.setdefault(number, value)

    def __bool__(self) -> bool:
        return bool(self._plain)

    def present(self, folded: str) -> bool:
        """Return whether a folded text may hold one of the values: never False where `spans` finds one."""
        if any(value in folded for value in self._plain):
            return True
        if not self._numbers:
            return False
        bare = folded.encode("ascii", "replace").translate(None, _DELETED).decode()
        return any(number in bare for number in self._numbers)

    def spans(self, text: str) -> list[tuple[Span, str]]:
        """Return where values stand in ``text``, in order, with the value as it was given. Spans may overlap."""
        folded, origins = fold_with_origins(text)
        found: list[tuple[Span, str]] = []
        for value, given in self._plain.items():
            found += [
                (origin_span(text, origins, at, at + len(value)), given)
                for at in _places(folded, value)
                if self._stands(folded, at, at + len(value))
            ]
        if self._numbers:
            found += self._number_spans(text, folded, origins)
        return sorted(set(found))

    def _number_spans(self, text: str, folded: str, origins: list[int]) -> list[tuple[Span, str]]:
        kept = [at for at, char in enumerate(folded) if char not in " .-/()_+"]
        bare = "".join(folded[at] for at in kept)
        found: list[tuple[Span, str]] = []
        for number, given in self._numbers.items():
            for at in _places(bare, number):
                start, end = kept[at], kept[at + len(number) - 1] + 1
                if self._stands(folded, start, end):
                    found.append((origin_span(text, origins, start, end), given))
        return found

    def _stands(self, folded: str, start: int, end: int) -> bool:
        if self._inside and end - start >= _SHORT:
            return True
        before = folded[start - 1] if start else " "
        after = folded[end] if end < len(folded) else " "
        return not (before.isalnum() and folded[start].isalnum()) and not (
            after.isalnum() and folded[end - 1].isalnum()
        )


def searchable(folded: str) -> bool:
    """Return whether a folded value says enough to be searched for elsewhere."""
    solid = [char for char in folded if char.isalnum()]
    if all(char.isdigit() for char in solid):
        return len(solid) >= _LEAST_DIGITS
    return len(solid) >= _LEAST


def _places(text: str, value: str) -> Iterable[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NESTING: Final = 4


def unescaped(text: str, *, levels: int = _NESTING) -> str:
    """Return serialised JSON with its string escapes undone, ``levels`` deep; pairs of surrogates are joined."""
    for _ in range(levels):
        if "\\" not in text:
            break
        text = _ESCAPE.sub(_unescape, text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return _SHORT_ESCAPES.get(match[2], match[2])


def holds_value(body: bytes, values: Sequence[PHIText]) -> bool:
    """Return whether the bytes of a body hold one of the values, plain or escaped. For the last look before egress."""
    index = ValueIndex((value.reveal() for value in values), inside=True)
    if not index:
        return False
    return bool(in_body(body, index))


def in_body(body: bytes, index: ValueIndex) -> set[str]:
    """Return the values that stand anywhere in serialised JSON."""
    text = body.decode("utf-8", "replace")
    found: set[str] = set()
    for form in {text, unescaped(text)}:
        if index.present(fold(form)):
            found.update(given for _, given in index.spans(form))
    return found


def escaped(text: str) -> str:
    """Return ``text`` as it stands inside a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
