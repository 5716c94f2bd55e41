"""Conditions: three-valued, and told to people exactly as they are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Facts, Found
from phigate.policy.domain import domain_of, facts_of, staged
from phigate.policy.plan import plan_of
from phigate.policy.weigh import ask, conditions, has_phi, matches, weigh
from tests.policy.making import NOW, facts


@pytest.fixture
def bundle(shipped: Bundle) -> Bundle:
    return replace(shipped, destinations=shipped.examples)


def test_what_is_told_of_conditions_is_what_was_asked(bundle: Bundle) -> None:
    domain = domain_of(bundle, regimes=[frozenset(bundle.regimes)])
    compared = 0
    for flags in domain.flags:
        plan = staged(bundle, frozenset(bundle.regimes), flags)
        epoch = plan.at(NOW, "chat")
        for cell in replace(domain, flags=(flags,)).cells():
            if len(cell.found) > 1:
                continue
            question = ask(plan, epoch, facts_of(cell, domain, NOW), [])
            for compiled in epoch.regimes:
                phi = weigh(compiled, question, frozenset()).phi
                for rule in (*compiled.permits, *compiled.limits):
                    held = [value for _, value in conditions(rule, question, phi=phi)]
                    expected = None if None in held else all(held)
                    assert matches(rule, question, phi=phi, broken=frozenset()) in (
                        {expected} if expected is not None else {None, False}
                    )
                    compared += 1
    print(f"\n{compared:,} rules asked both ways")


def asked(bundle: Bundle, facts: Facts) -> dict[str, bool | None]:
    plan = staged(bundle, frozenset(bundle.regimes), frozenset())
    epoch = plan.at(NOW, "chat")
    question = ask(plan, epoch, replace(facts, app="cell"), [])
    return {
        r.rule.id: matches(r, question, phi=weigh(c, question, frozenset()).phi, broken=frozenset())
        for c in epoch.regimes
        for r in (*c.permits, *c.limits)
    }


def test_an_error_is_neither_yes_nor_no(bundle: Bundle) -> None:
    said = asked(bundle, facts(EntityType.PERSON, purpose="gossip"))
    assert said["hipaa.scrub-baa"] is None
    assert said["gdpr.secondary-use"] is None
    assert said["lgpd.minor"] is None  # the staged app demands tags, and none came


def test_a_rule_that_asks_for_tags_and_purpose_errs_on_either(bundle: Bundle) -> None:
    plan = staged(bundle, frozenset({"us.hipaa"}), frozenset())
    compiled = plan.at(NOW, "chat").regimes[0]
    part2 = next(r for r in compiled.limits if r.tags)
    both = replace(part2, purposes=frozenset({"payment"}))
    for tags, purpose, expected in (
        (frozenset({"part2"}), "payment", True),
        (frozenset({"part2"}), "treatment", False),
        (frozenset({"minor"}), "payment", False),
        (frozenset({"part2"}), "gossip", None),
        (frozenset({"minor"}), "gossip", None),
        (None, "payment", None),
    ):
        question = ask(plan, plan.at(NOW, "chat"), replace(facts(tags=tags, purpose=purpose), app="cell"), [])
        assert matches(both, question, phi=False, broken=frozenset()) is expected


def test_a_limit_on_phi_asks_for_phi(bundle: Bundle) -> None:
    plan = staged(bundle, frozenset({"us.hipaa"}), frozenset())
    compiled = plan.at(NOW, "chat").regimes[0]
    limit = replace(compiled.limits[0], tags=frozenset(), phi="any")
    question = ask(plan, plan.at(NOW, "chat"), replace(facts(tags=frozenset()), app="cell"), [])
    assert matches(limit, question, phi=False, broken=frozenset()) is False
    assert matches(limit, question, phi=True, broken=frozenset()) is True
    assert list(conditions(limit, question, phi=True)) == [("phi", True)]
    assert not has_phi(compiled, ())


def test_what_is_missing_or_unknown_is_flagged(shipped: Bundle) -> None:
    plan = plan_of(shipped, "pediatrics")
    epoch = plan.at(NOW, "chat")
    flags: list[str] = []
    question = ask(plan, epoch, facts("ZZ_NEW", tags=frozenset({"nobody-said"}), purpose=""), flags)
    assert (question.tags, question.purpose, question.types) == (None, None, frozenset({"ZZ_NEW"}))
    assert flags == ["unknown_entity", "purpose_missing", "tags_unknown"]
    assert ask(plan, epoch, facts(), flags).tags == frozenset({"minor"})
    assert ask(plan, epoch, facts(tags=frozenset({"part2"})), flags).tags == frozenset({"minor", "part2"})
    empty = replace(facts(EntityType.PERSON), found=(Found(EntityType.PERSON, "en", ()),))
    assert ask(plan, epoch, empty, flags).existing == ()


def test_nothing_found_is_told_by_the_rules_that_say_so(shipped: Bundle) -> None:
    plan = plan_of(shipped, "us-clinic")
    epoch = plan.at(NOW, "chat")
    verdict = weigh(epoch.regimes[0], ask(plan, epoch, facts(), []), frozenset())
    assert [rule.rule.id for rule in verdict.matching] == ["hipaa.no-phi", "hipaa.scrub-baa"]
    assert [rule.rule.id for rule in verdict.permits] == ["hipaa.no-phi"]
    broken = weigh(epoch.regimes[0], ask(plan, epoch, facts(), []), frozenset({"hipaa.no-phi", "hipaa.part2"}))
    assert [rule.rule.id for rule in (*broken.permits, *broken.limits)] == ["hipaa.scrub-baa", "hipaa.part2"]


def test_a_raw_permit_that_matches_decides_the_form(bundle: Bundle) -> None:
    plan = staged(bundle, frozenset({"us.hipaa"}), frozenset({"raw_under_baa"}))
    epoch = plan.at(NOW, "chat")
    asked = replace(facts(EntityType.MRN, tags=frozenset(), purpose="treatment"), app="cell")
    verdict = weigh(epoch.regimes[0], ask(plan, epoch, asked, []), frozenset())
    assert verdict.phi
    assert [rule.rule.id for rule in verdict.permits] == ["hipaa.raw-baa"]
    assert not verdict.silent
