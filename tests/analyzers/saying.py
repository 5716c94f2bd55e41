"""What the layers find in a line, as pairs of surface and type."""

from phigate.analyzers import pipeline
from phigate.analyzers.context import Surroundings
from phigate.analyzers.layers import View
from phigate.analyzers.shadow import view_of
from phigate.analyzers.shapes import hints_of
from phigate.finding import Finding


def prepared(text: str, lang: str = "") -> View:
    view = view_of(text, lang=lang)
    view.hints = hints_of(view)
    return view


def patterns(text: str, least: float = 0.4) -> list[Finding]:
    """Findings of L0 and L1, offsets into the text as given."""
    view = prepared(text)
    found = []
    for finding in pipeline.find_patterns(view):
        if finding.score >= least:
            start, end = view.original(finding.start, finding.end)
            found.append(Finding(start, end, finding.entity_type, finding.score, finding.source))
    return found


def said(text: str, least: float = 0.4) -> set[tuple[str, str]]:
    return {(text[f.start : f.end], f.entity_type.value) for f in patterns(text, least)}


def score(text: str, surface: str, kind: str) -> float:
    return max(
        (f.score for f in patterns(text, 0.0) if text[f.start : f.end] == surface and f.entity_type.value == kind),
        default=0.0,
    )


def surroundings(text: str) -> Surroundings:
    return Surroundings(prepared(text))
