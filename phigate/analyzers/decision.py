"""Layer L5: the union of what all layers found, without what another finding already says better.

Coverage never shrinks here: a finding is dropped only where a stronger one covers all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Family, Finding

_CODES: Final = frozenset({EntityType.ZIP, EntityType.BR_CEP})
_TOWNS: Final = frozenset({EntityType.LOCATION, EntityType.CITY})
_SURE_CODE: Final = 0.4
_SURE_NUMBER: Final = 0.5
_NAMES_OF_STREETS: Final = frozenset({"names:gazetteer", "names:tagger"})
# A finding inside another of a class at least as strict is dropped when it is not surer; equal spans keep the best.
_RANK: Final = {EntityClass.OPERATIONAL: 0, EntityClass.QUASI: 1, EntityClass.SPECIAL: 2, EntityClass.DIRECT: 3}


def settle(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in order of their start, without duplicates and without those that another makes redundant."""
    ordered = sorted(findings, key=lambda f: (f.start, -f.end, -f.score, f.entity_type.value))
    kept: list[Finding] = []
    for finding in ordered:
        # Spans are sorted, so only the few kept last can cover this one.
        if not any(_covers(other, finding) for other in kept[-8:]):
            if kept and (kept[-1].start, kept[-1].end) == (finding.start, finding.end) and _covers(finding, kept[-1]):
                kept.pop()
            kept.append(finding)
    return tuple(kept)


def _covers(outer: Finding, inner: Finding) -> bool:
    if outer.start > inner.start or outer.end < inner.end:
        return False
    if EntityType.DOB in {outer.entity_type, inner.entity_type} and outer.entity_type is not inner.entity_type:
        if _only_a_date(inner):
            return True
        if _only_a_date(outer):
            return False  # a label said whose birth it is; the tagger knows days alone
    vaguer = _vaguer(outer, inner)
    return _outranks(outer, inner) if vaguer is None else vaguer


def _only_a_date(finding: Finding) -> bool:
    """Whether the tagger took this for some day."""
    return finding.source == "names:tagger" and finding.entity_type is EntityType.DATE


def _outranks(outer: Finding, inner: Finding) -> bool:
    """Whether the outer of two findings says all that the inner one says."""
    if outer.entity_type is EntityType.STREET and inner.source in _NAMES_OF_STREETS and outer.score >= 0.8:
        return True  # "Calle Miguel Benitez 90" is a street, whoever it was named after
    if inner.entity_type in _CODES and outer.entity_type in _TOWNS and inner.score >= _SURE_CODE:
        return False  # a postal code keeps its own type: regimes generalise it by its digits
    if outer.entity_type is inner.entity_type:
        return outer.score >= inner.score or outer.score >= 0.5
    strict = _RANK[ENTITY_TABLE[outer.entity_type].entity_class] >= _RANK[ENTITY_TABLE[inner.entity_type].entity_class]
    if (outer.start, outer.end) == (inner.start, inner.end):
        return outer.score >= inner.score and (strict or outer.score >= inner.score + 0.2)
    return strict and outer.score >= 0.5


def _vaguer(outer: Finding, inner: Finding) -> bool | None:
    """Whether a label or a check digit says what the tagger only calls a number; None where that is not the question."""
    if _vague(inner) == _vague(outer) or not _is_number(outer if _vague(inner) else inner):
        return None
    if _vague(inner):
        return True
    return False if (outer.start, outer.end) == (inner.start, inner.end) else None


def _vague(finding: Finding) -> bool:
    """Whether the tagger took this for some number, without knowing which."""
    return finding.source == "names:tagger" and finding.entity_type is EntityType.UNIQUE_ID


def _is_number(finding: Finding) -> bool:
    """Whether it is said which number this is."""
    row = ENTITY_TABLE[finding.entity_type]
    kinds = row.entity_class is EntityClass.DIRECT and row.family is Family.ID
    return kinds and finding.entity_type is not EntityType.UNIQUE_ID and finding.score >= _SURE_NUMBER


def at_least(findings: Sequence[Finding], floor: float) -> list[Finding]:
    """Return the findings whose score is not below ``floor``."""
    return [f for f in findings if f.score >= floor]
