"""The abstract domain: as many classes as rules can tell apart, and no more."""

from __future__ import annotations

from dataclasses import replace

from phigate.finding import EntityType
from phigate.policy.bundle import Bundle, EntityRule
from phigate.policy.decision import Form
from phigate.policy.domain import Cell, domain_of, facts_of, forms, staged, subsets
from tests.policy.making import NOW


def test_every_subset_is_yielded_once() -> None:
    assert list(subsets(("a", "b"))) == [(), ("a",), ("b",), ("a", "b")]


def test_classes_are_what_the_shipped_rules_tell_apart(shipped: Bundle) -> None:
    domain = domain_of(shipped)
    assert len(domain.classes) == 4  # counts everywhere, all but HIPAA, HIPAA alone, and what genetic rules ask for
    assert len(domain.flags) == 4
    assert [len(tags) if tags is not None else None for tags in domain.tags] == [0, 1, 1, 1, 1, 1, 5, None]
    assert {frozenset({"us.hipaa"}), frozenset({"eu.gdpr"}), frozenset(shipped.regimes)} <= set(domain.regimes)
    assert len(domain) == sum(1 for _ in domain.cells())


def test_a_type_without_a_row_is_told_apart(shipped: Bundle) -> None:
    regime = shipped.regimes["us.hipaa"]
    rows: dict[EntityType, EntityRule] = {
        t: r for t, r in regime.entities.items() if t not in {EntityType.LAB_VALUE, EntityType.DIAGNOSIS}
    }
    poorer = replace(shipped, regimes={**shipped.regimes, "us.hipaa": replace(regime, entities=rows)})
    domain = domain_of(shipped, poorer)
    assert any(str(found.entity_type) in {"LAB_VALUE", "DIAGNOSIS"} for found in domain.classes.values())


def test_a_cell_becomes_facts_and_forms(shipped: Bundle) -> None:
    domain = domain_of(shipped, regimes=[frozenset({"us.hipaa"})])
    name = next(iter(domain.classes))
    cell = Cell(
        frozenset({"us.hipaa"}),
        frozenset(),
        frozenset({name}),
        frozenset(),
        "treatment",
        uncleaned=True,
        incomplete=True,
    )
    facts = facts_of(cell, domain, NOW)
    assert (facts.complete, facts.attachments, len(facts.found)) == (False, "uncleaned", 1)
    plan = staged(shipped, cell.regimes, cell.flags)
    assert forms(plan, cell, domain, NOW)["eu-cloud"] is Form.NO
    assert forms(plan, replace(cell, uncleaned=False, incomplete=False), domain, NOW)["eu-cloud"] is Form.SCRUBBED
    demo = staged(shipped, cell.regimes, cell.flags, app=shipped.apps["pediatrics"])
    assert demo.app.tags == {"minor"}
