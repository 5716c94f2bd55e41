"""Settings that changed between two bundles and that no cell shows: rows, papers, lists, aliases, apps, knobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, TypeVar

from phigate.finding import ENTITY_TABLE, EntityClass, EntityType
from phigate.policy.bundle import App, Attestation, Bundle, DateShift, Destination, EntityRule, Regime, Site
from phigate.policy.decision import DestinationKind
from phigate.policy.operators import looser
from phigate.policy.words import LANGUAGES

T = TypeVar("T")
# Direct and special act alike; quasi may be left unchanged; operational never counts.
_RANK: Final = {
    EntityClass.OPERATIONAL: 0,
    EntityClass.QUASI: 1,
    EntityClass.SPECIAL: 2,
    EntityClass.DIRECT: 2,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, before and after, and whether it is less strict now."""

    where: str
    before: str
    after: str
    loosens: bool

    def says(self) -> str:
        """Return the change in words."""
        return f"{self.where}: {self.before or 'none'} -> {self.after or 'none'}"


def changes(before: Bundle, after: Bundle) -> Iterator[Change]:
    """Yield every change of settings, loosening or not."""
    for name, old, new in _pairs(before.regimes, after.regimes):
        if old is None or new is None:
            # A regime that goes away loosens only for the apps it bound; the cells of those apps say so.
            yield Change(f"regime {name}", _there(old), _there(new), loosens=False)
        else:
            yield from _regime(old, new)
    for name, old_d, new_d in _pairs(before.destinations, after.destinations):
        yield from _destination(name, old_d, new_d)
    yield from _site(before.site, after.site, before, after)
    yield from _detector(before, after)
    for name, old_a, new_a in _pairs(before.apps, after.apps):
        yield from _app(name, old_a, new_a)


def _pairs(old: Mapping[str, T], new: Mapping[str, T]) -> Iterator[tuple[str, T | None, T | None]]:
    for name in sorted(old.keys() | new.keys()):
        yield name, old.get(name), new.get(name)


def _there(value: object) -> str:
    return "" if value is None else "present"


def _value(where: str, old: object, new: object, *, loosens: bool) -> Iterator[Change]:
    if old != new:
        yield Change(where, str(old), str(new), loosens)


def _set(where: str, old: Iterable[str], new: Iterable[str], *, more_is_looser: bool) -> Iterator[Change]:
    """Compare two sets of words, of which more, or fewer, is less strict."""
    was, now = frozenset(old), frozenset(new)
    if was != now:
        grown, shrunk = now - was, was - now
        loosens = bool(grown if more_is_looser else shrunk)
        yield Change(where, ", ".join(sorted(shrunk)), ", ".join(sorted(grown)), loosens)


def _regime(old: Regime, new: Regime) -> Iterator[Change]:
    where = old.id
    for entity_type in EntityType:
        yield from _row(
            f"{where} {entity_type.value}", entity_type, old.entities.get(entity_type), new.entities.get(entity_type)
        )
    yield from _value(f"{where} method", old.method, new.method, loosens=old.method == "safe_harbor")
    yield from _value(f"{where} version", old.version, new.version, loosens=False)
    yield from _value(f"{where} effective", old.effective, new.effective, loosens=new.effective < old.effective)
    factors = (old.residual.factor, new.residual.factor)
    yield from _value(f"{where} residual.factor", *factors, loosens=factors[1] > factors[0])
    quasi = (old.residual.max_quasi_types, new.residual.max_quasi_types)
    yield from _value(f"{where} residual.max_quasi_types", *quasi, loosens=quasi[1] > quasi[0])
    yield from _set(f"{where} residual.reader", old.residual.readers, new.residual.readers, more_is_looser=False)
    days = (old.retention_days, new.retention_days)
    yield from _value(f"{where} retention.min_days", *days, loosens=days[1] < days[0])
    yield from _value(f"{where} zip3", old.zip3, new.zip3, loosens=old.zip3.endswith("union"))
    yield from _date_shift(f"{where} date_shift", old.date_shift or DateShift(), new.date_shift or DateShift())
    yield from _value(f"{where} default", old.default_block, new.default_block, loosens=old.default_block)
    for rule, duties, kept in _pairs(_duties(old), _duties(new)):
        yield from _set(f"{where} {rule} obligations", duties or (), kept or (), more_is_looser=False)
    yield from _set(f"{where} floors", _floors(old), _floors(new), more_is_looser=False)


def _date_shift(where: str, old: DateShift, new: DateShift) -> Iterator[Change]:
    yield from _value(f"{where}.range_days", old.days, new.days, loosens=new.days < old.days)
    yield from _value(f"{where}.keep_weekday", old.weekday, new.weekday, loosens=new.weekday)
    yield from _value(f"{where}.fallback_to_year", old.or_year, new.or_year, loosens=new.or_year)


def _duties(regime: Regime) -> dict[str, tuple[str, ...]]:
    return {rule.id: rule.obligations for rule in regime.rules if rule.effect == "permit"}


def _floors(regime: Regime) -> list[str]:
    return [rule.id for rule in regime.rules if rule.floor]


def _row(where: str, entity_type: EntityType, old: EntityRule | None, new: EntityRule | None) -> Iterator[Change]:
    if old is None or new is None:
        if old is not new:  # without a row a type is direct and redacted: a new row can only be looser
            yield Change(where, _there(old), _there(new), loosens=old is None)
        return
    family = ENTITY_TABLE[entity_type].family
    operators = (old.operator, new.operator)
    yield from _value(f"{where} operator", *operators, loosens=looser(family, new.operator, old.operator))
    ranks = (_RANK[old.entity_class], _RANK[new.entity_class])
    yield from _value(f"{where} class", old.entity_class, new.entity_class, loosens=ranks[1] < ranks[0])
    for lang in ("", *(each for each in LANGUAGES if each in old.thresholds or each in new.thresholds)):
        was, now = (row.thresholds.get(lang, row.thresholds.get("", 0.0)) for row in (old, new))
        yield from _value(f"{where} threshold {lang or 'default'}", was, now, loosens=now > was)


def _destination(name: str, old: Destination | None, new: Destination | None) -> Iterator[Change]:
    where = f"destination {name}"
    if old is None or new is None:
        yield Change(where, _there(old), _there(new), loosens=old is None)
        return
    for key in ("kind", "endpoint", "provider", "country", "region", "legal_name", "pinned_ca_digest"):
        # Another machine, company or country is not looser in any cell, and nobody should miss it.
        yield from _value(f"{where} {key}", getattr(old, key), getattr(new, key), loosens=True)
    yield from _value(f"{where} region_pinned", old.region_pinned, new.region_pinned, loosens=old.region_pinned)
    yield from _set(f"{where} replicas", old.replicas, new.replicas, more_is_looser=True)
    yield from _set(f"{where} models", _names(old), _names(new), more_is_looser=True)
    yield from _set(f"{where} fields", old.fields, new.fields, more_is_looser=True)
    yield from _set(f"{where} covers", old.covers, new.covers, more_is_looser=True)
    for kind, was, now in _pairs({p.kind: p for p in old.attest}, {p.kind: p for p in new.attest}):
        yield from _paper(f"{where} {kind}", was, now)


def _names(destination: Destination) -> list[str]:
    return [model.name for model in destination.models]


def _paper(where: str, old: Attestation | None, new: Attestation | None) -> Iterator[Change]:
    if old is None or new is None:
        yield Change(where, _there(old), _there(new), loosens=old is None)
        return
    yield from _value(f"{where} signed", old.signed, new.signed, loosens=new.signed < old.signed)
    yield from _value(f"{where} expires", old.expires, new.expires, loosens=new.expires > old.expires)
    yield from _value(f"{where} revoked", old.revoked, new.revoked, loosens=old.revoked)
    yield from _value(f"{where} doc", old.doc, new.doc, loosens=False)
    yield from _set(f"{where} covers", old.covers, new.covers, more_is_looser=True)


def _site(old: Site, new: Site, before: Bundle, after: Bundle) -> Iterator[Change]:
    for alias, was, now in _pairs(old.prefer, new.prefer):
        loosens = _outside_first(now or (), after) > _outside_first(was or (), before)
        yield from _value(f"alias {alias}", _route(was), _route(now), loosens=loosens)
    yield from _set("flags on", old.flags, new.flags, more_is_looser=True)
    yield from _set("tags", old.tags, new.tags, more_is_looser=False)
    yield from _set("restore_in_urls", old.restore_in_urls, new.restore_in_urls, more_is_looser=True)
    yield from _value("reply", old.reply, new.reply, loosens=old.reply == "hold")
    stale = (old.max_stale_hours, new.max_stale_hours)
    yield from _value("max_stale_hours", *stale, loosens=stale[1] > stale[0])
    glass = [
        [f"{f.name} {_words(getattr(g, f.name))}" for f in fields(g) if f.name != "line"] if g is not None else []
        for g in (old.break_glass, new.break_glass)
    ]
    yield from _set("break_glass", glass[0], glass[1], more_is_looser=True)
    yield from _set("context_keys", _kids(old), _kids(new), more_is_looser=True)
    yield from _set("binds", _binds(old), _binds(new), more_is_looser=False)
    overrides = [{o.id: str(o) for o in site.overrides} for site in (old, new)]
    for name, was_o, now_o in _pairs(overrides[0], overrides[1]):
        widens = any(o.id == name and o.widen for o in new.overrides)
        if was_o is None or now_o is None or was_o != now_o:
            loosens = widens or now_o is None
            yield Change(f"override {name}", _there(was_o), _there(now_o), loosens)


def _words(value: object) -> str:
    return " ".join(sorted(value)) if isinstance(value, (frozenset, tuple)) else str(value)


def _kids(site: Site) -> list[str]:
    return [f"{key.kid} {key.key.hex()} {' '.join(sorted(key.apps))}" for key in site.context_keys]


def _binds(site: Site) -> list[str]:
    return [f"tenant {b.tenant or '*'} app {b.app or '*'}: {' '.join(sorted(b.regimes))}" for b in site.bind]


def _route(pairs: tuple[tuple[str, str], ...] | None) -> str:
    return ", ".join(f"{destination}/{model}" for destination, model in pairs or ())


def _outside_first(pairs: tuple[tuple[str, str], ...], bundle: Bundle) -> int:
    """Return how many destinations outside an alias tries before the first in the house."""
    count = 0
    for destination, _ in pairs:
        if bundle.destinations[destination].kind is DestinationKind.ONPREM:
            break
        count += 1
    return count


def _detector(before: Bundle, after: Bundle) -> Iterator[Change]:
    old, new = before.detector, after.detector
    yield from _value("detector.knob", old.knob, new.knob, loosens=old.knob == "recall")
    yield from _set("detector.allow", old.allow, new.allow, more_is_looser=True)
    yield from _set("detector.deny", old.deny, new.deny, more_is_looser=False)
    yield from _value("detector.custom", len(old.custom), len(new.custom), loosens=bool(old.custom))
    yield from _value(
        "detector.detector_down", old.detector_down, new.detector_down, loosens=old.detector_down == "refuse"
    )
    yield from _value("detector.part_timeout_s", old.part_timeout_s, new.part_timeout_s, loosens=False)


def _app(name: str, old: App | None, new: App | None) -> Iterator[Change]:
    where = f"app {name}"
    if old is None or new is None:
        yield Change(where, _there(old), _there(new), loosens=old is None)
        return
    yield from _set(f"{where} tags", old.tags, new.tags, more_is_looser=False)
    yield from _value(f"{where} tags_required", old.tags_required, new.tags_required, loosens=old.tags_required)
    yield from _value(f"{where} tenant", old.tenant, new.tenant, loosens=True)
    yield from _value(f"{where} purpose", old.purpose, new.purpose, loosens=True)
    yield from _value(f"{where} default_alias", old.default_alias, new.default_alias, loosens=False)
    yield from _value(f"{where} strict_models", old.strict_models, new.strict_models, loosens=old.strict_models)
    yield from _value(f"{where} limits", old.limits, new.limits, loosens=False)
    if (old.aliases is None) != (new.aliases is None):
        yield Change(f"{where} aliases", str(old.aliases or "all"), str(new.aliases or "all"), new.aliases is None)
    else:
        yield from _set(f"{where} aliases", old.aliases or (), new.aliases or (), more_is_looser=True)
