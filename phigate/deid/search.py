"""Where known values stand in other text: exact after folding, at word boundaries or within words.

Used twice: to carry a value found in one part to where it stands unfound, and to search an outgoing copy for anything
that should have been taken out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from phigate.deid.fold import SEPARATORS, Value, fold, fold_with_origins, origin_span, read
from phigate.deid.needles import Needles
from phigate.finding import Span
from phigate.phi import PHIText

_SHORT: Final = 5  # below five characters a value counts at word boundaries only (decisions 11)
_LEAST: Final = 2  # one letter or digit identifies nobody and stands everywhere
_LEAST_DIGITS: Final = 4  # 120 is a blood pressure before it is a record number
_DELETED: Final = SEPARATORS.encode()


class ValueIndex:
    """A set of values to look for. ``inside``: values of five characters or more count within longer words too."""

    def __init__(self, values: Iterable[Value], *, inside: bool) -> None:
        self._inside = inside
        told = [value for value in values if searchable(value.folded)]
        self._keys = {value.folded: value.key for value in told}
        self._plain = Needles(self._keys)
        self._bare = Needles(value.bare for value in told if value.bare is not None)

    def __bool__(self) -> bool:
        return bool(self._plain)

    def present(self, folded: str) -> bool:
        """Return whether a folded text may hold one of the values: never False where `spans` finds one."""
        if self._plain.any_in(folded):
            return True
        return bool(self._bare) and self._bare.any_in(
            folded.encode("ascii", "replace").translate(None, _DELETED).decode()
        )

    def spans(self, text: str) -> list[tuple[Span, str]]:
        """Return where values stand in ``text``, in order, with their keys. Spans may overlap."""
        folded, origins = fold_with_origins(text)
        found = {
            (origin_span(text, origins, start, end), self._keys[folded[start:end]])
            for start, end in self._plain.matches(folded)
            if self._stands(folded, start, end)
        }
        if self._bare:
            kept = [at for at, char in enumerate(folded) if char not in SEPARATORS]
            bare = "".join([folded[at] for at in kept])
            for first, last in self._bare.matches(bare):
                start, end = kept[first], kept[last - 1] + 1
                if self._stands(folded, start, end):
                    found.add((origin_span(text, origins, start, end), bare[first:last]))
        return sorted(found)

    def _stands(self, folded: str, start: int, end: int) -> bool:
        if self._inside and end - start >= _SHORT:
            return True
        opens = start == 0 or not (folded[start - 1].isalnum() and folded[start].isalnum())
        return opens and (end == len(folded) or not (folded[end - 1].isalnum() and folded[end].isalnum()))


def searchable(folded: str) -> bool:
    """Return whether a folded value says enough to be searched for elsewhere."""
    solid = [char for char in folded if char.isalnum()]
    return len(solid) >= (_LEAST_DIGITS if "".join(solid).isdigit() else _LEAST)


_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NESTING: Final = 4  # arguments are JSON in JSON; deeper nesting than this is found once a part is decoded


def unescaped(text: str) -> str:
    """Return serialised JSON with one level of its string escapes undone; pairs of surrogates are joined."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_unescape, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return _SHORT_ESCAPES.get(match[2], match[2])


def escaped(text: str) -> str:
    """Return ``text`` as it stands inside a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def in_serialised(text: str, index: ValueIndex) -> set[str]:
    """Return the keys of values that stand in serialised JSON, as it is or behind its escapes, at any depth."""
    found: set[str] = set()
    for _ in range(_NESTING):
        if index.present(fold(text)):
            found.update(key for _, key in index.spans(text))
        if text == (text := unescaped(text)):
            break
    return found


def holds_value(body: bytes, values: Sequence[PHIText]) -> bool:
    """Return whether the bytes of a body hold one of the values, plain or escaped. For the last look before egress."""
    index = ValueIndex((read(value.reveal()) for value in values), inside=True)
    return bool(index) and bool(in_serialised(body.decode("utf-8", "replace"), index))
