"""The re-scan before egress: whether anything is left in the outgoing copy that should not be (decisions 11).

A finding of the second set counts when a letter or digit of it lies outside the spans that an operator wrote or policy
kept, known by offset, never by pattern. Every value that became a token or was redacted is searched for exactly, in the
decoded parts and in the serialised bytes. Dirty: `redact_more`, scan once more, else the request stays on-prem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.deidentify import Scrubbed
from phigate.deid.fold import fold, read
from phigate.deid.generalise import REDACTED, unchanged_by
from phigate.deid.regions import operator_of
from phigate.deid.search import ValueIndex, in_serialised
from phigate.finding import EntityType, Finding, Span, union
from phigate.phi import PHIText
from phigate.policy.decision import Decision, Operator
from phigate.wire.parts import Part, PartKind

_LONG_NUMBER: Final = 7  # digits: shorter numbers are no parts, and stand in many fields of the API


@dataclass(frozen=True, slots=True)
class Residue:
    """What the re-scan found. Spans are offsets in the outgoing copy that was scanned."""

    clean: bool
    found: Mapping[int, tuple[Finding, ...]]  # by part index: what must be redacted
    in_body: int  # values that stand in the serialised bytes outside of every part
    unread: bool  # the second set could not read all of it
    types_left: tuple[EntityType, ...]


def outgoing(parts: Sequence[Part], scrubbed: Scrubbed) -> tuple[Part, ...]:
    """Return the parts as they will leave."""
    edits = scrubbed.edits
    return tuple(replace(part, text=PHIText(edits[part.index])) if part.index in edits else part for part in parts)


def residual(after: Sequence[Part], second: Analysis, scrubbed: Scrubbed, decision: Decision, body: bytes) -> Residue:
    """Judge an outgoing copy by a second analysis of it and by exact search.

    Raises `ValueError` when the analysis does not belong to these parts.
    """
    index = ValueIndex((read(value.reveal()) for value in scrubbed.values), inside=True)
    found: dict[int, tuple[Finding, ...]] = {}
    for part, analysis in zip(after, second.parts, strict=True):
        hits = [*_missed(part, analysis, scrubbed, decision), *_exact(part, index, scrubbed)]
        if hits:
            found[part.index] = tuple(sorted(hits))
    in_body = 0 if found else _in_body(body, scrubbed, decision)
    unread = not second.complete
    return Residue(not found and not in_body and not unread, found, in_body, unread, scrubbed.types_left)


def _missed(part: Part, analysis: PartAnalysis, scrubbed: Scrubbed, decision: Decision) -> list[Finding]:
    text = part.text.reveal()
    settled = union((*scrubbed.written.get(part.index, ()), *scrubbed.kept.get(part.index, ())))
    missed: list[Finding] = []
    for finding in analysis.findings:
        least = decision.thresholds.of(finding.entity_type, analysis.lang) * decision.residual.factor
        operator = operator_of(finding.entity_type, decision)
        if finding.score < least or operator is Operator.KEEP:
            continue
        if operator in unchanged_by(finding.entity_type, text[finding.start : finding.end]):
            continue
        if _outside(text, Span(finding.start, finding.end), settled):
            missed.append(finding)
    return missed


def _exact(part: Part, index: ValueIndex, scrubbed: Scrubbed) -> list[Finding]:
    text = part.text.reveal()
    if not index or not index.present(fold(text)):
        return []
    written = scrubbed.written.get(part.index, ())
    return [
        Finding(span.start, span.end, EntityType.UNIQUE_ID, 1.0, "exact")
        for span, _ in index.spans(text)
        if _outside(text, span, written)
    ]


def _outside(text: str, span: Span, settled: Sequence[Span]) -> bool:
    """Return whether a letter or digit of ``span`` lies in none of the settled spans, or the span in no text."""
    if not 0 <= span.start < span.end <= len(text):
        return True
    return any(text[at].isalnum() for piece in _without(span, settled) for at in range(piece.start, piece.end))


def _without(span: Span, settled: Sequence[Span]) -> list[Span]:
    pieces: list[Span] = []
    at = span.start
    for done in settled:
        if done.end <= at:
            continue
        if done.start >= span.end:
            break
        if done.start > at:
            pieces.append(Span(at, done.start))
        at = max(at, done.end)
    if at < span.end:
        pieces.append(Span(at, span.end))
    return pieces


# Words of the API itself, which stand in every body: Max is a name and max_tokens a field. In the parts such a value
# is searched for like any other.
_API_WORDS: Final = fold(
    "additionalProperties allof any anyof array arguments assistant audio auto boolean call choices completion "
    "content const default description detail developer enum false file format frequency penalty function high "
    "image url include input integer items json object schema logit bias logprobs low max maximum medium messages "
    "metadata minimum min minimal modalities model n name none null number output parallel parameters parts pattern "
    "prediction presence properties reasoning effort required response role seed service tier stop store stream "
    "options strict string system temperature text title tokens tool tool_calls tools top true type usage user "
    "users verbosity web search"
)


def _in_body(body: bytes, scrubbed: Scrubbed, decision: Decision) -> int:
    """Count the values that stand in the serialised bytes. Tokens and model names are taken out of them first.

    Short numbers are left to the parts: `"max_tokens": 4096` is no record number.
    """
    told = [value for item in scrubbed.values if _tells((value := read(item.reveal())).folded)]
    words = ValueIndex(told, inside=False)
    known = {key for _, key in words.spans(_API_WORDS)} if words.present(_API_WORDS) else set()
    index = ValueIndex([value for value in told if value.key not in known], inside=True)
    if not index:
        return 0
    text = body.decode("utf-8", "replace")
    for token in (*(item.token for item in scrubbed.surrogates.issued), REDACTED):
        text = text.replace(token, "\0")
    for candidate in decision.candidates:
        text = text.replace(f'"{candidate.model}"', "\0")
    return len(in_serialised(text, index))


def _tells(folded: str) -> bool:
    return any(char.isalpha() for char in folded) or sum(char.isdigit() for char in folded) >= _LONG_NUMBER


def redact_more(parts: Sequence[Part], scrubbed: Scrubbed, residue: Residue) -> Scrubbed:
    """Return the copy with what the re-scan found redacted, and nothing else changed."""
    edits = dict(scrubbed.edits)
    written = dict(scrubbed.written)
    kept = dict(scrubbed.kept)
    counts = {kind: Counter(by_operator) for kind, by_operator in scrubbed.counts.items()}
    unfit = list(scrubbed.unfit)
    values = list(scrubbed.values)
    by_index = {part.index: part for part in parts}
    for index, findings in residue.found.items():
        part = by_index[index]
        text = edits.get(index, part.text.reveal())
        if part.kind is PartKind.NAME:
            unfit.append(index)
            continue
        whole = part.kind is PartKind.NUMBER
        spans = [Span(0, len(text))] if whole else _new_spans(text, findings, written.get(index, ()))
        values += [PHIText(text[span.start : span.end]) for span in spans]
        edits[index], written[index], kept[index] = _redact(text, spans, written.get(index, ()), kept.get(index, ()))
        for finding in findings:
            counts.setdefault(finding.entity_type, Counter())[Operator.REDACT] += 1
    return replace(
        scrubbed, edits=edits, written=written, kept=kept, counts=counts, unfit=tuple(unfit), values=tuple(values)
    )


def _new_spans(text: str, findings: Sequence[Finding], written: Sequence[Span]) -> list[Span]:
    """Return what of the findings no operator wrote, cut to its letters and digits."""
    fresh: list[Span] = []
    for span in union(findings):
        inside = Span(max(span.start, 0), min(span.end, len(text)))
        if inside.start >= inside.end:
            inside = Span(0, len(text))
        for piece in _without(inside, written):
            solid = [at for at in range(piece.start, piece.end) if text[at].isalnum()]
            if solid:
                fresh.append(Span(solid[0], solid[-1] + 1))
    return fresh


def _redact(
    text: str, fresh: Sequence[Span], written: Sequence[Span], kept: Sequence[Span]
) -> tuple[str, tuple[Span, ...], tuple[Span, ...]]:
    pieces: list[str] = []
    at = 0
    for span in fresh:
        pieces += (text[at : span.start], REDACTED)
        at = span.end
    new = "".join((*pieces, text[at:]))

    def moved(place: int) -> int:
        return place + sum(len(REDACTED) - (span.end - span.start) for span in fresh if span.end <= place)

    spots = [Span(moved(span.start), moved(span.start) + len(REDACTED)) for span in fresh]
    old = [Span(moved(span.start), moved(span.end)) for span in written]
    left = [Span(moved(s.start), moved(s.end)) for keep in kept for s in _without(keep, fresh)]
    return new, union((*old, *spots)), union(left)
