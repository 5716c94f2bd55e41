"""From findings to regions: which stretches of a part are changed, each by one operator.

Overlapping findings become one region that covers their union; the strictest operator of the overlap wins. Findings
below their threshold do not exist; findings that policy keeps are set apart, since they demand no change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from phigate.analysis import PartAnalysis
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Finding
from phigate.policy.decision import Decision, Operator

# From what leaves most to what leaves nothing. Across families no order of policy holds; here the token, which leaves
# nothing of the value, stands above every operator that leaves a part of it.
_STRICTNESS: Final = {
    op: rank
    for rank, op in enumerate(
        (
            Operator.KEEP,
            Operator.AGE90,
            Operator.BAND5,
            Operator.POSTAL3,
            Operator.STATE,
            Operator.DATE_SHIFT,
            Operator.YEAR,
            Operator.HASH_KEYED,
            Operator.SURROGATE,
            Operator.TOKEN,
            Operator.REDACT,
        )
    )
}
_CLASSES: Final = {
    EntityClass.OPERATIONAL: 0,
    EntityClass.QUASI: 1,
    EntityClass.SPECIAL: 2,
    EntityClass.DIRECT: 3,
}


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of one part, the type that names it, and the operator that changes it."""

    start: int
    end: int
    entity_type: EntityType
    operator: Operator


def strictness(operator: Operator, entity_type: EntityType) -> tuple[int, int]:
    """Return a rank: the greater one wins where two claims meet."""
    row = ENTITY_TABLE.get(entity_type)
    return _STRICTNESS[operator], 4 if row is None else _CLASSES[row.entity_class]


def operator_of(entity_type: EntityType, decision: Decision) -> Operator:
    """Return the decision's operator for a type; a type outside the table gets the one for the unknown."""
    return decision.operators.get(entity_type, decision.unknown_operator)


def regions(text: str, analysis: PartAnalysis, decision: Decision) -> tuple[list[Region], list[Region]]:
    """Return the regions of one part in order, and the claims that policy keeps as they are."""
    claims: list[Region] = []
    kept: list[Region] = []
    for finding in analysis.findings:
        if finding.score < decision.thresholds.of(finding.entity_type, analysis.lang):
            continue
        operator = operator_of(finding.entity_type, decision)
        claim = _claim(text, finding, operator)
        if claim.start < claim.end:
            (kept if operator is Operator.KEEP else claims).append(claim)
    return merge(claims), kept


def _claim(text: str, finding: Finding, operator: Operator) -> Region:
    """Cut a finding to its text without outer spaces. One outside the text claims all of it, to be redacted."""
    start, end = max(finding.start, 0), min(finding.end, len(text))
    if start >= end:
        if operator is Operator.KEEP:
            return Region(0, 0, finding.entity_type, operator)
        return Region(0, len(text), finding.entity_type, Operator.REDACT)
    inner = text[start:end]
    stripped = inner.strip()
    if stripped:
        start += len(inner) - len(inner.lstrip())
        end = start + len(stripped)
    return Region(start, end, finding.entity_type, operator)


def merge(claims: Sequence[Region]) -> list[Region]:
    """Return the fewest regions that cover all claims, each under the strictest operator of those that overlap."""
    merged: list[Region] = []
    for claim in sorted(claims, key=lambda c: (c.start, -c.end)):
        if merged and claim.start < merged[-1].end:
            merged[-1] = _joined(merged[-1], claim)
        else:
            merged.append(claim)
    return merged


def _joined(one: Region, other: Region) -> Region:
    winner = max(one, other, key=lambda c: strictness(c.operator, c.entity_type))
    return Region(one.start, max(one.end, other.end), winner.entity_type, winner.operator)
