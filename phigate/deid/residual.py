"""The re-scan before egress: whether anything is left in the outgoing copy that should not be (decisions 11).

A finding of the second set counts when a letter or digit of it lies outside the spans that an operator wrote or policy
kept, known by offset, never by pattern. Every value that became a token or was redacted is searched for exactly, in the
decoded parts and in the serialised bytes. Dirty: `redact_more`, scan once more, else the request stays on-prem.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.deidentify import Scrubbed
from phigate.deid.fold import Value, fold, read
from phigate.deid.generalise import REDACTED, unchanged_by
from phigate.deid.regions import operator_of
from phigate.deid.search import ValueIndex, escaped, in_serialised
from phigate.finding import EntityType, Finding, Span, union
from phigate.phi import PHIText
from phigate.policy.decision import Decision, Operator
from phigate.wire.parts import Part, PartKind

_INSIDE: Final = 5  # characters from which a value is searched for within words
_LONG_NUMBER: Final = 7  # digits: shorter numbers are no parts, and stand in many fields of the API


@dataclass(frozen=True, slots=True)
class Residue:
    """What the re-scan found. Spans are offsets in the outgoing copy that was scanned."""

    clean: bool
    found: Mapping[int, tuple[Finding, ...]]  # by part index: what must be redacted
    in_body: int  # values that stand in the serialised bytes outside of every part
    unread: bool  # the second set could not read all of it
    types_left: tuple[EntityType, ...]
    forbidden: tuple[PHIText, ...] = ()  # values that may stand in no byte that leaves


def outgoing(parts: Sequence[Part], scrubbed: Scrubbed) -> tuple[Part, ...]:
    """Return the parts as they will leave."""
    edits = scrubbed.edits
    return tuple(replace(part, text=PHIText(edits[part.index])) if part.index in edits else part for part in parts)


def residual(after: Sequence[Part], second: Analysis, scrubbed: Scrubbed, decision: Decision, body: bytes) -> Residue:
    """Judge an outgoing copy by a second analysis of it and by exact search.

    Raises `ValueError` when the analysis does not belong to these parts.
    """
    values = [read(value.reveal()) for value in scrubbed.values]
    index = ValueIndex(values, inside=True)
    found: dict[int, tuple[Finding, ...]] = {}
    said: dict[str, set[str]] = {}
    for part, analysis in zip(after, second.parts, strict=True):
        hits = [*_missed(part, analysis, scrubbed, decision), *_exact(part, index, scrubbed, said)]
        if hits:
            found[part.index] = tuple(sorted(hits))
    in_body = 0 if found else _in_body(body, values, scrubbed, decision, set().union(*said.values()))
    unread = not second.complete
    forbidden = tuple(text for text, value in zip(scrubbed.values, values, strict=True) if value.key not in said)
    return Residue(not found and not in_body and not unread, found, in_body, unread, scrubbed.types_left, forbidden)


def _missed(part: Part, analysis: PartAnalysis, scrubbed: Scrubbed, decision: Decision) -> list[Finding]:
    text = part.text.reveal()
    settled = _Cover(union((*scrubbed.written.get(part.index, ()), *scrubbed.kept.get(part.index, ()))))
    missed: list[Finding] = []
    for finding in analysis.findings:
        least = decision.thresholds.of(finding.entity_type, analysis.lang) * decision.residual.factor
        operator = operator_of(finding.entity_type, decision)
        if finding.score < least or operator is Operator.KEEP:
            continue
        span = _within(finding, text)
        if operator in unchanged_by(finding.entity_type, text[span.start : span.end]):
            continue
        if settled.outside(text, span):
            missed.append(replace(finding, start=span.start, end=span.end))
    return missed


def _exact(part: Part, index: ValueIndex, scrubbed: Scrubbed, said: dict[str, set[str]]) -> list[Finding]:
    """Return the values that stand outside of what was written; add to ``said`` what was written and spells one.

    Labels of tokens spell values too (a City in a city), but are known without it.
    """
    text = part.text.reveal()
    if not index or not index.present(fold(text)):
        return []
    written = _Cover(scrubbed.written.get(part.index, ()))
    found: list[Finding] = []
    for span, key in index.spans(text):
        if written.outside(text, span):
            found.append(Finding(span.start, span.end, EntityType.UNIQUE_ID, 1.0, "exact"))
        else:
            outputs = {text[output.start : output.end] for output in written.meeting(span)}
            if outputs := {output for output in outputs if not _WRITTEN.fullmatch(output)}:
                said.setdefault(key, set()).update(outputs)
    return found


def _within(finding: Finding, text: str) -> Span:
    """Return the finding's span, or all of a text in which it does not lie: a broken offset may stand for anything."""
    if 0 <= finding.start < finding.end <= len(text):
        return Span(finding.start, finding.end)
    return Span(0, len(text))


class _Cover:
    """Spans in order, none of which overlap: what is left of another span beside them."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._starts = [span.start for span in spans]
        self._ends = [span.end for span in spans]

    def meeting(self, span: Span) -> list[Span]:
        """Return those of these that share a character with ``span``."""
        first, last = bisect_right(self._ends, span.start), bisect_left(self._starts, span.end)
        return list(self._spans[first:last])

    def left_of(self, span: Span) -> list[Span]:
        """Return the pieces of ``span`` that lie in none of these."""
        pieces: list[Span] = []
        at = span.start
        for done in self.meeting(span):
            if done.start > at:
                pieces.append(Span(at, done.start))
            at = done.end
        if at < span.end:
            pieces.append(Span(at, span.end))
        return pieces

    def outside(self, text: str, span: Span) -> bool:
        """Return whether a letter or digit of ``span`` lies in none of these."""
        return any(char.isalnum() for piece in self.left_of(span) for char in text[piece.start : piece.end])


# Words of the API itself, which stand in every body: Max is a name and max_tokens a field. In the parts such a value
# is searched for like any other.
_API_TEXT: Final = (
    "additionalproperties allof any anyof array arguments assistant audio auto boolean call choices "
    "completion content const default description detail developer enum false file format frequency penalty "
    "function high image url include input integer items json object schema logit bias logprobs low max "
    "maximum medium messages metadata minimum min minimal modalities model n name none null number output "
    "parallel parameters parts pattern prediction presence properties reasoning effort required response role "
    "seed service tier stop store stream options strict string system temperature text title tokens tool "
    "calls tools top true type usage user users verbosity web search"
)
_API_WORDS: Final = frozenset(_API_TEXT.split())


# What operators write into a body. Only what was issued is taken out, so the pattern decides nothing.
_WRITTEN: Final = re.compile(r"\[\[[A-Z_0-9]+(?:\.\d+)?(?:[+-]\d+d)?\]\]|" + re.escape(REDACTED))


def _in_body(
    body: bytes, values: Sequence[Value], scrubbed: Scrubbed, decision: Decision, said: AbstractSet[str]
) -> int:
    """Count the values that stand in the serialised bytes.

    Tokens and model names are taken out of them first, and what operators wrote that spells a value: after "5-year"
    lost its year, the year of 60-64-year-old is not that one. Short numbers are left to the parts: `"max_tokens": 4096`
    is no record number.
    """
    index = ValueIndex([value for value in values if _tells(value.folded)], inside=True)
    if not index:
        return 0
    tokens = {REDACTED, *(item.token for item in scrubbed.surrogates.issued)}
    text = _WRITTEN.sub(lambda match: "\0" if match[0] in tokens else match[0], body.decode("utf-8", "replace"))
    for output in said:
        text = re.sub(rf"(?<!\w){re.escape(escaped(output))}(?!\w)", "\0", text)
    for candidate in decision.candidates:
        text = text.replace(f'"{candidate.model}"', "\0")
    return len(in_serialised(text, index))


def _tells(folded: str) -> bool:
    """Return whether a value may be searched for among the words of the API: Conte is a name, and part of content."""
    if folded in _API_WORDS or (len(folded) >= _INSIDE and folded in _API_TEXT):
        return False
    return any(char.isalpha() for char in folded) or sum(char.isdigit() for char in folded) >= _LONG_NUMBER


def redact_more(parts: Sequence[Part], scrubbed: Scrubbed, residue: Residue) -> Scrubbed:
    """Return the copy with what the re-scan found redacted, and nothing else changed.

    What is redacted in one place is redacted wherever it stands: it is a value now, and the next scan looks for it.
    """
    texts = {part.index: scrubbed.edits.get(part.index, part.text.reveal()) for part in parts}
    claims = {
        index: _fresh(texts[index], found, scrubbed.written.get(index, ())) for index, found in residue.found.items()
    }
    _spread(claims, texts, scrubbed)
    edits, written, kept = dict(scrubbed.edits), dict(scrubbed.written), dict(scrubbed.kept)
    counts = {kind: Counter(by_operator) for kind, by_operator in scrubbed.counts.items()}
    unfit, values = list(scrubbed.unfit), list(scrubbed.values)
    kinds = {part.index: part.kind for part in parts}
    for index, fresh in claims.items():
        text = texts[index]
        if kinds[index] is PartKind.NAME:
            unfit.append(index)
            continue
        if kinds[index] is PartKind.NUMBER:
            fresh = [replace(fresh[0], start=0, end=len(text))]  # noqa: PLW2901 - half a number is no JSON
        for claim in fresh:
            counts.setdefault(claim.entity_type, Counter())[Operator.REDACT] += 1
        values += dict.fromkeys(PHIText(text[claim.start : claim.end]) for claim in fresh)
        edits[index], written[index], kept[index] = _redact(text, fresh, written.get(index, ()), kept.get(index, ()))
    return replace(
        scrubbed, edits=edits, written=written, kept=kept, counts=counts, unfit=tuple(unfit), values=tuple(values)
    )


def _spread(claims: dict[int, list[Finding]], texts: Mapping[int, str], scrubbed: Scrubbed) -> None:
    """Claim the values of the claims wherever else they stand and no operator wrote."""
    told = [(read(texts[index][c.start : c.end]), c.entity_type) for index, fresh in claims.items() for c in fresh]
    kinds = {value.key: kind for value, kind in told}
    values = ValueIndex([value for value, _ in told], inside=True)
    for index, text in texts.items() if values else ():
        if values.present(fold(text)):
            hits = (Finding(span.start, span.end, kinds[key], 1.0, "exact") for span, key in values.spans(text))
            found = _fresh(text, [*claims.get(index, ()), *hits], scrubbed.written.get(index, ()))
            if found:
                claims[index] = found


def _fresh(text: str, findings: Sequence[Finding], written: Sequence[Span]) -> list[Finding]:
    """Return what of the findings no operator wrote, cut to its letters and digits, without overlaps."""
    cover = _Cover(written)
    fresh: list[Finding] = []
    reached = 0
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        begin = Span(max(finding.start, reached), finding.end)
        for piece in cover.left_of(begin):
            solid = [at for at in range(piece.start, piece.end) if text[at].isalnum()]
            if solid:
                fresh.append(replace(finding, start=solid[0], end=solid[-1] + 1))
        reached = max(reached, finding.end)
    return fresh


def _redact(
    text: str, fresh: Sequence[Finding], written: Sequence[Span], kept: Sequence[Span]
) -> tuple[str, tuple[Span, ...], tuple[Span, ...]]:
    """Return the text with the fresh claims redacted, and the written and kept spans where they then stand."""
    pieces: list[str] = []
    at = 0
    grown = [0]  # by how much the text before the n-th claim, and all of it, changed its length
    for claim in fresh:
        pieces += (text[at : claim.start], REDACTED)
        at = claim.end
        grown.append(grown[-1] + len(REDACTED) - (claim.end - claim.start))
    ends = [claim.end for claim in fresh]

    def moved(span: Span) -> Span:
        by = grown[bisect_right(ends, span.start)]
        return Span(span.start + by, span.end + by)

    gone = [Span(claim.start, claim.end) for claim in fresh]
    spots = [Span(span.start + by, span.start + by + len(REDACTED)) for span, by in zip(gone, grown, strict=False)]
    cover = _Cover(gone)
    left = [moved(piece) for span in kept for piece in cover.left_of(span)]
    new = "".join((*pieces, text[at:]))
    return new, union((*(moved(span) for span in written), *spots)), union(left)
