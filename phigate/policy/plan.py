"""What of a decision does not depend on the request: compiled once per bundle and app, and per stretch of time.

Between two instants at which a paper begins or ends, a regime takes effect or an override expires, nothing but the
request matters. Destinations and models become bits of a mask, so that a rule's reach is one number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from phigate.errors import RefusedError
from phigate.finding import ENTITY_TABLE, EntityClass, EntityType
from phigate.policy.bundle import App, Attestation, Bundle, Destination, Model, Override, Regime, Rule, Site, To
from phigate.policy.decision import DestinationKind, Operator, Reason, Residual, Thresholds
from phigate.policy.operators import join
from phigate.policy.words import ENDPOINTS, LANGUAGES

Counts = bool | Operator  # whether a finding of a type counts as PHI; an operator: unless it leaves the value unchanged


@dataclass(frozen=True, slots=True)
class Pair:
    """One model at one destination, and its bit in the masks."""

    destination: Destination
    model: Model
    bit: int


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its words as sets, its site flag resolved, and the pairs that a permit accepts as a mask."""

    rule: Rule
    regime: str
    permit: bool
    phi: str
    purposes: frozenset[str]
    tags: frozenset[str]
    types: frozenset[EntityType | str]
    attachments: bool
    detection: bool
    flag: bool
    raw: bool
    accept: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class CompiledRegime:
    """One regime as one app meets it now."""

    regime: Regime
    in_force: bool
    counts: Mapping[EntityType | str, Counts]
    permits: tuple[CompiledRule, ...]
    limits: tuple[CompiledRule, ...]
    no_permit: Reason
    not_effective: Reason


@dataclass(frozen=True, slots=True)
class Epoch:
    """All that holds for one app at one endpoint between two instants."""

    regimes: tuple[CompiledRegime, ...]
    thresholds: Thresholds
    operators: Mapping[EntityType, Operator]
    limits: tuple[tuple[str, Reason], ...]  # of overrides: mode and reason
    overrides: tuple[str, ...]
    override_reasons: tuple[Reason, ...]
    known: frozenset[EntityType | str]  # types that every regime has a row for


class Plan:
    """One bundle for one app."""

    def __init__(self, bundle: Bundle, app: App) -> None:
        self.bundle = bundle
        self.app = app
        self.regimes = tuple(bundle.regimes[name] for name in sorted(regimes_of(bundle, app)))
        self.overrides = tuple(o for o in bundle.site.overrides if _matches(o.match_tenant, o.match_app, app))
        self.pairs = _pairs(bundle)
        self.external = {
            d.id: sum(p.bit for p in self.pairs.values() if p.destination is d)
            for d in bundle.destinations.values()
            if d.kind is DestinationKind.EXTERNAL
        }
        self.onprem = tuple(d for d in bundle.destinations.values() if d.kind is DestinationKind.ONPREM)
        self.residual = Residual(
            factor=min(r.residual.factor for r in self.regimes),
            max_quasi_types=min(r.residual.max_quasi_types for r in self.regimes),
            readers=frozenset().union(*(r.residual.readers for r in self.regimes)),
        )
        self.versions = tuple((r.id, r.version) for r in self.regimes)
        self._instants = sorted(set(_instants(bundle, self.regimes, self.overrides)))
        self._epochs: dict[tuple[int, str], Epoch] = {}

    def at(self, now: datetime, endpoint: str) -> Epoch:
        """Return what holds now; computed at the first request after each instant."""
        key = (bisect_right(self._instants, now), endpoint)
        epoch = self._epochs.get(key)
        if epoch is None:
            epoch = self._epochs[key] = self._compile(now, endpoint)
        return epoch

    def _compile(self, now: datetime, endpoint: str) -> Epoch:
        live = tuple(o for o in self.overrides if not o.widen or (o.expires is not None and now < o.expires))
        lifted = {rule for o in live for rule in o.lift}
        accepted = {o.accept_rule: o.accept for o in live if o.accept is not None}
        reasons = tuple(_override_reason(o) for o in live)
        return Epoch(
            regimes=tuple(self._regime(r, now, endpoint, lifted, accepted) for r in self.regimes),
            thresholds=_thresholds(self.regimes, live),
            operators=MappingProxyType(_operators(self.regimes, live)),
            limits=tuple((o.limit, reason) for o, reason in zip(live, reasons, strict=True) if o.limit),
            overrides=tuple(sorted(o.id for o in live)),
            override_reasons=tuple(reason for o, reason in zip(live, reasons, strict=True) if not o.limit),
            known=frozenset(t for t in EntityType if all(t in r.entities for r in self.regimes)),
        )

    def _regime(
        self, regime: Regime, now: datetime, endpoint: str, lifted: set[str], accepted: Mapping[str, To]
    ) -> CompiledRegime:
        rules = [
            self._rule(regime, rule, accepted.get(rule.id), now, endpoint)
            for rule in regime.rules
            if rule.id not in lifted or rule.floor
        ]
        return CompiledRegime(
            regime=regime,
            in_force=regime.effective <= now and self.bundle.effective <= now,
            counts=MappingProxyType({t: _counts(regime, t) for t in EntityType}),
            permits=tuple(r for r in rules if r.rule.effect == "permit"),
            limits=tuple(r for r in rules if r.rule.effect == "limit"),
            no_permit=Reason(regime.id, "default", "default", "block" if regime.default_block else "no", ""),
            not_effective=Reason(regime.id, "not_effective", "default", "no", ""),
        )

    def _rule(self, regime: Regime, rule: Rule, wider: To | None, now: datetime, endpoint: str) -> CompiledRule:
        when = rule.when
        accept = 0
        if rule.effect == "permit":
            for pair in self.pairs.values():
                if pair.destination.kind is DestinationKind.EXTERNAL and (
                    accepts(rule.to, pair, regime, now=now, endpoint=endpoint)
                    or (wider is not None and accepts(wider, pair, regime, now=now, endpoint=endpoint))
                ):
                    accept |= pair.bit
        return CompiledRule(
            rule=rule,
            regime=regime.id,
            permit=rule.effect == "permit",
            phi=when.phi,
            purposes=frozenset(when.purpose_in),
            tags=frozenset(when.tag_any),
            types=frozenset(when.finding_any),
            attachments=bool(when.attachments),
            detection=bool(when.detection),
            flag=not when.site_flag or when.site_flag in flags_on(self.bundle.site, now),
            raw=rule.mode == "send_raw",
            accept=accept,
            reason=Reason(regime.id, rule.id, rule.effect, _DEMANDS[rule.mode], rule.cite),
        )


_DEMANDS: Final = {"send_raw": "raw", "send_scrubbed": "scrubbed", "keep_onprem": "keep_onprem", "block": "block"}


# Plans of the bundles last asked for. A bundle is held beside its plans, so no other can take its identity.
_RECENT: Final[list[tuple[Bundle, dict[str, Plan]]]] = []
_KEPT: Final = 8


def plan_of(bundle: Bundle, app: str) -> Plan:
    """Return the plan of one app. Raises `RefusedError` when the bundle registers no such app."""
    plans = next((plans for known, plans in _RECENT if known is bundle), None)
    if plans is None:
        plans = {}
        _RECENT.insert(0, (bundle, plans))
        del _RECENT[_KEPT:]
    plan = plans.get(app)
    if plan is None:
        registered = bundle.apps.get(app)
        if registered is None:
            raise RefusedError("the signed policy registers no app for this key", code="app_not_registered")
        plan = plans[app] = Plan(bundle, registered)
    return plan


def regimes_of(bundle: Bundle, app: App) -> frozenset[str]:
    """Return the regimes that bind an app: its own and those of all matching rows; without any, every regime."""
    bound = set(app.regimes or ())
    for bind in bundle.site.bind:
        if _matches(bind.tenant, bind.app, app):
            bound |= bind.regimes
    return frozenset(bound) or frozenset(bundle.regimes)


def detection_floor(bundle: Bundle) -> float:
    """Return the lowest threshold that any app of the bundle knows at any time: what detection must deliver."""
    lowest = [threshold for o in bundle.site.overrides for threshold in o.threshold.values()]
    lowest += [_thresholds(plan_of(bundle, app).regimes, ()).floor for app in bundle.apps]
    return min(lowest, default=0.0)


def valid(paper: Attestation, *, model: str, endpoint: str, now: datetime) -> bool:
    """Return whether a paper speaks for this model at this endpoint now; expired, revoked, unsigned are absent."""
    if paper.revoked or not paper.signed <= now < paper.expires:
        return False
    return covers(paper, model=model, endpoint=endpoint)


def covers(paper: Attestation, *, model: str, endpoint: str) -> bool:
    """Return whether the paper names the endpoint and the model; naming only one kind speaks for all of the other."""
    if "*" in paper.covers:
        return True
    endpoints = [word for word in paper.covers if word in ENDPOINTS]
    models = [word for word in paper.covers if word not in ENDPOINTS]
    return bool(paper.covers) and (not endpoints or endpoint in endpoints) and (not models or model in models)


def accepts(to: To, pair: Pair, regime: Regime, *, now: datetime, endpoint: str) -> bool:
    """Return whether a permit's ``to`` accepts this model at this destination now."""
    if to.any:
        return True
    papers = {
        paper.kind
        for paper in pair.destination.attest
        if valid(paper, model=pair.model.name, endpoint=endpoint, now=now)
    }
    if not to.has or not papers.issuperset(to.has):
        return False
    return not to.transfer_ok or _transfer_ok(regime, pair.destination.country, papers)


def _transfer_ok(regime: Regime, country: str, papers: set[str]) -> bool:
    transfer = regime.transfer
    if transfer is None:
        return False
    if country and (country in transfer.free or country in transfer.adequate):
        return True
    return any(paper in papers for paper in transfer.else_any)


def _pairs(bundle: Bundle) -> dict[tuple[str, str], Pair]:
    pairs: dict[tuple[str, str], Pair] = {}
    for destination in bundle.destinations.values():
        for model in destination.models:
            pairs[destination.id, model.name] = Pair(destination, model, 1 << len(pairs))
    return pairs


def _matches(tenant: str, app_name: str, app: App) -> bool:
    """Return whether every pattern that is given matches; none given matches nothing."""
    if not tenant and not app_name:
        return False
    return (not tenant or fnmatchcase(app.tenant, tenant)) and (not app_name or fnmatchcase(app.name, app_name))


def flags_on(site: Site, now: datetime) -> frozenset[str]:
    """Return the site flags that are on now: an approval that ended switches its flag off."""
    return site.flags - {approval.flag for approval in site.flag_approvals if approval.expires <= now}


def _instants(bundle: Bundle, regimes: tuple[Regime, ...], overrides: tuple[Override, ...]) -> Iterator[datetime]:
    yield bundle.effective
    for regime in regimes:
        yield regime.effective
    for override in overrides:
        if override.expires is not None:
            yield override.expires
    for approval in bundle.site.flag_approvals:
        yield approval.expires
    for destination in bundle.destinations.values():
        for paper in destination.attest:
            yield paper.signed
            yield paper.expires


def _counts(regime: Regime, entity_type: EntityType) -> Counts:
    row = regime.entities.get(entity_type)
    if row is None:
        return True  # unknown to the regime: direct
    if row.entity_class is EntityClass.OPERATIONAL:
        return False
    return row.operator if row.entity_class is EntityClass.QUASI else True


def _operators(regimes: tuple[Regime, ...], overrides: tuple[Override, ...]) -> dict[EntityType, Operator]:
    operators = {}
    for entity_type, row in ENTITY_TABLE.items():
        asked = [
            rule.operator if (rule := regime.entities.get(entity_type)) is not None else Operator.REDACT
            for regime in regimes
        ]
        tighter = [o.transform[entity_type] for o in overrides if entity_type in o.transform and not o.widen]
        wider = [o.transform[entity_type] for o in overrides if entity_type in o.transform and o.widen]
        operators[entity_type] = join(row.family, [*(wider or asked), *tighter])
    return operators


def _thresholds(regimes: tuple[Regime, ...], overrides: tuple[Override, ...]) -> Thresholds:
    table: dict[tuple[EntityType, str], float] = {}
    for entity_type in EntityType:
        tighter = [o.threshold[entity_type] for o in overrides if entity_type in o.threshold and not o.widen]
        wider = [o.threshold[entity_type] for o in overrides if entity_type in o.threshold and o.widen]
        for lang in LANGUAGES:
            asked = wider or [_asked(regime, entity_type, lang) for regime in regimes]
            table[entity_type, lang] = min([*asked, *tighter])
        # A language that nobody is sure of gets the lowest of all (decisions 6).
        table[entity_type, ""] = min(table[entity_type, lang] for lang in LANGUAGES)
    return Thresholds(MappingProxyType(table), min(table.values()))


def _asked(regime: Regime, entity_type: EntityType, lang: str) -> float:
    row = regime.entities.get(entity_type)
    if row is None:
        return 0.0  # a type without a row: any finding of it counts
    return row.thresholds.get(lang, row.thresholds.get("", 0.0))


def _override_reason(override: Override) -> Reason:
    demands = override.limit or ("wider" if override.widen else "tighter")
    return Reason("site", override.id, "override", demands, override.ticket)
