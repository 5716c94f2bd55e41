"""The language of the tables: what is structural has a reason, and every name that may be shown is known."""

from __future__ import annotations

import pytest

from phigate.wire.parts import PartKind
from phigate.wire.spec import (
    BOOLEAN,
    FREE,
    INTEGER,
    NUMBER,
    Leaf,
    Members,
    Spec,
    Variants,
    exemptions,
    fields,
    known_names,
    listed,
    members_of,
    name,
    opaque,
    shape,
    text,
    word,
)


def test_expected_names_every_type_that_may_stand_here() -> None:
    assert text().expected() == "a string"
    assert INTEGER.expected() == "an integer"
    spec = Spec(string=Leaf(), array=text(), object=Members(), number=NUMBER.number, boolean=True)
    assert spec.expected() == "a string or an array or an object or a number or a boolean"
    assert BOOLEAN.expected() == "a boolean"


@pytest.mark.parametrize(
    ("value", "structural"),
    [
        ("id-a1", True),
        ("id-123456", True),
        ("id-1234567", False),
        ("id-a1 ", False),
        ("id-a1\n", False),
        ("id-á", False),
    ],
)
def test_a_shape_is_of_the_whole_string_and_has_no_long_run_of_digits(value: str, *, structural: bool) -> None:
    assert bool(shape(r"id-\w+")(value)) is structural


def test_a_shape_may_allow_longer_runs_of_digits() -> None:
    assert shape(r"[0-9]+", digits=8)("12345678")
    assert not shape(r"[0-9]+", digits=8)("123456789")


def test_words_are_a_closed_set() -> None:
    assert listed("a b  c") == {"a", "b", "c"}
    leaf = word("high low", "why").string
    assert leaf is not None
    assert (leaf.words, leaf.why, leaf.kind) == (frozenset({"high", "low"}), "why", PartKind.TEXT)
    assert name().string == Leaf(kind=PartKind.NAME)


def test_variants_are_picked_by_word() -> None:
    one, other = Members(), Members(stray=True)
    variants = Variants("type", {"one": one}, other)
    assert variants.pick("one") is one
    assert variants.pick("two") is other
    assert variants.pick(None) is other
    assert variants.pick(["one"]) is other
    assert list(members_of(Spec(object=variants))) == [one, other]
    assert list(members_of(FREE)) == []


def test_names_and_reasons_are_collected_from_the_whole_table_even_when_it_contains_itself() -> None:
    below: dict[str, Spec] = {"kind": word("a", "closed"), "id": opaque("x", "opaque"), "said": text()}
    node = Spec(object=Members(below, others=Spec(array=word("b", "listed"))))
    below["child"] = node
    spec = fields(top=Spec(array=node))
    assert known_names(spec) == {"", "top", "kind", "id", "said", "child"}
    assert exemptions(spec) == (
        ("child", "listed"),
        ("id", "opaque"),
        ("kind", "closed"),
        ("top", "listed"),
    )
