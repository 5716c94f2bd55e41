"""What one regime says of one request: which rules match, which permits speak, how far limits go.

Conditions are three-valued. One that cannot be answered, because purpose or tags are missing or unknown, is an error:
the permit does not match, the limit does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from phigate.finding import EntityType
from phigate.policy.bundle import App
from phigate.policy.decision import Facts, Found, Thresholds
from phigate.policy.plan import CompiledRegime, CompiledRule, Epoch, Plan
from phigate.policy.words import PURPOSES
from phigate.wire.parts import Attachments


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
    permits: list[CompiledRule]  # those that decided a form
    limits: list[CompiledRule]
    matching: list[CompiledRule]  # all permits that matched
    silent: bool = False


def ask(plan: Plan, epoch: Epoch, facts: Facts, flags: list[str]) -> Question:
    """Return the facts as rules see them; what is missing or unknown is noted in ``flags``."""
    thresholds = epoch.thresholds
    existing = tuple([f for f in facts.found if exists(f, thresholds)])
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


def exists(found: Found, thresholds: Thresholds) -> bool:
    """Return whether a group of findings reaches its threshold."""
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
    phi = question.unseen or has_phi(compiled, question.existing)
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
    return Verdict(phi, raw, scrubbed, speaking, limits, permits, silent=raw | scrubbed == 0)


def has_phi(compiled: CompiledRegime, existing: tuple[Found, ...]) -> bool:
    """Return whether any of these findings is PHI in this regime."""
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
