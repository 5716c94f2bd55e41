"""Which findings exist at all under a bundle: the lowest threshold of any regime, by type and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from phigate.analysis import PartAnalysis
from phigate.analyzers.language import LANGUAGES
from phigate.finding import EntityType, Finding
from phigate.policy.bundle import Bundle

_BALANCED: Final = 0.5
# The balanced knob asks these for more: they are the ones that mistake words and numbers for PHI.
_GUESSES: Final = (
    "names:gazetteer",
    "names:tagger",
    "clinical:bare",
    "ages:years",
    "dates:dm",
    "dates:md2",
    "memory:",
    "places:",
)


@dataclass(frozen=True, slots=True)
class Bars:
    """Lowest score per type and language; "" is a language that nobody is sure of: the lowest of all."""

    table: Mapping[tuple[EntityType, str], float]

    def apply(self, part: PartAnalysis, knob: str) -> PartAnalysis:
        """Return a part with the findings that exist."""
        kept = tuple(f for f in part.findings if self._exists(f, part.lang, knob))
        return replace(part, findings=kept) if len(kept) != len(part.findings) else part

    def _exists(self, finding: Finding, lang: str, knob: str) -> bool:
        bar = self.table[finding.entity_type, lang]
        if knob == "balanced" and finding.source.startswith(_GUESSES):
            bar = max(bar, _BALANCED)
        return finding.score >= bar


def bars_of(bundle: Bundle) -> Bars:
    """Work out the bars of a bundle; a type without a row in a regime has none there: any finding counts."""
    table: dict[tuple[EntityType, str], float] = {}
    for entity_type in EntityType:
        bars = []
        for lang in LANGUAGES:
            asked = [
                rule.thresholds.get(lang, rule.thresholds.get("", 0.0))
                if (rule := regime.entities.get(entity_type))
                else 0.0
                for regime in bundle.regimes.values()
            ]
            asked += [o.threshold[entity_type] for o in bundle.site.overrides if entity_type in o.threshold]
            table[entity_type, lang] = min(asked, default=0.0)
            bars.append(table[entity_type, lang])
        table[entity_type, ""] = min(bars)
    return Bars(table)
