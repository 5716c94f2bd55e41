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
from phigate.deid.regions import Region, merge, regions
from phigate.deid.search import ValueIndex
from phigate.deid.surrogate import SurrogateMap, literals
from phigate.finding import ENTITY_TABLE, EntityType, Family, Span, union
from phigate.phi import PHIText
from phigate.policy.decision import Decision, Operator
from phigate.wire.parts import Part, PartKind

# Which family gives way first when too many stay informative: a place identifies most, an age informs care most.
_GIVES_WAY = (Family.GEO, Family.DATE, Family.AGE)
_SAYS_NOTHING = frozenset({Operator.TOKEN, Operator.REDACT, Operator.HASH_KEYED, Operator.SURROGATE})


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


@dataclass(slots=True)
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
    types_left = _limit_families(plans, decision.residual.max_quasi_types)
    book = Book(params)
    for plan in plans:
        _enter(plan, plan.regions, book)
    book.settle()
    if _carry(plans, book):
        book.settle()
    surrogates = book.number(literals(plan.text for plan in plans) | literals(reserved))
    return _write(plans, book, surrogates, types_left)


def _plan(part: Part, result: PartAnalysis, decision: Decision) -> _Plan:
    text = part.text.reveal()
    if not result.findings:
        return _Plan(part, text, result.lang, [], [])
    changed, kept = regions(text, result, decision)
    if changed and part.kind is PartKind.NUMBER:
        # A number leaf becomes one quoted token: half a number is no JSON.
        strictest = merge([replace(region, start=0, end=len(text)) for region in changed])
        changed = strictest
    return _Plan(part, text, result.lang, changed, kept)


def _enter(plan: _Plan, added: Sequence[Region], book: Book) -> None:
    number = plan.part.kind is PartKind.NUMBER
    in_json = "#" in plan.part.pointer
    for region in added:
        surface = plan.text[region.start : region.end]
        leaf = in_json and not number and len(surface) == len(plan.text)
        plan.keys.append(book.add(surface, region, plan.lang, number=number, leaf=leaf))


def _limit_families(plans: Sequence[_Plan], most: int) -> tuple[EntityType, ...]:
    """Redact families until at most ``most`` of date, age and geography inform; return the types that still do."""
    left: dict[Family, set[EntityType]] = {}
    for plan in plans:
        for region in (*plan.regions, *plan.kept):
            if region.operator not in _SAYS_NOTHING and (row := ENTITY_TABLE.get(region.entity_type)) is not None:
                left.setdefault(row.family, set()).add(region.entity_type)
    left.pop(Family.ID, None)
    surplus = {family for family in _GIVES_WAY if family in left}
    surplus = set([family for family in _GIVES_WAY if family in left][: max(0, len(surplus) - most)])
    if surplus:
        for plan in plans:
            _redact_families(plan, surplus)
    return tuple(sorted(kind for family, kinds in left.items() if family not in surplus for kind in kinds))


def _redact_families(plan: _Plan, surplus: set[Family]) -> None:
    def strict(region: Region) -> Region:
        row = ENTITY_TABLE.get(region.entity_type)
        informs = row is not None and row.family in surplus and region.operator not in _SAYS_NOTHING
        return replace(region, operator=Operator.REDACT) if informs else region

    claims = [strict(region) for region in (*plan.regions, *plan.kept)]
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
            Region(span.start, span.end, book[key].entity_type, book[key].operator)
            for span, key in index.spans(rest)
            if not _other_word(rest[span.start : span.end], book[key].surface)
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


def _other_word(hit: str, given: str) -> bool:
    """Return whether a name of one word only looks like the hit: May is a name, may is a verb. The re-scan decides."""
    return given.isalpha() and given[0].isupper() and hit.islower()


def _write(plans: Sequence[_Plan], book: Book, surrogates: SurrogateMap, left: tuple[EntityType, ...]) -> Scrubbed:
    edits: dict[int, str] = {}
    written: dict[int, tuple[Span, ...]] = {}
    kept: dict[int, tuple[Span, ...]] = {}
    counts: dict[EntityType, Counter[Operator]] = {}
    unfit: list[int] = []
    for plan in plans:
        if not plan.regions and not plan.kept:
            continue
        text, spans = _rewrite(plan, book, counts)
        if text != plan.text and plan.part.kind is PartKind.NAME:
            unfit.append(plan.part.index)
            continue
        if text != plan.text:
            edits[plan.part.index] = text
        written[plan.part.index] = spans
        kept[plan.part.index] = _moved(plan, spans)
    return Scrubbed(edits, written, kept, surrogates, counts, tuple(unfit), book.hidden(), left)


def _rewrite(plan: _Plan, book: Book, counts: dict[EntityType, Counter[Operator]]) -> tuple[str, tuple[Span, ...]]:
    pieces: list[str] = []
    spans: list[Span] = []
    at = length = 0
    for region, key in zip(plan.regions, plan.keys, strict=True):
        entry = book[key]
        before = plan.text[at : region.start]
        start = length + len(before)
        pieces += (before, entry.output)
        length = start + len(entry.output)
        at = region.end
        spans.append(Span(start, length))
        counts.setdefault(entry.entity_type, Counter())[entry.operator] += 1
    pieces.append(plan.text[at:])
    return "".join(pieces), tuple(spans)


def _moved(plan: _Plan, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return where the kept spans stand in the new text. What a region took of them is no longer theirs."""
    moved: list[Span] = []
    for claim in plan.kept:
        shift = 0
        start, end = claim.start, claim.end
        for region, span in zip(plan.regions, spans, strict=True):
            if region.end <= start:
                shift = span.end - region.end
            elif region.start >= end:
                break
            else:
                if region.start > start:
                    moved.append(Span(start + shift, region.start + shift))
                start, shift = min(region.end, end), span.end - region.end
        if start < end:
            moved.append(Span(start + shift, end + shift))
    return union(moved)
