"""References to patients: the same for the same number however it is written, from numbers alone, and opaque."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.analysis import Analysis, PartAnalysis
from phigate.deid.subjects import MAX_SUBJECTS, NUMBERS, Lookups, Reference, capped, folded, tag
from phigate.finding import EntityType, Finding
from phigate.wire.parts import Part
from tests.deid.exchanges import parts_of

LOOKUPS = Lookups(b"k" * 32)
RID = "01a209de-39de-7b1e-8d72-9024e160da2a"
TEXT = "MRN 123-456 and CPF 529.982.247-25, Zoë"


def analysed(*findings: Finding) -> tuple[Analysis, tuple[Part, ...]]:
    return Analysis((PartAnalysis(findings, "en", frozenset()),), "d"), tuple(parts_of(TEXT))


def at(value: str, kind: EntityType, score: float = 0.9) -> Finding:
    return Finding(TEXT.index(value), TEXT.index(value) + len(value), kind, score)


def test_numbers_are_references_and_names_are_none() -> None:
    analysis, parts = analysed(
        at("123-456", EntityType.MRN), at("529.982.247-25", EntityType.BR_CPF), at("Zoë", EntityType.PERSON)
    )
    found = LOOKUPS.found("t", analysis, parts)
    assert [each.source for each in found] == ["found", "found"]
    assert found[0].lookup in LOOKUPS.all_of("t", "123456")
    assert found[1].lookup in LOOKUPS.all_of("t", "52998224725")
    assert EntityType.PERSON not in NUMBERS


def test_a_number_that_nothing_speaks_for_is_no_reference() -> None:
    assert LOOKUPS.found("t", *analysed(at("123-456", EntityType.MRN, 0.4))) == ()
    assert LOOKUPS.found("t", *analysed()) == ()


def test_a_number_that_stands_twice_is_one_patient() -> None:
    finding = at("123-456", EntityType.MRN)
    assert len(LOOKUPS.found("t", *analysed(finding, finding))) == 1


def test_tenant_kind_and_key_are_part_of_a_lookup() -> None:
    one = LOOKUPS.declared("t", "123456").lookup
    assert one in LOOKUPS.all_of("t", "123456")
    assert one not in LOOKUPS.all_of("u", "123456")
    assert one != Lookups(b"l" * 32).declared("t", "123456").lookup
    assert len(set(LOOKUPS.all_of("t", "123456"))) == 1 + len(NUMBERS)


@given(st.text(min_size=1), st.text())
def test_what_separates_a_number_does_not_count(value: str, other: str) -> None:
    same = LOOKUPS.declared("t", value) == LOOKUPS.declared("t", other)
    assert same == (folded(value) == folded(other))


def test_at_most_64_each_once_declared_first() -> None:
    many = [Reference("found", bytes([n])) for n in range(80)]
    declared = Reference("declared", bytes([3]))
    kept = capped([*many, declared])
    assert len(kept) == MAX_SUBJECTS
    assert kept[0] == declared
    assert len({each.lookup for each in kept}) == MAX_SUBJECTS


def test_a_tag_needs_the_key_and_the_exchange() -> None:
    assert tag(b"a" * 32, RID) == tag(b"a" * 32, RID)
    assert len({tag(key, rid) for key in (b"a" * 32, b"b" * 32) for rid in (RID, RID[::-1])}) == 4


def test_nothing_shows() -> None:
    shown = f"{LOOKUPS!r}{LOOKUPS.declared('t', 'Zoë 77')!r}"
    assert shown == "<Lookups><Reference declared>"
    with pytest.raises(ValueError, match="32 bytes, found 3"):
        Lookups(b"key")
