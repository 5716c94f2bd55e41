"""Context of a number: which labels speak for it, and which words say that it is something else.

The window goes both ways: labels before the value on its line (or alone on the line above), labels in brackets after
it. A *tight* label stands directly before the value, with nothing but connecting words and signs between; a strong
label counts further off, weaker with distance. Units after the number and code systems before it speak against.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from phigate.analyzers.labels import Label, find_labels
from phigate.analyzers.layers import View

_BEFORE: Final = 60  # characters
_TIGHT: Final = 40
_AFTER: Final = 24
_JUST_BEFORE: Final = 8
_BESIDE: Final = 3
_LOOSE: Final = 0.55
_CONNECT: Final = (
    "number|numbers|numero|numeros|numer|nummer|num|nro|no|nr|n|nos|id|ids|code|codigo|codice|is|was|are|as|of|for|ending|ends|"
    "in|with|under|listed|the|his|her|my|our|your|their|new|old|at|to|on|and|or|please|direct|main|"
    "e|eh|sob|o|a|os|as|do|da|de|dos|das|del|della|dello|di|du|des|la|el|le|il|lo|les|y|et|und|en|ou|oder|of|"
    "es|est|ist|sind|sont|son|lautet|der|die|das|den|dem|het|van|bij|am|vom|im|mit|unter|sous|con|com|"
    "ac|al|ap|am|ba|ce|df|es|go|ma|mt|ms|mg|pa|pb|pr|pe|pi|rj|rn|rs|ro|rr|sc|sp|se|"
    "patient|patients|paciente|paziente|patienten|doente|medical|hospital|current|following|registrado|registrada|asignado"
)
_GAP: Final = re.compile(
    rf"[\s:#.,=*()\[\]\"'|/<>_—-]{{0,12}}+(?:(?:{_CONNECT})(?![a-z0-9])[\s:#.,=*()\[\]\"'|/<>_—-]{{0,8}}+){{0,4}}+"
)
_EXPLICIT: Final = re.compile(r"[:#=|]|(?<![a-z])(?:no|nr|n|num|number|numero|nummer|id|nro)(?![a-z])")
UNIT: Final = re.compile(
    r"[ ]?(?:%|‰|°|º ?c|mg|mcg|µg|μg|ug|ng|pg|kg|g|gr|lb|lbs|oz|ml|cc|l|dl|cl|ul|µl|μl|mm|cm|m|km|mm ?hg|mmol|mol|meq|"
    r"ui|iu|u|units?|unidades|einheiten|bpm|lpm|rpm|hz|khz|mhz|kcal|cal|kj|joules?|watts?|volts?|mv|ms|msec|sec|s|min|mins|minutes?|"
    r"hours?|hrs?|h|horas?|heures?|stunden|std|ore|uur|days?|d|dias?|jours?|tage|tagen|giorni|dagen|weeks?|semanas?|semaines?|wochen|"
    r"settimane|weken|months?|mes|meses|mois|monate|monaten|mesi|maanden|years?|anos?|annees?|ans|jahren?|anni|jaar|"
    r"cells?|celulas?|cellules|zellen|copies|copias|cop|reads?|base ?pairs?|bp|kb|mb|gb|patients?|pacientes|patienten|pazienti|cases|casos|"
    r"subjects?|participants?|women|men|children|adults?|people|persons?|individuals|samples?|times|vezes|veces|fois|mal|volte|keer|"
    r"tablets?|capsules?|comprimidos?|tabletten|caps|cp|gotas|drops|puffs|ampolas?|doses?|euros?|dollars?|reais|usd|eur|x ?10|"
    r"mgdl|cells/|/ ?(?:mm|ul|µl|μl|ml|l|dl|kg|min|h|d|dia|day|field|campo|hpf))(?![a-z0-9])",
)


@dataclass(slots=True)
class Near:
    """What stands around one number: strength by kind (1.0 is tight), and whether something says it is no identifier."""

    kinds: Mapping[str, float] = field(default_factory=dict)
    explicit: bool = False  # a colon, a number sign or the word number stands between label and value
    measured: bool = False  # a unit or a noun that is counted follows
    other: bool = False  # a code system, a statistic or a laboratory value is announced

    def best(self, kinds: frozenset[str]) -> float:
        """Return the strength of the strongest of these kinds."""
        return max((s for k, s in self.kinds.items() if k in kinds), default=0.0)


def _take(label: Label, kinds: dict[str, float], result: Near, strength: float) -> None:
    """Add what one label says. ``not`` speaks only from close by."""
    for kind in label.kinds:
        if kind == "not":
            result.other = result.other or strength == 1.0
        elif kinds.get(kind, 0.0) < strength:
            kinds[kind] = strength


class Surroundings:
    """The labels of one view, asked about one number after the other."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._labels = find_labels(view)
        self._starts = [label.start for label in self._labels]
        self._ends = [label.end for label in self._labels]
        self._hint_starts = [hint.start for hint in view.hints]
        self._inherited: tuple[int, Near] | None = None

    @property
    def labels(self) -> list[Label]:
        """All labels of the view, in order."""
        return self._labels

    def announced(self, start: int) -> bool:
        """Return whether a label ends just before an offset: the quick look before `near`."""
        at = bisect_right(self._ends, start) - 1
        return at >= 0 and start - self._labels[at].end <= _JUST_BEFORE

    def before(self, start: int) -> Label | None:
        """Return the label that ends at most three characters before an offset."""
        at = bisect_right(self._ends, start) - 1
        return self._labels[at] if at >= 0 and start - self._labels[at].end <= _BESIDE else None

    def near(self, start: int, end: int) -> Near:
        """Say what surrounds the number at this stretch. Ask in order of position: lists share their label."""
        kinds: dict[str, float] = {}
        result = Near(kinds)
        for hint in self._hints(start, end):
            kinds[hint] = 1.0
            result.explicit = True
        self._look_back(start, kinds, result)
        self._look_ahead(end, kinds)
        if not kinds and self._inherited is not None and self._continues(self._inherited[0], start):
            kinds.update(self._inherited[1].kinds)
            result.explicit = self._inherited[1].explicit
        result.measured = UNIT.match(self._view.folded, end) is not None
        self._inherited = (end, result) if kinds and not result.other else None
        return result

    def _hints(self, start: int, end: int) -> list[str]:
        hints = self._view.hints
        at = bisect_right(self._hint_starts, start) - 1
        if at >= 0 and hints[at].end >= end:
            return [hints[at].kind]
        return []

    def _look_back(self, start: int, kinds: dict[str, float], result: Near) -> None:
        folded = self._view.folded
        nearest = True
        for at in range(bisect_right(self._ends, start) - 1, -1, -1):
            label = self._labels[at]
            if start - label.end > _BEFORE:
                break
            gap = folded[label.end : start]
            if label.end - label.start == 1 and "=" not in gap:  # "n. 2023", "p 14": not a statistic
                continue
            tight = nearest and self._tight(label, gap)
            numbered = any(c.isdigit() for c in gap)
            if tight or not (label.weak or numbered or "\n" in gap or ". " in gap):
                _take(label, kinds, result, 1.0 if tight else _LOOSE)
                if tight and _EXPLICIT.search(folded, label.start, start):
                    result.explicit = True
            if numbered:
                break
            # Labels in a row ("MRN number", "patient account") speak together.
            nearest = nearest and len(gap) <= _TIGHT and (label.weak or not tight)

    def _tight(self, label: Label, gap: str) -> bool:
        """Return whether nothing but connecting words and signs stands in the gap; one line break after the label."""
        if len(gap) > _TIGHT or gap.count("\n") > 1 or _GAP.fullmatch(gap) is None:
            return False
        if label.weak and gap.strip(" .") and _EXPLICIT.search(gap) is None:
            return False
        return "\n" not in gap or gap[:2].strip(" :") in {"", "\n"}

    def _look_ahead(self, end: int, kinds: dict[str, float]) -> None:
        at = bisect_left(self._starts, end)
        if at >= len(self._labels):
            return
        label = self._labels[at]
        gap = self._view.folded[end : label.start]
        if len(gap) <= _AFTER and gap.strip(" ") in {"(", "[", "-", "=", "is the", "is her", "is his", "is my", "as"}:
            for kind in label.kinds:
                if kind != "not" and kinds.get(kind, 0.0) < 0.9:
                    kinds[kind] = 0.9

    def _continues(self, previous_end: int, start: int) -> bool:
        if not 0 <= start - previous_end <= 8:
            return False
        gap = self._view.folded[previous_end:start]
        return len(gap) <= 8 and gap.strip(" ,;/&+") in {
            "",
            "and",
            "e",
            "y",
            "et",
            "und",
            "en",
            "or",
            "ou",
            "o",
            "oder",
            "of",
        }
