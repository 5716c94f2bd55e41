"""The map of one exchange: which token stands for which value. Lives in memory, for one exchange, and is then gone.

A token reads ``[[PERSON_1]]``, a part of a longer name ``[[PERSON_1.2]]``, a date ``[[DATE_2+12d]]`` with its distance
in days to the first date of the exchange. Numbers are guessable by design, so two rules make restoring safe: only what
this map issued is restored, and no number is issued that stands in the request in any spelling (decisions 7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import unquote

from phigate.deid.fold import fold
from phigate.finding import EntityType
from phigate.phi import PHIText

_LITERAL: Final = re.compile(r"(?<![A-Za-z])([A-Za-z]+)[\s_\\\-]*(\d{1,9})(?!\d)")
_SUSPECTS: Final = ("[", "_", "\uff3b", "\uff3f", "\u27e6", "\u3010", "\u3016", "&#", "\\u", "%5")
# Letters of other alphabets that a model may read, and write back, as those of a label.
_ALIKE: Final = str.maketrans(
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443\u0501\u051b\u051d\u04bb\u03b1\u03bf\u03c1\u03b9\u03bd\u03ba\u03c4\u03b5\u03b7\u03b6\u043a\u043c\u043d\u0442\u0432",
    "aceijopsxydqwhaopinktenzkmhtb",
)
_NOISE: Final = str.maketrans("", "", "\\[]")
_GAP: Final = re.compile(r"[ _]+")


@dataclass(frozen=True, slots=True)
class Issued:
    """One token and the value that it stands for: the first surface, and the literal where it is a JSON number."""

    token: str
    entity_type: EntityType
    value: PHIText
    number: PHIText | None = None


@dataclass(frozen=True)  # no slots: its look-up tables are made when a reply first needs them
class SurrogateMap:
    """All tokens of one exchange. ``reserved`` are the (word, number) pairs that stood in the request as literals."""

    issued: tuple[Issued, ...] = ()
    reserved: frozenset[tuple[str, int]] = field(default=frozenset(), repr=False)  # digits of the request

    @cached_property
    def by_canonical(self) -> Mapping[str, Issued]:
        """Return the issued tokens by their canonical names."""
        table = {canonical(item.token): item for item in self.issued}
        # A date token whose distance the model left out names the same date. A wrong distance names none.
        return {_DISTANCE.sub("", name): item for name, item in table.items()} | table

    @cached_property
    def prefixes(self) -> frozenset[str]:
        """Return every beginning of a canonical name, the empty one and the whole included. None without tokens."""
        return frozenset(name[:end] for name in self.by_canonical for end in range(len(name) + 1))

    def __len__(self) -> int:
        return len(self.issued)

    def invented(self, name: str) -> bool:
        """Return whether a canonical name has the form of a token, and neither this map nor the request had it."""
        match = _WELL_FORMED.fullmatch(name)
        if match is None or match[1] not in _LABELS or name in self.by_canonical:
            return False
        return (match[1].rsplit("_", 1)[-1], int(match[2])) not in self.reserved


_DISTANCE: Final = re.compile(r"[+-]\d+D$")


def canonical(token: str) -> str:
    """Return a token without brackets and backslashes, in capitals, spaces as underscores: equal for its variants."""
    name = token.translate(_NOISE).strip().upper()
    return _GAP.sub("_", name) if " " in name or "__" in name else name


def literals(texts: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Return what in these texts reads like a token in any case, spacing or escaping: last word and number."""
    found: set[tuple[str, int]] = set()
    for text in texts:
        if any(suspect in text for suspect in _SUSPECTS):
            plain = text if text.isascii() else fold(text).translate(_ALIKE)
            for form in {plain, unquote(plain)} if "%" in plain else {plain}:
                found.update((word.upper(), int(number)) for word, number in _LITERAL.findall(form))
    return frozenset(pair for pair in found if pair[0] in _LAST_WORDS)


_LABELS: Final = frozenset(kind.value for kind in EntityType) | {"UNKNOWN"}
_WELL_FORMED: Final = re.compile(r"([A-Z_]+)_(\d{1,9})(?:\.\d+)?(?:[+-]\d+D)?")
_LAST_WORDS: Final = frozenset(label.rsplit("_", 1)[-1] for label in _LABELS)


class Numbering:
    """Gives each type its next number, skipping those that stand in the request."""

    def __init__(self, reserved: frozenset[tuple[str, int]]) -> None:
        self._reserved = reserved
        self._last: dict[str, int] = {}

    def next(self, label: str) -> int:
        """Return the next free number of a label."""
        word = label.rsplit("_", 1)[-1]
        number = self._last.get(label, 0) + 1
        while (word, number) in self._reserved:
            number += 1
        self._last[label] = number
        return number
