"""A bundle and facts to a decision: order-free, default-deny, three-valued, strictest regime wins (docs/policy.md).

For each destination outside, each regime gives the least form among its matching permits, else no; its limits then
only tighten. Regimes combine by the stricter form. A condition that cannot be answered is an error: the permit does
not match, the limit does. A permit that names PHI covers a request in which none was found, so that one finding more
can never open a door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from phigate.errors import InvalidRequestError, NotServedError
from phigate.policy.bundle import App, Bundle, Destination
from phigate.policy.decision import (
    Candidate,
    Decision,
    DestinationKind,
    Facts,
    Form,
    Hold,
    Mode,
    Operator,
    Reason,
)
from phigate.policy.plan import CompiledRegime, CompiledRule, Epoch, Plan, plan_of
from phigate.policy.weigh import Question, Verdict, ask, weigh
from phigate.wire.parts import Attachments, Need

NOTHING: frozenset[str] = frozenset()


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
    settled = settle(plan, epoch, facts, question, broken)
    if facts.glass is not None:
        settled = _break(plan, epoch, facts, question, settled, flags)
    return _decision(plan, epoch, facts, alias, question, settled, flags)


@dataclass(frozen=True, slots=True)
class Settled:
    """The regimes combined: pairs that may receive anything, pairs that may receive raw, all shut or not, and why."""

    allowed: int
    raw: int
    blocked: bool
    floored: bool  # a floor or a closure without exception spoke: break-glass changes nothing
    reasons: list[Reason]
    spoken: list[CompiledRule]
    holds: set[Hold]


def settle(plan: Plan, epoch: Epoch, facts: Facts, question: Question, broken: frozenset[str] = NOTHING) -> Settled:
    """Return what all regimes, overrides and closures together leave open: the stricter form, for every pair."""
    reasons: list[Reason] = []
    spoken: list[CompiledRule] = []
    holds = set(facts.inherited)
    allowed, raw, blocked, floored = -1, -1, False, question.unseen or _floors(holds)
    for compiled in epoch.regimes:
        verdict = weigh(compiled, question, broken)
        closed, shut = _tell(compiled, verdict, reasons, spoken, holds)
        blocked = blocked or shut
        floored = floored or not compiled.in_force or any(limit.rule.floor for limit in verdict.limits)
        if closed or shut:
            allowed = raw = 0
        else:
            lifted = any(limit.rule.mode == "send_scrubbed" for limit in verdict.limits)
            allowed, raw = allowed & (verdict.raw | verdict.scrubbed), 0 if lifted else raw & verdict.raw
    for mode, reason in epoch.limits:
        reasons.append(reason)
        blocked = blocked or mode == "block"
        raw, allowed = 0, allowed if mode == "send_scrubbed" else 0
    for reason in _closures(plan.bundle, facts):
        reasons.append(reason)
        allowed, raw = 0, 0
    floored = floored or bool(plan.bundle.onprem_only)
    reasons.extend(epoch.override_reasons)
    return Settled(allowed, raw, blocked, floored or blocked, reasons, spoken, holds)


def _break(plan: Plan, epoch: Epoch, facts: Facts, question: Question, settled: Settled, flags: list[str]) -> Settled:
    """Return the outcome one step looser where an emergency may open it.

    An emergency sets conditions aside, never a floor, an unread part, an earlier limit, or a missing contract: a
    destination opens only if every regime has a permit naming PHI whose papers it holds.
    """
    glass, terms = facts.glass, plan.bundle.site.break_glass
    assert glass is not None
    fits = (
        terms is not None
        and glass.role in terms.roles
        and glass.reason in terms.reasons
        and glass.at <= facts.now < glass.at + timedelta(minutes=terms.ttl_minutes)
    )
    if not fits or settled.floored or question.tags is None or question.purpose is None:
        flags.append("break_glass_refused")
        return settled
    papers = -1
    for compiled in epoch.regimes:
        # A permit whose site flag is off is no contract that an emergency could lean on.
        papers &= union(rule.accept for rule in compiled.permits if rule.phi == "any" and rule.flag)
    flags.append("break_glass")
    reason = Reason("site", "break_glass", "override", glass.wants.name.lower(), glass.reason)
    raw = settled.raw | (settled.allowed & papers if glass.wants is Form.RAW else 0)
    return replace(settled, allowed=settled.allowed | papers, raw=raw, reasons=[*settled.reasons, reason])


def union(masks: Iterable[int]) -> int:
    """Return the union of masks."""
    together = 0
    for mask in masks:
        together |= mask
    return together


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


def _floors(holds: set[Hold]) -> bool:
    """Return whether an earlier limit that this request inherits is one that no emergency opens."""
    return not holds <= {Hold.TAG}


def _hold(limit: CompiledRule, holds: set[Hold]) -> None:
    if limit.attachments:
        holds.add(Hold.ATTACHMENT)
    if limit.tags:
        holds.add(Hold.TAG_FLOOR if limit.rule.floor or limit.rule.mode == "block" else Hold.TAG)
    if limit.detection:
        holds.add(Hold.INCOMPLETE)


def _closures(bundle: Bundle, facts: Facts) -> Iterator[Reason]:
    """Yield what closes all doors outside whatever the regimes say."""
    if bundle.onprem_only:
        yield Reason("site", bundle.onprem_only, "limit", "keep_onprem", "")
    for hold in sorted(facts.inherited):
        yield Reason("site", f"inherited.{hold.value}", "limit", "keep_onprem", "")


def _decision(
    plan: Plan,
    epoch: Epoch,
    facts: Facts,
    alias: str,
    question: Question,
    settled: Settled,
    flags: list[str],
) -> Decision:
    forms = forms_of(plan, settled)
    candidates = _candidates(plan, alias, settled, facts.needs)
    if "break_glass" in flags:
        candidates = tuple(sorted(candidates, key=lambda c: c.kind is not DestinationKind.ONPREM))
    spoken_ids = {rule.rule.id for rule in settled.spoken}
    purpose = question.purpose or ""
    return Decision(
        mode=_mode(forms, plan, candidates[0] if candidates else None, blocked=settled.blocked),
        forms=forms,
        candidates=candidates,
        operators=epoch.operators,
        unknown_operator=Operator.REDACT,
        thresholds=epoch.thresholds,
        residual=plan.residual,
        regimes=plan.versions,
        rules=tuple(sorted(spoken_ids)),
        reasons=tuple(settled.reasons),
        purpose=purpose,
        tags=tuple(sorted(question.tags if question.tags is not None else plan.app.tags)),
        tenant=plan.app.tenant,
        alias=alias,
        bundle=plan.bundle.digest,
        obligations=_obligations(settled.spoken, settled.allowed),
        overrides=epoch.overrides,
        flags=tuple(flags),
        legal_basis=tuple(f"{r.id}: {r.legal_basis[purpose]}" for r in plan.regimes if purpose in r.legal_basis),
        holds=frozenset(settled.holds),
    )


def _obligations(spoken: list[CompiledRule], allowed: int) -> tuple[str, ...]:
    """Return the union of what the permits ask that open a door which stayed open."""
    duties: set[str] = set()
    for rule in spoken:
        if rule.accept & allowed:
            duties.update(rule.rule.obligations)
    return tuple(sorted(duties))


def forms_of(plan: Plan, outcome: Settled) -> dict[str, Form]:
    """Return the form per destination: the loosest that any of its models may receive."""
    forms = {}
    for destination in plan.bundle.destinations.values():
        mask = plan.external.get(destination.id)
        if mask is None:
            forms[destination.id] = Form.NO if outcome.blocked else Form.RAW
        else:
            forms[destination.id] = _form(mask, outcome)
    return forms


def _form(mask: int, outcome: Settled) -> Form:
    if mask & outcome.allowed & outcome.raw:
        return Form.RAW
    return Form.SCRUBBED if mask & outcome.allowed else Form.NO


def _candidates(plan: Plan, alias: str, outcome: Settled, needs: frozenset[Need]) -> tuple[Candidate, ...]:
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
