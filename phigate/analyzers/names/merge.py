"""Layer L5 for names: the spans of all rules and of the tagger become findings that do not overlap within a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phigate.analyzers.names.titles import NameSpan
from phigate.analyzers.names.words import Words
from phigate.finding import EntityType, Finding

_PEOPLE: Final = frozenset({EntityType.PERSON, EntityType.RELATIVE_NAME, EntityType.CLINICIAN_NAME})
_BAR: Final = 0.4
_BAR_RECALL: Final = 0.2


def merge(words: Words, spans: Sequence[NameSpan], *, recall: bool) -> list[Finding]:
    """Join overlapping spans of one kind; the surest rule names the result."""
    bar = _BAR_RECALL if recall else _BAR
    kept = [span for span in spans if span.score >= bar]
    bodies = [span for span in kept if span.entity_type is EntityType.ORGANIZATION]
    groups: dict[str, list[NameSpan]] = {}
    for span in kept:
        kind = "person" if span.entity_type in _PEOPLE else str(span.entity_type)
        inside = any(b.first <= span.first and span.last <= b.last for b in bodies)
        if kind == "person" and span.rule == "gazetteer" and inside:
            continue  # a hospital that bears a person's name
        groups.setdefault(kind, []).append(span)
    found = [finding for group in groups.values() for finding in _joined(words, group)]
    return sorted(found)


def _joined(words: Words, group: list[NameSpan]) -> list[Finding]:
    merged: list[list[NameSpan]] = []
    reach = -1
    for span in sorted(group, key=lambda item: (item.first, item.last)):
        if merged and span.first <= reach:
            merged[-1].append(span)
            reach = max(reach, span.last)
        else:
            merged.append([span])
            reach = span.last
    return [_finding(words, members) for members in merged]


def _finding(words: Words, members: list[NameSpan]) -> Finding:
    best = max(members, key=lambda item: (item.entity_type is not EntityType.PERSON, item.score))
    return Finding(
        start=words.tokens.starts[members[0].first],
        end=words.tokens.ends[max(item.last for item in members)],
        entity_type=best.entity_type,
        score=max(item.score for item in members),
        source=f"names:{best.rule}",
    )
