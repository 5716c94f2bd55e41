"""The lint checks that walk the abstract domain: rules that never act, combinations that never reach outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle, Regime
from phigate.policy.decision import DestinationKind, Form
from phigate.policy.diff import looser_cells
from phigate.policy.domain import Cell, domain_of, facts_of, forms, staged
from phigate.policy.plan import Plan, regimes_of
from phigate.policy.site_file import FILE as SITE_FILE
from phigate.policy.weigh import ask, weigh


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the checks know beside the files: the day, languages, the detector's measurements, the version in force.

    ``finds`` names the languages in which each type is found; ``calibrated`` the highest threshold per type and
    language at which recall was measured to hold. ``shadow_since`` is the day from which a shadow bundle runs.
    """

    now: datetime
    languages: frozenset[str] = frozenset()
    finds: Mapping[EntityType, frozenset[str]] | None = None
    calibrated: Mapping[tuple[EntityType, str], float] = field(default_factory=dict)
    previous: Bundle | None = None
    shadow_since: datetime | None = None


Problem = tuple[str, str, str, int]  # code, problem, file, line
Check = Callable[[Bundle, Outlook], Iterator[Problem]]


def bound_together(bundle: Bundle) -> tuple[frozenset[str], ...]:
    """Return each set of regimes that binds some app, once."""
    return tuple(sorted({regimes_of(bundle, app) for app in bundle.apps.values()}, key=sorted))


def _idle_rules(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    for regime in bundle.regimes.values():
        matched, opened = _walk(bundle, regime, outlook.now)
        for rule in regime.rules:
            if rule.id not in matched:
                yield "PG030", f"{rule.id}: no request matches it", regime.file, rule.line
            elif rule.effect == "permit" and rule.id not in opened:
                yield "PG031", f"{rule.id}: wherever it matches, a limit closes", regime.file, rule.line


def _walk(bundle: Bundle, regime: Regime, now: datetime) -> tuple[set[str], set[str]]:
    """Return the rules that some answerable request matches, and the permits that some of them leaves in effect."""
    domain = domain_of(bundle, regimes=[frozenset({regime.id})])
    rules = {rule.id for rule in regime.rules}
    permits = {rule.id for rule in regime.rules if rule.effect == "permit"}
    matched: set[str] = set()
    opened: set[str] = set()
    plans: dict[frozenset[str], Plan] = {}
    # All flags on comes first: there most rules match, and the walk ends early.
    for cell in replace(domain, flags=domain.flags[::-1]).cells():
        if matched >= rules and opened >= permits:
            break
        if cell.tags is None or cell.purpose is None:
            continue  # a limit that only an error matches says nothing of its own
        plan = plans.get(cell.flags) or plans.setdefault(cell.flags, staged(bundle, cell.regimes, cell.flags))
        epoch = plan.at(now, "chat")
        verdict = weigh(epoch.regimes[0], ask(plan, epoch, facts_of(cell, domain, now), []), frozenset())
        matched.update(rule.rule.id for rule in (*verdict.matching, *verdict.limits))
        if not any(limit.rule.mode != "send_scrubbed" for limit in verdict.limits):
            opened.update(rule.rule.id for rule in verdict.matching)
    return matched, opened


def _no_door(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    for names in bound_together(bundle):
        domain = domain_of(bundle, regimes=[names])
        cell = Cell(names, frozenset(), frozenset(), frozenset(), "treatment", uncleaned=False, incomplete=False)
        found = forms(staged(bundle, names, frozenset()), cell, domain, outlook.now)
        outside = [found[d.id] for d in bundle.destinations.values() if d.id in _outside(bundle)]
        if all(form is Form.NO for form in outside):
            apps = ", ".join(sorted(a.name for a in bundle.apps.values() if regimes_of(bundle, a) == names))
            yield "PG051", f"{' + '.join(sorted(names))} leaves {apps} no model outside", SITE_FILE, 1


def _outside(bundle: Bundle) -> set[str]:
    return {d.id for d in bundle.destinations.values() if d.kind is DestinationKind.EXTERNAL}


def _unexplained(bundle: Bundle, outlook: Outlook) -> Iterator[Problem]:
    previous = outlook.previous
    if previous is None:
        return
    for regime in bundle.regimes.values():
        if regime.id not in previous.regimes or regime.version in regime.changelog:
            continue
        cells = looser_cells(previous, bundle, now=outlook.now, regimes=[frozenset({regime.id})])
        first = next(cells, None)
        if first is not None:
            yield "PG043", f"{regime.id}@{regime.version} is looser: {first.says()}", regime.file, 1


CELL_CHECKS: Final[tuple[Check, ...]] = (_idle_rules, _no_door, _unexplained)
