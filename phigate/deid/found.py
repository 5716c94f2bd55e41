"""What detection found, as policy sees it: by type, language and the operators that would change nothing. No text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from phigate.analysis import Analysis
from phigate.deid.generalise import unchanged_by
from phigate.finding import EntityType
from phigate.policy.decision import Found, Operator
from phigate.wire.parts import Part


def found(analysis: Analysis, parts: Sequence[Part], *, today: date | None = None) -> tuple[Found, ...]:
    """Return the findings of a request grouped for `decide`, in a fixed order.

    Raises `ValueError` when the analysis does not belong to these parts.
    """
    groups: dict[tuple[EntityType, str, frozenset[Operator]], list[float]] = {}
    seen: dict[tuple[EntityType, str], frozenset[Operator]] = {}  # a conversation names the same day many times
    for part, result in zip(parts, analysis.parts, strict=True):
        if not result.findings:
            continue
        text = part.text.reveal()
        for finding in result.findings:
            value = (finding.entity_type, text[finding.start : finding.end])
            same = seen.get(value)
            if same is None:
                same = seen[value] = unchanged_by(*value, today=today)
            groups.setdefault((finding.entity_type, result.lang, same), []).append(finding.score)
    return tuple(
        Found(kind, lang, tuple(scores), same)
        for (kind, lang, same), scores in sorted(
            groups.items(), key=lambda item: (item[0][0], item[0][1], sorted(item[0][2]))
        )
    )
