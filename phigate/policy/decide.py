"""A bundle and facts to a decision: order-free, default-deny, three-valued, strictest regime wins (docs/policy.md).

For each destination outside, each regime gives the least form among its matching permits, else no; its limits then
only tighten. Regimes combine by the stricter form. A condition that cannot be answered is an error: the permit does
not match, the limit does. A permit that names PHI covers a request in which none was found, so that one finding more
can never open a door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from phigate.errors import InvalidRequestError, NotServedError
from phigate.finding import EntityType
from phigate.policy.bundle import App, Bundle, Destination
from phigate.policy.decision import (
    Candidate,
    Decision,
    DestinationKind,
    Facts,
    Form,
    Found,
    Hold,
    Mode,
    Operator,
    Reason,
    Thresholds,
)
from phigate.policy.plan import CompiledRegime, CompiledRule, Epoch, Plan, plan_of
from phigate.policy.words import PURPOSES
from phigate.wire.parts import Attachments, Need

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """A request as rules see it. ``purpose`` and ``tags`` are None where they are missing or unknown: an error."""

    existing: tuple[Found, ...]
    types: frozenset[EntityType | str]
    unseen: bool  # incomplete detection or an uncleaned attachment: counts as PHI everywhere
    incomplete: bool
    uncleaned: bool
    purpose: str | None
    tags: frozenset[str] | None


@dataclass(slots=True)
class Verdict:
    """What one regime says: pairs it lets receive raw or scrubbed, how far its limits go, and which rules spoke."""

    phi: bool
    raw: int
    scrubbed: int
    permits: list[CompiledRule]
    limits: list[CompiledRule]
    silent: bool = False


def decide(bundle: Bundle, facts: Facts, *, broken: frozenset[str] = NOTHING) -> Decision:
    """Return what may happen to one exchange, and why.

    Raises `RefusedError` for an app that the bundle does not register, `NotServedError` for a model that it cannot
    resolve, `InvalidRequestError` for a need that no model within reach can honour. Rules in ``broken`` behave as if
    they raised: inline tests and the shipped property use it.
    """
    plan = plan_of(bundle, facts.app)
    alias = resolve(bundle, plan.app, facts.model)
    epoch = plan.at(facts.now, facts.endpoint)
    flags: list[str] = []
    question = ask(plan, epoch, facts, flags)
    reasons: list[Reason] = []
    holds = set(facts.inherited)
    allowed, raw, blocked = -1, -1, False
    spoken: list[CompiledRule] = []
    for compiled in epoch.regimes:
        verdict = weigh(compiled, question, broken)
        closed, shut = _tell(compiled, verdict, reasons, spoken, holds)
        blocked = blocked or shut
        if closed or shut:
            allowed = raw = 0
        elif any(limit.rule.mode == "send_scrubbed" for limit in verdict.limits):
            allowed, raw = allowed & (verdict.raw | verdict.scrubbed), 0
        else:
            allowed, raw = allowed & (verdict.raw | verdict.scrubbed), raw & verdict.raw
    for mode, reason in (*epoch.limits, *_closures(bundle, facts)):
        reasons.append(reason)
        blocked = blocked or mode == "block"
        raw = 0
        allowed = allowed if mode == "send_scrubbed" else 0
    reasons.extend(epoch.override_reasons)
    return _decision(
        plan, epoch, facts, alias, question, _Outcome(allowed, raw, blocked), reasons, spoken, holds, flags
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The regimes combined: pairs that may receive anything, pairs that may receive raw, and whether all is shut."""

    allowed: int
    raw: int
    blocked: bool


def resolve(bundle: Bundle, app: App, model: str) -> str:
    """Return the alias that a requested model name means to this app. Raises `NotServedError` if it means none."""
    aliases = bundle.site.prefer if app.aliases is None else app.aliases
    if model in aliases:
        return model
    if app.default_alias and not app.strict_models:
        return app.default_alias
    raise NotServedError(
        "this app may ask for the models that GET /v1/models lists, and this is none of them",
        code="model_not_found",
        param="model",
    )


def ask(plan: Plan, epoch: Epoch, facts: Facts, flags: list[str]) -> Question:
    """Return the facts as rules see them; what is missing or unknown is noted in ``flags``."""
    thresholds = epoch.thresholds
    existing = tuple([f for f in facts.found if _exists(f, thresholds)])
    types = frozenset([f.entity_type for f in existing])
    if not types <= epoch.known:
        flags.append("unknown_entity")
    incomplete = not facts.complete
    uncleaned = facts.attachments is not Attachments.NONE
    return Question(
        existing=existing,
        types=types,
        unseen=incomplete or uncleaned,
        incomplete=incomplete,
        uncleaned=uncleaned,
        purpose=_purpose(plan.app, facts, flags),
        tags=_tags(plan, facts, flags),
    )


def _exists(found: Found, thresholds: Thresholds) -> bool:
    entity_type = found.entity_type
    if not found.scores:
        return False
    if not isinstance(entity_type, EntityType):
        return True  # outside the table: any score counts
    return max(found.scores) >= thresholds.of(entity_type, found.lang)


def _purpose(app: App, facts: Facts, flags: list[str]) -> str | None:
    purpose = facts.purpose if facts.purpose is not None else app.purpose
    if purpose in PURPOSES:
        return purpose
    flags.append("purpose_unknown" if purpose else "purpose_missing")
    return None


def _tags(plan: Plan, facts: Facts, flags: list[str]) -> frozenset[str] | None:
    if facts.tags is None:
        if plan.app.tags_required:
            flags.append("tags_missing")
            return None
        return plan.app.tags
    if not facts.tags <= plan.bundle.site.tags:
        flags.append("tags_unknown")
        return None
    return plan.app.tags | facts.tags


def weigh(compiled: CompiledRegime, question: Question, broken: frozenset[str]) -> Verdict:
    """Return what one regime says of one request."""
    phi = question.unseen or _has_phi(compiled, question.existing)
    permits = [rule for rule in compiled.permits if matches(rule, question, phi=phi, broken=broken)]
    limits = [rule for rule in compiled.limits if matches(rule, question, phi=phi, broken=broken) is not False]
    raw = scrubbed = 0
    for rule in permits:
        if rule.raw:
            raw |= rule.accept
        else:
            scrubbed |= rule.accept
    scrubbed &= ~raw
    speaking = [rule for rule in permits if _speaks(rule, permits, raw if rule.raw else scrubbed, phi=phi)]
    return Verdict(phi, raw, scrubbed, speaking, limits, silent=raw | scrubbed == 0)


def _has_phi(compiled: CompiledRegime, existing: tuple[Found, ...]) -> bool:
    for found in existing:
        counts = compiled.counts.get(found.entity_type, True)  # outside the table: direct
        if counts is True or (counts is not False and counts not in found.unchanged_by):
            return True
    return False


def _speaks(rule: CompiledRule, permits: list[CompiledRule], decided: int, *, phi: bool) -> bool:
    """Return whether a permit is the reason for a form: where nothing was found, those that say so come first."""
    gives = rule.accept & decided
    if not phi and rule.phi == "any":
        for other in permits:
            if other.phi == "none" and other.raw == rule.raw:
                gives &= ~other.accept
    return gives != 0


def matches(rule: CompiledRule, question: Question, *, phi: bool, broken: frozenset[str]) -> bool | None:
    """Return whether all conditions of a rule hold; None when one of them cannot be answered."""
    if broken and rule.rule.id in broken:
        return None
    # The same questions as `conditions`, in the order in which they most often end; a test holds both equal.
    if rule.tags:
        if question.tags is None or (rule.purposes and question.purpose is None):
            return None
        if rule.tags.isdisjoint(question.tags):
            return False
    if rule.purposes:
        if question.purpose is None:
            return None
        if question.purpose not in rule.purposes:
            return False
    return not (
        not rule.flag
        or (rule.attachments and not question.uncleaned)
        or (rule.detection and not question.incomplete)
        or (rule.types and rule.types.isdisjoint(question.types))
        or (phi and rule.phi == "none")
        or (not phi and rule.phi == "any" and not rule.permit)
    )


def conditions(rule: CompiledRule, question: Question, *, phi: bool) -> Iterator[tuple[str, bool | None]]:
    """Yield each condition that the rule sets, by its key, and whether it holds; None: cannot be answered."""
    if rule.phi == "none":
        yield "phi", not phi
    elif rule.phi == "any":
        yield "phi", phi or rule.permit
    if not rule.flag:
        yield "site_flag", False
    if rule.purposes:
        yield "purpose_in", None if question.purpose is None else question.purpose in rule.purposes
    if rule.tags:
        yield "tag_any", None if question.tags is None else not rule.tags.isdisjoint(question.tags)
    if rule.types:
        yield "finding_any", not rule.types.isdisjoint(question.types)
    if rule.attachments:
        yield "attachments", question.uncleaned
    if rule.detection:
        yield "detection", question.incomplete


def _tell(
    compiled: CompiledRegime,
    verdict: Verdict,
    reasons: list[Reason],
    spoken: list[CompiledRule],
    holds: set[Hold],
) -> tuple[bool, bool]:
    """Note what a regime said; return whether it closes all doors outside, and whether it shuts on-prem too."""
    closed = shut = False
    spoken.extend(verdict.permits)
    reasons.extend(rule.reason for rule in verdict.permits)
    if not compiled.in_force:
        closed = True
        reasons.append(compiled.not_effective)
    if verdict.silent:
        reasons.append(compiled.no_permit)
        shut = compiled.regime.default_block
    for limit in verdict.limits:
        spoken.append(limit)
        reasons.append(limit.reason)
        mode = limit.rule.mode
        shut = shut or mode == "block"
        if mode != "send_scrubbed":
            closed = True
            _hold(limit, holds)
    return closed, shut


def _hold(limit: CompiledRule, holds: set[Hold]) -> None:
    if limit.attachments:
        holds.add(Hold.ATTACHMENT)
    if limit.tags:
        holds.add(Hold.TAG)
    if limit.detection:
        holds.add(Hold.INCOMPLETE)


def _closures(bundle: Bundle, facts: Facts) -> Iterator[tuple[str, Reason]]:
    """Yield what closes all doors outside whatever the regimes say."""
    if bundle.onprem_only:
        yield "keep_onprem", Reason("site", bundle.onprem_only, "limit", "keep_onprem", "")
    for hold in sorted(facts.inherited):
        yield "keep_onprem", Reason("site", f"inherited.{hold.value}", "limit", "keep_onprem", "")


def _decision(
    plan: Plan,
    epoch: Epoch,
    facts: Facts,
    alias: str,
    question: Question,
    outcome: _Outcome,
    reasons: list[Reason],
    spoken: list[CompiledRule],
    holds: set[Hold],
    flags: list[str],
) -> Decision:
    forms = _forms(plan, outcome)
    candidates = _candidates(plan, alias, outcome, facts.needs)
    spoken_ids = {rule.rule.id for rule in spoken}
    purpose = question.purpose or ""
    return Decision(
        mode=_mode(forms, plan, candidates[0] if candidates else None, blocked=outcome.blocked),
        forms=forms,
        candidates=candidates,
        operators=epoch.operators,
        unknown_operator=Operator.REDACT,
        thresholds=epoch.thresholds,
        residual=plan.residual,
        regimes=plan.versions,
        rules=tuple(sorted(spoken_ids)),
        reasons=tuple(reasons),
        purpose=purpose,
        tags=tuple(sorted(question.tags if question.tags is not None else plan.app.tags)),
        tenant=plan.app.tenant,
        alias=alias,
        bundle=plan.bundle.digest,
        obligations=_obligations(spoken, outcome.allowed),
        overrides=epoch.overrides,
        flags=tuple(flags),
        legal_basis=tuple(f"{r.id}: {r.legal_basis[purpose]}" for r in plan.regimes if purpose in r.legal_basis),
        holds=frozenset(holds),
    )


def _obligations(spoken: list[CompiledRule], allowed: int) -> tuple[str, ...]:
    """Return the union of what the permits ask that open a door which stayed open."""
    duties: set[str] = set()
    for rule in spoken:
        if rule.accept & allowed:
            duties.update(rule.rule.obligations)
    return tuple(sorted(duties))


def _forms(plan: Plan, outcome: _Outcome) -> dict[str, Form]:
    forms = {}
    for destination in plan.bundle.destinations.values():
        mask = plan.external.get(destination.id)
        if mask is None:
            forms[destination.id] = Form.NO if outcome.blocked else Form.RAW
        else:
            forms[destination.id] = _form(mask, outcome)
    return forms


def _form(mask: int, outcome: _Outcome) -> Form:
    if mask & outcome.allowed & outcome.raw:
        return Form.RAW
    return Form.SCRUBBED if mask & outcome.allowed else Form.NO


def _candidates(plan: Plan, alias: str, outcome: _Outcome, needs: frozenset[Need]) -> tuple[Candidate, ...]:
    """Return the pairs to try, as the alias orders them, then every other on-prem destination.

    Raises `InvalidRequestError` naming a need when policy leaves pairs and none can honour what the body asks.
    """
    if outcome.blocked:
        return ()
    chosen: list[Candidate] = []
    missing: set[Need] = set()
    tried = set()
    for key in (*plan.bundle.site.prefer[alias], *((d.id, m.name) for d in plan.onprem for m in d.models)):
        pair = plan.pairs[key]
        kind = pair.destination.kind
        form = Form.RAW if kind is DestinationKind.ONPREM else _form(pair.bit, outcome)
        if form is Form.NO or key in tried:
            continue
        tried.add(key)
        if needs <= pair.model.can:
            chosen.append(Candidate(pair.destination.id, pair.model.name, kind, form))
        else:
            missing |= needs - pair.model.can
    if not chosen and missing:
        raise _cannot(min(missing))
    return tuple(chosen)


def _cannot(need: Need) -> InvalidRequestError:
    return InvalidRequestError(
        f"no model that this request may reach honours {need.value}; leave it out, or ask for another model",
        code="unsupported_by_model",
        param=need.value,
    )


def _mode(forms: dict[str, Form], plan: Plan, first: Candidate | None, *, blocked: bool) -> Mode:
    if blocked:
        return Mode.BLOCK
    if all(forms[destination] is Form.NO for destination in plan.external) or first is None:
        return Mode.KEEP_ONPREM
    return _chosen(first)


def _chosen(candidate: Candidate) -> Mode:
    if candidate.kind is DestinationKind.ONPREM:
        return Mode.ONPREM
    return Mode.SEND_RAW if candidate.form is Form.RAW else Mode.SEND_SCRUBBED


def mode_for(decision: Decision, candidate: Candidate) -> Mode:
    """Return the mode of an exchange that goes to this candidate: health may have passed over the first."""
    if decision.mode in {Mode.BLOCK, Mode.KEEP_ONPREM}:
        return decision.mode
    return _chosen(candidate)


def visible_models(
    bundle: Bundle, app: str, *, now: datetime, healthy: Callable[[Destination], bool]
) -> tuple[str, ...]:
    """Return the aliases that a harmless request of this app could use now: what GET /v1/models lists.

    ``healthy`` says of a destination whether it can be reached. Raises `RefusedError` for an unknown app.
    """
    plan = plan_of(bundle, app)
    names = bundle.site.prefer if plan.app.aliases is None else plan.app.aliases
    return tuple(name for name in sorted(names) if _reachable(bundle, plan, name, now, healthy))


def _reachable(bundle: Bundle, plan: Plan, alias: str, now: datetime, healthy: Callable[[Destination], bool]) -> bool:
    facts = Facts(
        app=plan.app.name,
        found=(),
        complete=True,
        attachments=Attachments.NONE,
        model=alias,
        needs=frozenset(),
        now=now,
        tags=frozenset(),
    )
    return any(healthy(bundle.destinations[c.destination]) for c in decide(bundle, facts).candidates)
