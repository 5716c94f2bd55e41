"""From findings to regions: which stretches of a part are changed, each by one operator.

Overlapping findings become one region that covers their union; the strictest operator of the overlap wins. Findings
below their threshold do not exist; findings that policy keeps are set apart, since they demand no change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from phigate.analysis import PartAnalysis
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType, Family, Finding, Span, union
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
_TOKEN: Final = Operator.TOKEN
_REDACT: Final = Operator.REDACT
_SAYS_NOTHING: Final = frozenset({Operator.TOKEN, Operator.REDACT, Operator.HASH_KEYED, Operator.SURROGATE})
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


Claim = tuple[Operator, EntityType]


def stricter(one: Claim, other: Claim) -> Claim:
    """Return the claim that wins where two meet: the stricter operator, then the stricter class of type.

    Two operators of different families that both leave something have no order (policy.md 2.3, 5): redact.
    """
    winner = max(one, other, key=_rank)
    if one[0] not in _SAYS_NOTHING and other[0] not in _SAYS_NOTHING and family(one[1]) is not family(other[1]):
        return Operator.REDACT, winner[1]
    return winner


def _rank(claim: Claim) -> tuple[int, int]:
    row = ENTITY_TABLE.get(claim[1])
    return _STRICTNESS[claim[0]], len(_CLASSES) if row is None else _CLASSES[row.entity_class]


def family(entity_type: EntityType) -> Family:
    """Return the family of a type; an unknown type is an identifier."""
    row = ENTITY_TABLE.get(entity_type)
    return Family.ID if row is None else row.family


def operator_of(entity_type: EntityType, decision: Decision) -> Operator:
    """Return the decision's operator for a type; a type outside the table gets the one for the unknown."""
    return decision.operators.get(entity_type, decision.unknown_operator)


def informs(operator: Operator, entity_type: EntityType) -> bool:
    """Return whether something stays of a quasi-identifier of this type under this operator."""
    if operator is _TOKEN or operator is _REDACT:  # nearly all of them; hashing a member is not free
        return False
    return operator not in _SAYS_NOTHING and family(entity_type) is not Family.ID


def regions(
    text: str, analysis: PartAnalysis, decision: Decision, *, whole: bool = False
) -> tuple[list[Region], list[Region]]:
    """Return the regions of one part in order, and the claims that policy keeps as they are.

    ``whole``: a finding anywhere in the part claims all of it.
    """
    claims: list[Region] = []
    kept: list[Region] = []
    for finding in analysis.findings:
        if finding.score < decision.thresholds.of(finding.entity_type, analysis.lang):
            continue
        operator = operator_of(finding.entity_type, decision)
        claim = _claim(text, finding, operator)
        if whole:
            claim = replace(claim, start=0, end=len(text))
        if text[claim.start : claim.end].strip():
            (kept if claim.operator is Operator.KEEP else claims).append(claim)
    return merge(claims), kept


def _claim(text: str, finding: Finding, operator: Operator) -> Region:
    """Cut a finding to its text without outer spaces. One outside the text claims all of it, to be redacted."""
    start, end = max(finding.start, 0), min(finding.end, len(text))
    if start >= end:
        return Region(0, len(text), finding.entity_type, Operator.REDACT)
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return Region(start, start + len(inner.strip()), finding.entity_type, operator)


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
    operator, entity_type = stricter((one.operator, one.entity_type), (other.operator, other.entity_type))
    return Region(one.start, max(one.end, other.end), entity_type, operator)


def moved(claims: Sequence[Region], regions: Sequence[Region], spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return where claims stand once each region was rewritten to its span; what a region took of them is gone."""
    ends = [region.end for region in regions]
    left: list[Span] = []
    for claim in claims:
        first = bisect_right(ends, claim.start)
        start, shift = claim.start, spans[first - 1].end - ends[first - 1] if first else 0
        for place in range(first, len(ends)):
            region, span = regions[place], spans[place]
            if region.start >= claim.end:
                break
            if region.start > start:
                left.append(Span(start + shift, region.start + shift))
            start, shift = region.end, span.end - region.end
        if start < claim.end:
            left.append(Span(start + shift, claim.end + shift))
    return union(left)
