"""Typed reading: every wrong value is named with what was expected and the nearest valid word, all in one reading."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from phigate.errors import PolicyFileError
from phigate.policy.fields import Fields, Source, closest, instant, settle
from phigate.policy.yamls import parse

KEYS = ("a", "b", "color", "rows", "table")


def fields(text: str) -> tuple[Fields, list[PolicyFileError]]:
    found: list[PolicyFileError] = []
    return Fields(Source("f.yaml", found), parse(text.encode(), file="f.yaml"), "thing", KEYS), found


def said(found: list[PolicyFileError]) -> list[str]:
    return [problem.problem for problem in found]


def test_an_unknown_key_is_named_with_the_closest_valid_one() -> None:
    _, found = fields("a: 1\ncolour: x\n")
    assert said(found) == ["thing: unknown key 'colour'; did you mean 'color'?"]
    assert (found[0].file, found[0].line, found[0].code) == ("f.yaml", 2, "PG001")


def test_a_hint_lists_the_words_where_none_is_near() -> None:
    assert closest("zzz", ["alpha", "beta"]) == "valid: alpha, beta"
    assert closest("zzz", []) == "nothing is valid here"


WRONG = {
    "text": ("a: 1", "thing.a: expected a text, found the number 1; put it in quotes"),
    "blank": ('a: " "', "thing.a: expected a text, found the text ' '; put it in quotes"),
    "truth": ("a: true", "thing.a: expected a text, found true; put it in quotes"),
    "falsehood": ("a: false", "thing.a: expected a text, found false; put it in quotes"),
    "nothing": ("a: null", "thing.a: expected a text, found nothing; put it in quotes"),
    "list": ("a: [x]", "thing.a: expected one value, found a list"),
    "mapping": ("a: {x: 1}", "thing.a: expected one value, found a mapping"),
    "missing": ("b: x", "thing: the key 'a' is missing"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_text_that_is_none_is_refused(case: str) -> None:
    text, expected = WRONG[case]
    read, found = fields(text)
    assert read.text("a") == ""
    assert said(found) == [expected]


def test_a_long_text_is_not_repeated() -> None:
    read, found = fields(f"a: '{'x' * 100}'")
    read.number("a", low=0, high=1)
    assert said(found) == ["thing.a: expected a number from 0 to 1, found a long text"]


def test_defaults_stand_in_for_missing_keys() -> None:
    read, found = fields("b: x")
    assert read.text("a", "d") == "d"
    assert read.name("a", "d") == "d"
    assert read.choice("a", ("d", "e"), "e") == "e"
    assert read.choice("a", ("d", "e"), "") == ""
    assert read.number("a", 0.5, low=0, high=1) == 0.5
    assert read.whole("a", 3, low=0, high=9) == 3
    assert read.flag("a") is False
    assert read.at("a", required=False) is None
    assert (read.words("a"), read.sub("a", KEYS), read.rows("a", KEYS), read.table("a")) == ((), None, [], {})
    assert (read.has("a"), read.has("b"), read.line_of("b"), read.line_of("a")) == (False, True, 1, 1)
    assert found == []


def test_a_required_value_that_is_missing_has_a_stand_in() -> None:
    read, found = fields("b: x")
    assert read.number("a", low=2, high=3) == 2
    assert read.date("a") == datetime(1970, 1, 1, tzinfo=UTC)
    assert read.choice("a", ("first", "second")) == "first"
    assert len(found) == 3


def test_a_name_is_one_ascii_word() -> None:
    read, found = fields("a: 'é x'\nb: 'x y'")
    assert (read.name("a"), read.name("b", "d")) == ("", "d")
    assert all("expected a word of ASCII" in line for line in said(found))


def test_a_choice_names_the_nearest_word() -> None:
    read, found = fields("a: permitt")
    assert read.choice("a", ("permit", "limit")) == "permit"
    assert said(found) == ["thing.a: unknown word 'permitt'; did you mean 'permit'?"]


def test_a_digest_is_sha256_and_hex() -> None:
    read, found = fields("a: sha256:00ff\nb: md5:00")
    assert read.digest("a") == "sha256:00ff"
    read.digest("b")
    assert [(p.code, p.problem) for p in found] == [
        ("PG023", "thing.b: expected sha256: and hex digits, found 'md5:00'")
    ]


@pytest.mark.parametrize("value", ["2", "true", "x", "-0.1"])
def test_a_number_out_of_bounds_is_refused(value: str) -> None:
    read, found = fields(f"a: {value}")
    assert read.number("a", low=0, high=1) == 0
    assert "expected a number from 0 to 1" in said(found)[0]


def test_a_whole_number_has_no_fraction() -> None:
    read, found = fields("a: 1.5")
    assert read.whole("a", low=0, high=9) == 1
    assert said(found) == ["thing.a: expected a whole number, found 1.5"]


def test_a_flag_is_true_or_false_alone() -> None:
    read, found = fields("a: yes\nb: true")
    assert (read.flag("a"), read.flag("b")) == (False, True)
    assert said(found) == ["thing.a: expected true or false, found the text 'yes'"]


@pytest.mark.parametrize("value", ["2026-13-01", "01.02.2026", "2026-01-01T10:00", "tomorrow"])
def test_a_date_has_two_forms(value: str) -> None:
    read, found = fields(f"a: '{value}'")
    assert read.at("a") is None
    assert "expected a date as 2026-12-31" in said(found)[0]


def test_instants_are_in_utc() -> None:
    assert instant("2026-12-31") == datetime(2026, 12, 31, tzinfo=UTC)
    assert instant("2026-12-31T23:59Z") == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


def test_words_are_texts_of_a_closed_list_without_repetition() -> None:
    read, found = fields("a: [x, 1, z, x]\nb: x")
    assert read.words("a", ("x", "y")) == ("x", "x")
    read.words("b")
    assert said(found) == [
        "thing.a: expected a word, found the number 1",
        "thing.a: unknown word 'z'; valid: x, y",
        "thing.a: 'x' stands twice",
        "thing.b: expected a list, found the text 'x'; put it in [brackets]",
    ]


def test_rows_tables_and_mappings_are_asked_for_by_shape() -> None:
    read, found = fields("a: x\nrows: [x]\ntable: {k: 1}")
    assert read.rows("a", KEYS) == []
    assert read.rows("rows", KEYS)[0].entries == {}
    assert read.table("a") == {}
    assert list(read.table("table")) == ["k"]
    assert read.sub("table", ("k",)) is not None
    assert said(found) == [
        "thing.a: expected a list, found the text 'x'",
        "thing.rows: expected keys and values, found the text 'x'",
        "thing.a: expected keys and values, found the text 'x'",
    ]


def test_all_problems_come_in_the_order_of_the_files() -> None:
    late, early = (PolicyFileError("p", file="f", line=line) for line in (9, 2))
    with pytest.raises(PolicyFileError) as raised:
        settle([late, early])
    assert (raised.value.line, [p.line for p in raised.value.more]) == (2, [9])
    settle([])


def test_a_missing_choice_lists_its_words_where_they_are_few() -> None:
    read, found = fields("b: x\n")
    assert read.choice("a", ("permit", "limit")) == "permit"
    assert read.choice("a", ("v", "w", "x", "y", "z")) == "v"
    assert said(found) == [
        "thing: the key 'a' is missing; write a: limit or permit",
        "thing: the key 'a' is missing",
    ]
