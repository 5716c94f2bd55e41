"""The values of one exchange while its copy is made: one entry a value, whatever part and surface it stands in.

A value takes its strictest type and operator everywhere (decisions 7). The book is filled, then settled, then numbered;
what it issued becomes the `SurrogateMap`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from phigate.deid import dates, names
from phigate.deid.fold import Value, read
from phigate.deid.generalise import REDACTED, Params
from phigate.deid.operators import OPERATORS, REPLACED
from phigate.deid.regions import Region, stricter
from phigate.deid.surrogate import Issued, Numbering, SurrogateMap
from phigate.finding import ENTITY_TABLE, EntityType
from phigate.phi import PHIText
from phigate.policy.decision import Operator

# A distance beyond five years could tell an age that the age's own operator hides.
_FARTHEST_DAYS: Final = 1826
_UNKNOWN: Final = "UNKNOWN"


@dataclass(slots=True, repr=False)
class Entry:
    """One value: its first surface, its strictest type and operator, and what stands in its place. Never shown."""

    value: Value
    surface: str
    entity_type: EntityType
    operator: Operator
    lang: str
    number: str | None = None  # its literal, where it stood as a JSON number
    strung: bool = False  # it also stood as a whole JSON string: then it is restored as a string
    output: str = REDACTED


class Book:
    """All values of one exchange, in order of first appearance."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._entries: dict[str, Entry] = {}

    def add(self, surface: str, region: Region, lang: str, *, number: bool = False, leaf: bool = False) -> str:
        """Enter a value where it stands and return its key. ``leaf``: it is the whole of a string inside JSON."""
        value = read(surface)
        key = value.key
        operator = REPLACED.get(region.operator, region.operator)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(value, surface, region.entity_type, operator, lang)
        else:
            entry.operator, entry.entity_type = stricter(
                (entry.operator, entry.entity_type), (operator, region.entity_type)
            )
        if number:
            entry.number = surface
        entry.strung |= leaf
        return key

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def settle(self) -> None:
        """Let each generalising operator read its value; what it cannot read is redacted from here on."""
        for entry in self._entries.values():
            if entry.operator is Operator.TOKEN:
                continue
            subject = entry.value.key if entry.operator is Operator.HASH_KEYED else entry.surface
            given = {"entity_type": entry.entity_type, "lang": entry.lang, "params": self._params}
            entry.output = OPERATORS[entry.operator].operate(subject, given)
            if entry.output == REDACTED:
                entry.operator = Operator.REDACT

    def changed(self) -> Iterable[Entry]:
        """Return the entries whose operator changes them."""
        return (entry for entry in self._entries.values() if entry.output != entry.surface)

    def hidden(self) -> tuple[PHIText, ...]:
        """Return every value that becomes a token or is redacted."""
        gone = (Operator.TOKEN, Operator.REDACT)
        return tuple(PHIText(entry.surface) for entry in self._entries.values() if entry.operator in gone)

    def number(self, reserved: frozenset[tuple[str, int]]) -> SurrogateMap:
        """Issue the tokens, in order of first appearance, and write them into the entries."""
        tokens = [entry for entry in self._entries.values() if entry.operator is Operator.TOKEN]
        numbering, stems = _Stems(reserved), _name_parents(tokens)
        distances = _distances(tokens, self._params.today)
        issued: list[Issued] = []
        for entry in tokens:
            stem = numbering.stem(entry, stems.get(entry.value.key))
            entry.output = OPERATORS[Operator.TOKEN].operate(
                entry.surface, {"token": f"[[{stem}{distances.get(entry.value.key, '')}]]"}
            )
            number = PHIText(entry.number) if entry.number is not None and not entry.strung else None
            issued.append(Issued(entry.output, entry.entity_type, PHIText(entry.surface), number))
        return SurrogateMap(tuple(issued), reserved)


class _Stems:
    """Numbers of names and of the names within them."""

    def __init__(self, reserved: frozenset[tuple[str, int]]) -> None:
        self._numbering = Numbering(reserved)
        self._given: dict[str, str] = {}
        self._parts: dict[str, int] = {}

    def stem(self, entry: Entry, parent: Entry | None) -> str:
        if parent is None:
            return self._whole(entry)
        whole = self._whole(parent)
        self._parts[whole] = self._parts.get(whole, 0) + 1
        return f"{whole}.{self._parts[whole]}"

    def _whole(self, entry: Entry) -> str:
        stem = self._given.get(entry.value.key)
        if stem is None:
            label = entry.entity_type.value if entry.entity_type in ENTITY_TABLE else _UNKNOWN
            stem = self._given[entry.value.key] = f"{label}_{self._numbering.next(label)}"
        return stem


def _name_parents(tokens: list[Entry]) -> dict[str, Entry]:
    """Map the key of each name that is part of exactly one longer name of its type to that name."""
    by_fold = {entry.value.folded: entry for entry in tokens if entry.entity_type in names.NAMES}
    if len(by_fold) < 2:
        return {}
    pairs = names.parents(by_fold).items()
    return {
        by_fold[part].value.key: by_fold[whole]
        for part, whole in pairs
        if by_fold[part].entity_type is by_fold[whole].entity_type
    }


def _distances(tokens: list[Entry], today: date | None) -> dict[str, str]:
    """Return, by key, the distance of each whole date to the first one, so that the course of events stays readable.

    A date of birth has none: with any other date it would tell the age.
    """
    days: dict[str, date] = {}
    for entry in tokens:
        if entry.entity_type is EntityType.DATE:
            parsed = dates.parse(entry.surface, dates.Reading(entry.lang, today))
            if parsed is not None and parsed.whole is not None:
                days[entry.value.key] = parsed.whole
    if len(days) < 2:
        return {}
    anchor = _anchor(list(days.values()))
    offsets = {key: (day - anchor).days for key, day in days.items()}
    first = next(key for key, n in offsets.items() if not n)
    return {key: f"{n:+d}d" for key, n in offsets.items() if abs(n) <= _FARTHEST_DAYS and key != first}


def _anchor(days: list[date]) -> date:
    """Return the first date that has another one within reach: a stray birth date must not be what all is told by."""
    ordered = sorted(days)
    for day in days:
        at = bisect_left(ordered, day)
        near = [d for d in ordered[max(0, at - 1) : at + 2] if d != day]
        if ordered.count(day) > 1 or any(abs((d - day).days) <= _FARTHEST_DAYS for d in near):
            return day
    return days[0]
