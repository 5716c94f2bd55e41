"""Layer L0: values whose place tells what they are: keys of JSON and XML, fields of HL7 v2, columns, headers."""

from __future__ import annotations

from phigate.analyzers.shapes.fields import field_findings
from phigate.analyzers.shapes.markup import json_hints, xml_hints
from phigate.analyzers.shapes.records import header_hints, hl7_hints, table_hints

__all__ = ["field_findings", "hints_of"]

from phigate.analyzers.layers import Hint, View


def hints_of(view: View) -> tuple[Hint, ...]:
    """Return the hints that the shape of a text gives, in order and without overlap."""
    text = view.shadow
    hints: list[Hint] = []
    if "|" in text:
        hints += hl7_hints(text)
    if not hints:
        if '":' in text or '" :' in text:
            hints += json_hints(text)
        if "</" in text or "/>" in text:
            hints += xml_hints(text)
        if "\n" in text:
            hints += table_hints(text)
        if ":" in text:
            hints += header_hints(text)
    hints.sort(key=lambda h: (h.start, -h.end))
    kept: list[Hint] = []
    for hint in hints:
        if hint.end > hint.start and (not kept or hint.start >= kept[-1].end):
            kept.append(hint)
    return tuple(kept)
