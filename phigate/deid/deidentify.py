"""Make the outgoing copy of a request: every finding changed by its operator, one value one token (policy.md 2.3, 6).

By span, never by string replacement of a whole body; the one search by value carries what was found in one part to
where it stands unfound in another. Whether the copy is clean is for `residual` to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.book import Book
from phigate.deid.fold import fold
from phigate.deid.generalise import NO_PARAMS, Params
from phigate.deid.regions import Region, family, informs, merge, moved, regions
from phigate.deid.search import ValueIndex
from phigate.deid.surrogate import SurrogateMap, literals
from phigate.finding import EntityType, Family, Span
from phigate.phi import PHIText
from phigate.policy.decision import Decision, Operator
from phigate.wire.parts import Part, PartKind

# Which family gives way first when too many stay informative: a place identifies most, an age informs care most.
_GIVES_WAY = (Family.GEO, Family.DATE, Family.AGE)


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """The outgoing copy as edits to parts, and all that is needed to check it and to undo it. PHI: never leaves memory.

    Spans are offsets in the new text of a part. ``counts`` hold what was changed, by type and operator.
    """

    edits: Mapping[int, str] = field(repr=False)
    written: Mapping[int, tuple[Span, ...]]  # what an operator wrote
    kept: Mapping[int, tuple[Span, ...]]  # what policy keeps as it is
    surrogates: SurrogateMap
    counts: Mapping[EntityType, Mapping[Operator, int]]
    unfit: tuple[int, ...]  # parts that hold a finding and cannot hold a token: the request must stay on-prem
    values: tuple[PHIText, ...]  # every value that became a token or was redacted, for exact search
    types_left: tuple[EntityType, ...] = ()  # quasi-identifiers that still inform, generalised or kept


# What an exchange that leaves raw has: nothing was changed.
UNCHANGED = Scrubbed({}, {}, {}, SurrogateMap(), {}, (), ())


@dataclass(slots=True, repr=False)
class _Plan:
    """What will be done to one part. ``keys`` are the book's keys of its regions, in the same order."""

    part: Part
    text: str
    lang: str
    regions: list[Region]
    kept: list[Region]
    keys: list[str] = field(default_factory=list)


def deidentify(
    parts: Sequence[Part],
    analysis: Analysis,
    decision: Decision,
    *,
    reserved: Sequence[str] = (),
    params: Params = NO_PARAMS,
) -> Scrubbed:
    """Return the de-identified copy of ``parts``.

    ``reserved`` are further texts of the request whose token-like literals must not be issued. Raises `ValueError` when
    the analysis does not belong to these parts.
    """
    plans = [_plan(part, result, decision) for part, result in zip(parts, analysis.parts, strict=True)]
    _limit_families(plans, decision.residual.max_quasi_types)
    book = Book(params)
    for plan in plans:
        _enter(plan, plan.regions, book)
    book.settle()
    if _carry(plans, book):
        book.settle()
    surrogates = book.number(literals(plan.text for plan in plans) | literals(reserved))
    return _write(plans, book, surrogates)


def _plan(part: Part, result: PartAnalysis, decision: Decision) -> _Plan:
    text = part.text.reveal()
    if not result.findings:
        return _Plan(part, text, result.lang, [], [])
    # A number leaf becomes one quoted token: half a number is no JSON.
    changed, kept = regions(text, result, decision, whole=part.kind is PartKind.NUMBER)
    return _Plan(part, text, result.lang, changed, kept)


def _enter(plan: _Plan, added: Sequence[Region], book: Book) -> None:
    number = plan.part.kind is PartKind.NUMBER
    in_json = "#" in plan.part.pointer
    for region in added:
        surface = plan.text[region.start : region.end]
        leaf = in_json and not number and len(surface) == len(plan.text)
        plan.keys.append(book.add(surface, region, plan.lang, number=number, leaf=leaf))


def _limit_families(plans: Sequence[_Plan], most: int) -> None:
    """Redact whole families until at most ``most`` of date, age and geography still inform."""
    claims = (region for plan in plans for region in (*plan.regions, *plan.kept))
    informing = {family(claim.entity_type) for claim in claims if informs(claim.operator, claim.entity_type)}
    present = [kind for kind in _GIVES_WAY if kind in informing]
    if surplus := set(present[: max(0, len(present) - most)]):
        for plan in plans:
            _redact_families(plan, surplus)


def _redact_families(plan: _Plan, surplus: set[Family]) -> None:
    claims = [
        replace(claim, operator=Operator.REDACT)
        if informs(claim.operator, claim.entity_type) and family(claim.entity_type) in surplus
        else claim
        for claim in (*plan.regions, *plan.kept)
    ]
    plan.regions = merge([claim for claim in claims if claim.operator is not Operator.KEEP])
    plan.kept = [claim for claim in claims if claim.operator is Operator.KEEP]


def _carry(plans: Sequence[_Plan], book: Book) -> bool:
    """Change known values where they stand unfound (at word boundaries, folded). Return whether any was there."""
    index = ValueIndex([entry.value for entry in book.changed()], inside=False)
    if not index:
        return False
    rests = [_rest(plan) for plan in plans]
    if not index.present(fold("\x01".join(rests))):
        return False
    carried = False
    for plan, rest in zip(plans, rests, strict=True):
        claims = [
            Region(span.start, span.end, book[key].entity_type, book[key].operator) for span, key in index.spans(rest)
        ]
        if claims:
            carried = True
            plan.regions = sorted([*plan.regions, *merge(claims)], key=lambda region: region.start)
            plan.keys = []
            _enter(plan, plan.regions, book)
    return carried


def _rest(plan: _Plan) -> str:
    """Return the text with its regions blanked out, so that only what stands unfound can match."""
    if not plan.regions:
        return plan.text
    pieces: list[str] = []
    at = 0
    for region in plan.regions:
        pieces += (plan.text[at : region.start], "\0" * (region.end - region.start))
        at = region.end
    return "".join((*pieces, plan.text[at:]))


def _write(plans: Sequence[_Plan], book: Book, surrogates: SurrogateMap) -> Scrubbed:
    edits: dict[int, str] = {}
    written: dict[int, tuple[Span, ...]] = {}
    kept: dict[int, tuple[Span, ...]] = {}
    stood: Counter[str] = Counter()  # how often each value, by its key
    unfit: list[int] = []
    for plan in plans:
        if not plan.regions and not plan.kept:
            continue
        index = plan.part.index
        text, spans = _rewrite(plan, book)
        if text != plan.text:
            if plan.part.kind is PartKind.NAME:
                unfit.append(index)
                continue
            edits[index] = text
        stood.update(plan.keys)
        written[index], kept[index] = spans, moved(plan.kept, plan.regions, spans)
    counts: dict[EntityType, Counter[Operator]] = {}
    for key, number in stood.items():
        counts.setdefault(book[key].entity_type, Counter())[book[key].operator] += number
    left = {kind for kind, by_operator in counts.items() if any(informs(operator, kind) for operator in by_operator)}
    left |= {claim.entity_type for plan in plans for claim in plan.kept if informs(claim.operator, claim.entity_type)}
    return Scrubbed(edits, written, kept, surrogates, counts, tuple(unfit), book.hidden(), tuple(sorted(left)))


def _rewrite(plan: _Plan, book: Book) -> tuple[str, tuple[Span, ...]]:
    pieces: list[str] = []
    spans: list[Span] = []
    at = length = 0
    for region, key in zip(plan.regions, plan.keys, strict=True):
        output = book[key].output
        pieces += (plan.text[at : region.start], output)
        start = length + region.start - at
        length = start + len(output)
        at = region.end
        spans.append(Span(start, length))
    pieces.append(plan.text[at:])
    return "".join(pieces), tuple(spans)
