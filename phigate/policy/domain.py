"""The finite set of requests that a bundle can tell apart: what the exhaustive checks and `diff` walk through.

Rules see a request through a few words, so two findings, tags or purposes that no rule and no row tells apart are one
class, and one member of each class stands for all. Tags come one class at a time, all at once, none, and missing:
conditions ask for *any* of a list, so a set of tags does no more than its members do one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, combinations, product
from typing import Final, TypeVar

from phigate.finding import ENTITY_TABLE, EntityClass, EntityType
from phigate.policy.bundle import EPOCH, App, Bundle, Regime
from phigate.policy.decide import forms_of, settle
from phigate.policy.decision import Facts, Form, Found, Operator
from phigate.policy.operators import CHAINS
from phigate.policy.plan import Plan, regimes_of
from phigate.policy.weigh import ask
from phigate.policy.words import PURPOSES
from phigate.wire.parts import Attachments

APP: Final = "cell"
ALIAS: Final = "every-model"
UNKNOWN: Final = "ZZ_UNKNOWN"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One abstract request. ``tags`` None: the app must bring tags and brought none; ``purpose`` None: unknown."""

    regimes: frozenset[str]
    flags: frozenset[str]
    found: frozenset[str]  # names of finding classes
    tags: frozenset[str] | None
    purpose: str | None
    uncleaned: bool
    incomplete: bool


@dataclass(frozen=True, slots=True)
class Domain:
    """The axes. ``classes`` gives for each finding class one finding that stands for it."""

    regimes: tuple[frozenset[str], ...]
    flags: tuple[frozenset[str], ...]
    classes: Mapping[str, Found]
    tags: tuple[frozenset[str] | None, ...]
    purposes: tuple[str | None, ...]

    def __len__(self) -> int:
        found: int = 1 << len(self.classes)
        return len(self.regimes) * len(self.flags) * found * len(self.tags) * len(self.purposes) * 4

    def cells(self) -> Iterator[Cell]:
        """Yield every cell; those of one set of regimes and flags stand together."""
        found = [frozenset(names) for names in subsets(tuple(self.classes))]
        both = (False, True)
        for values in product(self.regimes, self.flags, found, self.tags, self.purposes, both, both):
            yield Cell(*values)


def subsets(items: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Yield every subset, the empty one first."""
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))


def domain_of(*bundles: Bundle, regimes: Iterable[frozenset[str]] | None = None) -> Domain:
    """Return the domain that tells apart whatever any of these bundles tells apart."""
    everything = [r for bundle in bundles for r in bundle.regimes.values()]
    flags = sorted({rule.when.site_flag for r in everything for rule in r.rules if rule.when.site_flag})
    tags = _classes(
        sorted(set().union(*(b.site.tags for b in bundles))),
        lambda tag: frozenset((id(r), rule.id) for r in everything for rule in r.rules if tag in rule.when.tag_any),
    )
    purposes = _classes(
        PURPOSES,
        lambda word: frozenset(
            (id(r), rule.id) for r in everything for rule in r.rules if word in rule.when.purpose_in
        ),
        keep_idle=True,
    )
    return Domain(
        regimes=tuple(regimes) if regimes is not None else _bound(bundles),
        flags=tuple(frozenset(names) for names in subsets(flags)),
        classes=_finding_classes(everything),
        tags=(frozenset(), *(frozenset({tag}) for tag in tags), frozenset(tags), None),
        purposes=(*purposes, None),
    )


def _bound(bundles: Sequence[Bundle]) -> tuple[frozenset[str], ...]:
    """Return each set of regimes that binds an app, and each regime alone, as far as every bundle has them."""
    shared = frozenset.intersection(*(frozenset(b.regimes) for b in bundles))
    sets = {regimes_of(b, app) & shared for b in bundles for app in b.apps.values()}
    sets |= {frozenset({name}) for name in shared}
    return tuple(sorted((s for s in sets if s), key=lambda s: (len(s), sorted(s))))


def _classes(words: Sequence[str], effect: Callable[[str], Hashable], *, keep_idle: bool = False) -> list[str]:
    """Return one word per distinct effect; a word without any is left out unless it stands for itself."""
    seen: dict[Hashable, str] = {}
    for word in words:
        seen.setdefault(effect(word), word)
    return [word for e, word in seen.items() if keep_idle or e != frozenset()]


def _finding_classes(regimes: Sequence[Regime]) -> dict[str, Found]:
    seen: dict[Hashable, tuple[str, Found]] = {}
    for name, found in _samples():
        effect = _effect(found, regimes)
        if any(effect[0]) or effect[1]:
            seen.setdefault(effect, (name, found))
    return dict(seen.values())


def _samples() -> Iterator[tuple[str, Found]]:
    """Yield findings of every type, and of each type once more per operator that may leave a value as it is."""
    yield UNKNOWN, Found(UNKNOWN, "", (1.0,))
    for entity_type, row in ENTITY_TABLE.items():
        yield entity_type.value, Found(entity_type, "", (1.0,))
        for operator in CHAINS[row.family]:
            if operator not in {Operator.KEEP, Operator.TOKEN, Operator.REDACT}:
                unchanged = frozenset({Operator.KEEP, operator})
                yield f"{entity_type.value}~{operator.value}", Found(entity_type, "", (1.0,), unchanged)


def _effect(found: Found, regimes: Sequence[Regime]) -> tuple[tuple[bool, ...], frozenset[tuple[int, str]]]:
    """Return what rules can know of a finding: where it counts as PHI, and which rules ask for its type."""
    counts = tuple(_counts(found, regime) for regime in regimes)
    asked = frozenset(
        (id(r), rule.id) for r in regimes for rule in r.rules if found.entity_type in rule.when.finding_any
    )
    return counts, asked


def _counts(found: Found, regime: Regime) -> bool:
    row = regime.entities.get(found.entity_type) if isinstance(found.entity_type, EntityType) else None
    if row is None:
        return True
    if row.entity_class is EntityClass.OPERATIONAL:
        return False
    return row.entity_class is not EntityClass.QUASI or row.operator not in found.unchanged_by


def staged(bundle: Bundle, regimes: frozenset[str], flags: frozenset[str], *, app: App | None = None) -> Plan:
    """Return the plan of a bundle for one app under these regimes, with these site flags on.

    A registered ``app`` keeps its tags and the overrides that match it; without one there are neither.
    """
    stage = App(APP, tenant=APP, purpose="", regimes=regimes, tags_required=True, default_alias=ALIAS)
    overrides = bundle.site.overrides if app is not None else ()
    if app is not None:
        stage = replace(app, regimes=regimes, purpose="", tags_required=True, aliases=None, default_alias=ALIAS)
    aliases = {ALIAS: tuple((d.id, m.name) for d in bundle.destinations.values() for m in d.models)}
    site = replace(bundle.site, bind=(), prefer=aliases, flags=flags, flag_approvals=(), overrides=overrides)
    in_force = {name: replace(regime, effective=EPOCH) for name, regime in bundle.regimes.items()}
    return Plan(replace(bundle, apps={stage.name: stage}, site=site, effective=EPOCH, regimes=in_force), stage)


def facts_of(cell: Cell, domain: Domain, now: datetime) -> Facts:
    """Return the facts that a cell stands for."""
    return Facts(
        app=APP,
        found=tuple(domain.classes[name] for name in sorted(cell.found)),
        complete=not cell.incomplete,
        attachments=Attachments.UNCLEANED if cell.uncleaned else Attachments.NONE,
        model=ALIAS,
        needs=frozenset(),
        now=now,
        tags=cell.tags,
        purpose=cell.purpose,
    )


def forms(
    plan: Plan, cell: Cell, domain: Domain, now: datetime, *, broken: frozenset[str] = frozenset()
) -> dict[str, Form]:
    """Return the form per destination that a bundle gives a cell: the part of `decide` that strictness is about."""
    facts = facts_of(cell, domain, now)
    epoch = plan.at(now, facts.endpoint)
    return forms_of(plan, settle(plan, epoch, facts, ask(plan, epoch, facts, []), broken))
