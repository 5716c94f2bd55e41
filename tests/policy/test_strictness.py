"""The metamorphic property of docs/policy.md: more to worry about never opens a door.

Exhaustive over the abstract domain of the shipped regimes on the example destinations. The cells are counted and
printed (`pytest -s`); the whole file takes at most 20 s of CPU.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from phigate.policy.bundle import Bundle, Destination
from phigate.policy.decision import Form
from phigate.policy.domain import Cell, Domain, domain_of, forms, staged, subsets
from phigate.policy.plan import Plan

Forms = Mapping[str, Form]


@pytest.fixture(scope="module")
def bundle(shipped: Bundle) -> Bundle:
    return replace(shipped, destinations=shipped.examples)


@pytest.fixture(scope="module")
def now(shipped: Bundle) -> datetime:
    return shipped.examples_clock


@pytest.fixture(scope="module")
def domain(bundle: Bundle) -> Domain:
    regimes = [frozenset(names) for names in subsets(sorted(bundle.regimes)) if names]
    return domain_of(bundle, regimes=regimes)


def plans(bundle: Bundle, domain: Domain) -> dict[tuple[frozenset[str], frozenset[str]], Plan]:
    return {(r, f): staged(bundle, r, f) for r, f in itertools.product(domain.regimes, domain.flags)}


@pytest.fixture(scope="module")
def decided(bundle: Bundle, domain: Domain, now: datetime) -> dict[Cell, Forms]:
    by = plans(bundle, domain)
    known: dict[tuple[Form, ...], Forms] = {}
    cells = ((cell, forms(by[cell.regimes, cell.flags], cell, domain, now)) for cell in domain.cells())
    return {cell: known.setdefault(tuple(found.values()), found) for cell, found in cells}  # equal ones are one object


def looser(after: Forms, before: Forms) -> bool:
    return after is not before and any(after[name] < form for name, form in before.items())


def worse(cell: Cell, domain: Domain, regimes: frozenset[str]) -> Iterator[Cell]:
    """The cell with one thing more to worry about."""
    for name in regimes - cell.regimes:
        yield replace(cell, regimes=cell.regimes | {name})
    for name in domain.classes.keys() - cell.found:
        yield replace(cell, found=cell.found | {name})
    if not cell.uncleaned:
        yield replace(cell, uncleaned=True)
    if not cell.incomplete:
        yield replace(cell, incomplete=True)
    if cell.tags is not None:
        yield replace(cell, tags=None)  # tags that should have come and did not
    if cell.purpose is not None:
        yield replace(cell, purpose=None)
    if cell.tags == frozenset():
        yield from (replace(cell, tags=tags) for tags in domain.tags if tags)


def test_one_thing_more_to_worry_about_never_loosens(
    decided: dict[Cell, Forms], domain: Domain, bundle: Bundle
) -> None:
    begun, compared = time.process_time(), 0
    regimes = frozenset(bundle.regimes)
    for cell, before in decided.items():
        for after in worse(cell, domain, regimes):
            compared += 1
            assert not looser(decided[after], before), (cell, after)
    print(f"\n{len(decided):,} cells decided, {compared:,} compared, {time.process_time() - begun:.1f} s")
    assert len(decided) == len(domain) > 100_000


def test_a_scanned_domain_is_not_all_shut(decided: dict[Cell, Forms]) -> None:
    seen = {form for cell in decided.values() for name, form in cell.items() if name == "us-cloud"}
    assert seen == {Form.RAW, Form.SCRUBBED, Form.NO}
    assert all(cell["us-public"] is Form.NO for cell in decided.values())


def small(domain: Domain) -> Domain:
    """The domain without the axes that only limits ask for: enough for papers and clocks, which permits ask for."""
    return replace(domain, tags=(frozenset(), None))


def without_paper(destination: Destination, kind: str) -> Destination:
    return replace(destination, attest=tuple(paper for paper in destination.attest if paper.kind != kind))


def test_dropping_or_revoking_a_paper_never_loosens(
    bundle: Bundle, domain: Domain, now: datetime, decided: dict[Cell, Forms]
) -> None:
    compared = changed = 0
    cells = [c for c in small(domain).cells() if not c.uncleaned and not c.incomplete]
    for name, destination in bundle.destinations.items():
        for paper in destination.attest:
            poorer = replace(bundle, destinations={**bundle.destinations, name: without_paper(destination, paper.kind)})
            by = plans(poorer, domain)
            for cell in cells:
                after = forms(by[cell.regimes, cell.flags], cell, domain, now)
                compared += 1
                changed += after != decided[cell]
                assert not looser(after, decided[cell]), (cell, name, paper.kind)
    print(f"\n{compared:,} cells with a paper less, {changed:,} of them stricter")
    assert changed > 0


def test_time_passing_an_expiry_never_loosens(bundle: Bundle, domain: Domain, now: datetime) -> None:
    compared = 0
    ends = sorted({p.expires for d in bundle.destinations.values() for p in d.attest})
    cells = [c for c in small(domain).cells() if not c.uncleaned and not c.incomplete]
    by = plans(bundle, domain)
    clocks = [now, *(end + step for end in ends for step in (timedelta(microseconds=-1), timedelta(0)))]
    for cell in cells:
        plan = by[cell.regimes, cell.flags]
        row = [forms(plan, cell, domain, clock) for clock in clocks]
        for before, after in itertools.pairwise(row):
            compared += 1
            assert not looser(after, before), cell
        assert all(row[-1][name] is Form.NO for name in ("eu-cloud", "us-cloud", "us-public"))
    print(f"\n{compared:,} cells across {len(ends)} expiries")


def test_an_error_in_any_rule_never_loosens(
    bundle: Bundle, domain: Domain, now: datetime, decided: dict[Cell, Forms]
) -> None:
    compared = 0
    rules = {regime.id: [rule.id for rule in regime.rules] for regime in bundle.regimes.values()}
    by = plans(bundle, domain)
    for cell in small(domain).cells():
        before = decided[cell]
        if all(form is Form.NO for name, form in before.items() if name != "medgemma") and len(cell.regimes) > 1:
            continue  # outside all shut already, and each regime alone is a cell of its own
        for rule in (rule for name in cell.regimes for rule in rules[name]):
            compared += 1
            after = forms(by[cell.regimes, cell.flags], cell, domain, now, broken=frozenset({rule}))
            assert not looser(after, before), (cell, rule)
    print(f"\n{compared:,} cells with an error in one rule")
    assert compared > 50_000


def test_a_destination_never_opens_without_its_papers(decided: dict[Cell, Forms]) -> None:
    for cell, found in decided.items():
        if "br.lgpd" in cell.regimes:
            assert found["us-cloud"] is Form.NO
        if cell.regimes & {"br.lgpd", "eu.gdpr"}:
            assert found["eu-cloud"] is not Form.RAW
