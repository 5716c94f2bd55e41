"""Identifiers cut in two by the edge between two text parts of one message: found on the joined text, covered in both.

Models read the parts of a message as one text, so half a record number in each is a whole one to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from phigate.analysis import Analysis
from phigate.finding import Finding
from phigate.phi import PHIText
from phigate.wire.parts import Part, PartKind

_TEXT_PART: Final = re.compile(r"/messages/(\d+)/content/\d+/text")
_REACH: Final = 120  # characters on each side: longer than any identifier and its label


@dataclass(frozen=True, slots=True)
class Seam:
    """The end of one part and the beginning of the next. ``cut`` is the edge, ``skipped`` what stands before."""

    left: int
    right: int
    joined: Part
    cut: int
    skipped: int


def seams(parts: Sequence[Part]) -> list[Seam]:
    """Return the edges between neighbouring text parts of one message."""
    found: list[Seam] = []
    for one, other in pairwise(parts):
        a, b = _TEXT_PART.fullmatch(one.pointer), _TEXT_PART.fullmatch(other.pointer)
        if a is None or b is None or a[1] != b[1] or PartKind.TEXT is not one.kind:
            continue
        left, right = one.text.reveal(), other.text.reveal()
        skipped = max(0, len(left) - _REACH)
        joined = replace(one, index=len(found), text=PHIText(left[skipped:] + right[:_REACH]))
        found.append(Seam(one.index, other.index, joined, len(left) - skipped, skipped))
    return found


def stitched(analysis: Analysis, edges: Sequence[Seam], joined: Analysis) -> Analysis:
    """Return the analysis with every finding that crosses an edge added to both sides, and what was unread there."""
    results = list(analysis.parts)
    for seam, result in zip(edges, joined.parts, strict=True):
        for finding in result.findings:
            if finding.start < seam.cut < finding.end:
                before = replace(finding, start=seam.skipped + finding.start, end=seam.skipped + seam.cut)
                results[seam.left] = replace(results[seam.left], findings=_with(results[seam.left].findings, before))
                after = replace(finding, start=0, end=finding.end - seam.cut)
                results[seam.right] = replace(results[seam.right], findings=_with(results[seam.right].findings, after))
        results[seam.left] = replace(results[seam.left], unread=results[seam.left].unread | result.unread)
    return replace(analysis, parts=tuple(results))


def _with(findings: tuple[Finding, ...], new: Finding) -> tuple[Finding, ...]:
    return tuple(sorted((*findings, new)))
