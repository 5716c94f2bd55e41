"""What exchanges cost, in tokens and money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.cost import Card, Price, Spent, Usage, Where, account, break_even, usage

Entry = tuple[int, dict[str, Any]]


def intent(rid: str, kind: str = "onprem", *, ts: str = "2026-11-01T00:00:00.000000Z", **more: Any) -> dict[str, Any]:
    return {
        "kind": "intent",
        "rid": rid,
        "attempt": 1,
        "ts": ts,
        "app": "triage",
        "mode": "onprem" if kind == "onprem" else "send_scrubbed",
        "attachments": "none",
        "destination": {"id": "d", "kind": kind, "model": "asked-1"},
        "in": {"n": 400, "mac": "00"},
        **more,
    }


def outcome(rid: str, status: str = "ok", **more: Any) -> dict[str, Any]:
    ts = "2027-01-01T00:00:00.000000Z"  # the time of an outcome decides nothing
    return {"kind": "outcome", "rid": rid, "attempt": 1, "ts": ts, "status": status, **more}


def used(*entries: dict[str, Any], start: str = "", end: str = "") -> Usage:
    return usage(enumerate(entries), start=start, end=end)


HOME = Where("onprem", "triage", "m-1", "onprem")
AWAY = Where("external", "triage", "m-1", "send_scrubbed")


def test_rows_are_by_place_app_model_that_answered_and_mode() -> None:
    said: dict[str, Any] = {"model": "m-1", "usage": {"prompt": 10, "completion": 5}}
    found = used(intent("a"), outcome("a", **said), intent("b"), outcome("b", **said), intent("c", "external"))
    assert found.rows[HOME] == Spent(2, 20, 0, 10)
    # An intent whose end nobody knows may have cost something.
    assert found.rows[Where("external", "triage", "asked-1", "send_scrubbed")] == Spent(1, unknown=1)
    assert found.total("onprem").tokens == 30
    assert found.total("external").unknown == 1


def test_entries_written_before_there_was_usage_are_counted_as_not_known() -> None:
    found = used(intent("a"), outcome("a"))
    assert found.rows == {Where("onprem", "triage", "asked-1", "onprem"): Spent(requests=1, unknown=1)}


def test_what_was_not_sent_costs_nothing() -> None:
    assert used(intent("a"), outcome("a", "not_sent")).rows == {}


def test_a_broken_stream_costs_what_it_wrote() -> None:
    found = used(intent("a"), outcome("a", "client_abort", usage={"completion": 9, "estimated": True}))
    assert found.total("onprem") == Spent(1, 100, 0, 9, estimated=1)


def test_the_tokens_of_an_image_are_not_guessed_from_its_bytes() -> None:
    said = outcome("a", usage={"completion": 9, "estimated": True})
    assert used(intent("a", attachments="uncleaned"), said).total("onprem") == Spent(1, 0, 0, 9, estimated=1)


def test_an_exchange_belongs_to_the_time_of_its_intent() -> None:
    early, late = intent("a", ts="2026-10-31T23:59:59.999999Z"), intent("b", ts="2026-11-02T00:00:00.000000Z")
    entries = [early, intent("c"), late, outcome("a"), outcome("b"), outcome("c")]
    assert used(*entries, start="2026-11-01", end="2026-11-02").total("onprem").requests == 1
    assert used(*entries).total("onprem").requests == 3


def test_other_entries_are_passed_over() -> None:
    assert used({"kind": "genesis"}, {"kind": "refusal", "rid": "x"}, outcome("nobody")).rows == {}


PRICES = {"m-1": Price(Decimal("2.50"), Decimal("0.25"), Decimal(10))}


def test_prices_tell_read_cached_and_written_apart() -> None:
    assert PRICES["m-1"].of(Spent(1, 1_000_000, 400_000, 100_000)) == Decimal("1.5") + Decimal("0.1") + Decimal(1)
    assert Price.flat(Decimal(5)).of(Spent(1, 900_000, 5, 100_000)) == Decimal(5)


def test_outside_is_priced_by_who_answered_else_by_who_was_asked_else_said_to_be_unknown() -> None:
    found = Usage()
    row = Spent(1, 1_000_000, 0, 0)
    found.add(AWAY, row)
    found.add(Where("external", "triage", "m-1-2026-01-01", "send_scrubbed"), row, asked="m-1")
    found.add(Where("external", "triage", "strange", "send_scrubbed"), row)
    found.add(Where("external", "triage", "silent", "send_scrubbed"), Spent(1, unknown=1))
    found.add(HOME, row)
    made = account(found, PRICES, against=PRICES["m-1"])
    assert sum(made.paid.values()) == Decimal(5)
    assert made.unpriced == ("strange",)
    assert made.avoided == Decimal("2.50")
    assert account(found, PRICES, against=None).avoided is None


def test_the_example_of_the_documentation() -> None:
    # Ten million records a year of 1 000 tokens, against US$ 5.00 per million; a card of US$ 30 000 over three years.
    year = Spent(10_000_000, 8_000_000_000, 0, 2_000_000_000)
    flat = Price.flat(Decimal(5))
    assert flat.of(year) == Decimal(50_000)
    found = break_even(Card(Decimal(30_000), Decimal(3), Decimal(200)), year, flat, months=Decimal(12))
    assert round(found.tokens_a_month) == 206_666_667
    assert found.months is not None
    assert round(found.months, 2) == Decimal("7.56")
    assert round(found.saved_a_month, 2) == Decimal("3133.33")


def test_a_card_that_costs_more_to_run_than_it_saves_never_pays() -> None:
    month = Spent(1, 1_000_000, 0, 0)
    found = break_even(
        Card(Decimal(30_000), Decimal(3), Decimal(200)), month, Price.flat(Decimal(5)), months=Decimal(1)
    )
    assert found.months is None
    assert found.saved_a_month < 0


def test_nothing_used_or_free_of_charge_breaks_no_sum() -> None:
    card = Card(Decimal(1), Decimal(1))
    for spent, months in ((Spent(), Decimal(1)), (Spent(1, 1), Decimal(0))):
        with pytest.raises(ValueError, match="expected tokens and a time"):
            break_even(card, spent, Price.flat(Decimal(5)), months=months)
    assert break_even(card, Spent(1, 1), Price.flat(Decimal(0)), months=Decimal(1)).tokens_a_month.is_infinite()


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=8))
def test_the_whole_is_the_sum_of_its_rows(rows: list[tuple[int, int]]) -> None:
    found = Usage()
    for number, (prompt, completion) in enumerate(rows):
        found.add(Where("onprem", f"app{number}", "m", "onprem"), Spent(1, prompt, 0, completion))
    flat = Price.flat(Decimal("5.00"))
    assert flat.of(found.total("onprem")) == sum((flat.of(row) for row in found.rows.values()), Decimal(0))
