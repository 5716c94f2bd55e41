"""Break-glass over the abstract domain: one step at most, never past a floor, and more to worry about still tightens.

Exhaustive over regimes, findings, tags, purposes, attachments and unread parts of the shipped regimes; the cells are
counted and printed (`pytest -s`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from phigate.policy import decide as deciding
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Form, Glass, Hold
from phigate.policy.domain import Cell, Domain, domain_of, facts_of, staged, subsets
from phigate.policy.plan import Plan
from phigate.policy.weigh import ask
from tests.policy.test_strictness import looser, worse

Forms = Mapping[str, Form]
WANTS = (Form.SCRUBBED, Form.RAW)


@pytest.fixture(scope="module")
def bundle(shipped: Bundle) -> Bundle:
    return replace(shipped, destinations=shipped.examples)


@pytest.fixture(scope="module")
def now(shipped: Bundle) -> datetime:
    return shipped.examples_clock


@pytest.fixture(scope="module")
def domain(bundle: Bundle) -> Domain:
    regimes = [frozenset(names) for names in subsets(sorted(bundle.regimes)) if names]
    whole = domain_of(bundle, regimes=regimes)
    return replace(whole, flags=whole.flags[:1])


def forms(plan: Plan, cell: Cell, domain: Domain, now: datetime, glass: Glass | None, **more: object) -> Forms:
    facts = replace(facts_of(cell, domain, now), glass=glass, **more)  # type: ignore[arg-type]
    epoch = plan.at(now, facts.endpoint)
    question = ask(plan, epoch, facts, [])
    settled = deciding.settle(plan, epoch, facts, question)
    if glass is not None:
        settled = deciding._break(plan, epoch, facts, question, settled, [])
    return deciding.forms_of(plan, settled)


def floored(plan: Plan, cell: Cell, domain: Domain, now: datetime) -> bool:
    facts = facts_of(cell, domain, now)
    epoch = plan.at(now, facts.endpoint)
    return deciding.settle(plan, epoch, facts, ask(plan, epoch, facts, [])).floored


@pytest.mark.parametrize("wants", WANTS)
def test_an_emergency_opens_one_step_and_is_as_strict_as_anything_else(
    bundle: Bundle, domain: Domain, now: datetime, wants: Form
) -> None:
    glass = Glass("attending", "life_threat", now - timedelta(minutes=1), wants)
    plans = {(r, f): staged(bundle, r, f) for r, f in itertools.product(domain.regimes, domain.flags)}
    broken: dict[Cell, Forms] = {}
    opened = 0
    for cell in domain.cells():
        plan = plans[cell.regimes, cell.flags]
        before = forms(plan, cell, domain, now, None)
        after = broken[cell] = forms(plan, cell, domain, now, glass)
        for name, form in before.items():
            assert after[name] <= form, cell  # a call never closes
            assert form - after[name] <= 1, cell  # and opens one step
        if floored(plan, cell, domain, now) or cell.tags is None or cell.purpose is None:
            assert after == before, cell
        opened += after != before
    compared, names = 0, frozenset(bundle.regimes)
    for cell, before in broken.items():
        for harder in worse(cell, domain, names):
            compared += 1
            assert not looser(broken[harder], before), (cell, harder)
    print(f"\n{len(broken):,} cells with a call for {wants.name.lower()}, {opened:,} opened, {compared:,} compared")
    assert 0 < opened < len(broken)


@pytest.mark.parametrize("hold", Hold)
def test_an_earlier_limit_never_makes_an_emergency_looser(
    bundle: Bundle, domain: Domain, now: datetime, hold: Hold
) -> None:
    glass = Glass("attending", "life_threat", now - timedelta(minutes=1))
    plans = {(r, f): staged(bundle, r, f) for r, f in itertools.product(domain.regimes, domain.flags)}
    one = replace(domain, tags=(frozenset(),))
    for cell in one.cells():
        plan = plans[cell.regimes, cell.flags]
        inherited = forms(plan, cell, one, now, glass, inherited=frozenset({hold}))
        assert not looser(inherited, forms(plan, cell, one, now, glass)), cell
        if hold is not Hold.TAG:
            assert all(form is Form.NO for name, form in inherited.items() if name != "medgemma"), cell
