"""Why a decision is what it is: every finding, every rule that matched or did not, every demand per destination.

Built from the same functions that decide, so it cannot say something else. Holds types, scores and rule ids; no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phigate.finding import ENTITY_TABLE, EntityType
from phigate.policy.bundle import Bundle, Regime
from phigate.policy.decide import decide, forms_of, mode_for, settle
from phigate.policy.decision import Decision, DestinationKind, Facts, Form, Found, Mode
from phigate.policy.plan import CompiledRegime, CompiledRule, Epoch, Pair, Plan, accepts, plan_of, valid
from phigate.policy.weigh import Question, Verdict, ask, conditions, exists, has_phi, matches, weigh


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One group of findings: whether it counts at all, in which regimes it is PHI, and what is done to it."""

    entity_type: str
    lang: str
    count: int
    score: float
    threshold: float
    counts: bool  # at or above the threshold
    classes: Mapping[str, str]  # by regime; "direct" where the regime has no row
    phi_in: tuple[str, ...]
    operator: str
    detected: bool  # whether any recognizer finds this type at all


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: whether it matched (None: it could not be answered), each condition, and whom a permit accepts."""

    regime: str
    rule: str
    effect: str
    mode: str
    floor: bool
    cite: str
    matched: bool | None
    conditions: tuple[tuple[str, bool | None], ...]  # in words, and whether each holds
    accepts: tuple[str, ...]
    lacks: Mapping[str, tuple[str, ...]]  # destination -> papers or transfer tool that it lacks for this permit


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination: what each regime demands of it, and what the combination gives."""

    destination: str
    kind: str
    demands: Mapping[str, str]
    form: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it, beside the decision."""

    decision: Decision
    mode: Mode
    findings: tuple[FindingRow, ...]
    rules: tuple[RuleRow, ...]
    destinations: tuple[DestinationRow, ...]


def explain(bundle: Bundle, facts: Facts) -> Explanation:
    """Return the reasons of `decide` in full. Raises what `decide` raises."""
    decision = decide(bundle, facts)
    plan = plan_of(bundle, facts.app)
    epoch = plan.at(facts.now, facts.endpoint)
    question = ask(plan, epoch, facts, [])
    verdicts = {c.regime.id: (c, weigh(c, question, frozenset())) for c in epoch.regimes}
    return Explanation(
        decision=decision,
        mode=mode_for(decision, decision.candidates[0]) if decision.candidates else decision.mode,
        findings=tuple(_finding(found, epoch) for found in facts.found),
        rules=tuple(
            _rule(plan, compiled, rule, question, verdict, facts)
            for compiled, verdict in verdicts.values()
            for rule in (*compiled.permits, *compiled.limits)
        ),
        destinations=tuple(_destinations(plan, epoch, facts, question, decision)),
    )


def _finding(found: Found, epoch: Epoch) -> FindingRow:
    kind = found.entity_type
    known = kind if isinstance(kind, EntityType) else None
    threshold = epoch.thresholds.of(known, found.lang) if known is not None else 0.0
    counts = exists(found, epoch.thresholds)
    return FindingRow(
        entity_type=str(kind),
        lang=found.lang,
        count=len(found.scores),
        score=max(found.scores, default=0.0),
        threshold=threshold,
        counts=counts,
        classes={c.regime.id: _class(c.regime, known) for c in epoch.regimes},
        phi_in=tuple(c.regime.id for c in epoch.regimes if counts and has_phi(c, (found,))),
        operator=epoch.operators[known].value if known is not None else "redact",
        detected=known is not None and ENTITY_TABLE[known].recognizer != "none",
    )


def _class(regime: Regime, entity_type: EntityType | None) -> str:
    row = regime.entities.get(entity_type) if entity_type is not None else None
    return row.entity_class.value if row is not None else "direct"


def _rule(
    plan: Plan, compiled: CompiledRegime, rule: CompiledRule, question: Question, verdict: Verdict, facts: Facts
) -> RuleRow:
    external = [p for p in plan.pairs.values() if p.destination.kind is DestinationKind.EXTERNAL]
    refused = [p for p in external if not rule.accept & p.bit] if rule.permit else []
    return RuleRow(
        regime=rule.regime,
        rule=rule.rule.id,
        effect=rule.rule.effect,
        mode=rule.rule.mode,
        floor=rule.rule.floor,
        cite=rule.rule.cite,
        matched=matches(rule, question, phi=verdict.phi, broken=frozenset()),
        conditions=tuple((_asked(rule, key), held) for key, held in conditions(rule, question, phi=verdict.phi)),
        accepts=tuple(_name(p) for p in external if rule.accept & p.bit),
        lacks={_name(p): _lacks(compiled.regime, rule, p, facts) for p in refused},
    )


def _asked(rule: CompiledRule, key: str) -> str:
    """Return one condition in words, with what it asks for."""
    when = rule.rule.when
    words = {
        "phi": "nothing identifying was found" if when.phi == "none" else "something identifying may be in it",
        "purpose_in": f"the purpose is {' or '.join(when.purpose_in)}",
        "tag_any": f"it is tagged {' or '.join(when.tag_any)}",
        "finding_any": f"it holds {' or '.join(when.finding_any)}",
        "attachments": "data stands in it that nothing can read",
        "detection": "a part could not be read",
        "site_flag": f"the site flag {when.site_flag} is on",
    }
    return words[key]


def _name(pair: Pair) -> str:
    return f"{pair.destination.id}/{pair.model.name}"


def _lacks(regime: Regime, rule: CompiledRule, pair: Pair, facts: Facts) -> tuple[str, ...]:
    """Return the papers that a permit asks for and that are absent now, expired or not covering the model."""
    held = {
        p.kind
        for p in pair.destination.attest
        if valid(p, model=pair.model.name, endpoint=facts.endpoint, now=facts.now)
    }
    lacking = [kind for kind in rule.rule.to.has if kind not in held]
    if not lacking and not accepts(rule.rule.to, pair, regime, now=facts.now, endpoint=facts.endpoint):
        lacking = ["transfer mechanism"]
    return tuple(lacking)


def _destinations(
    plan: Plan, epoch: Epoch, facts: Facts, question: Question, decision: Decision
) -> list[DestinationRow]:
    """Return what each regime alone would give each destination: the regimes are asked one by one."""
    alone: dict[str, dict[str, Form]] = {}
    for compiled in epoch.regimes:
        single = Epoch(
            (compiled,), epoch.thresholds, epoch.operators, (), (), (), epoch.known
        )  # overrides speak for the site, not for a regime
        alone[compiled.regime.id] = forms_of(plan, settle(plan, single, facts, question))
    return [
        DestinationRow(
            destination=name,
            kind=plan.bundle.destinations[name].kind.value,
            demands={regime: found[name].name.lower() for regime, found in alone.items()},
            form=form.name.lower(),
        )
        for name, form in decision.forms.items()
    ]
