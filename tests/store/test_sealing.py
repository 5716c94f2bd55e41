"""Sealed entries are byte for byte what the strict encoder makes, numbered without a gap, on a clock that never
runs backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.record import Draft, Kind
from phigate.errors import UnavailableError
from phigate.signing import in_memory
from phigate.store.open import new_id
from phigate.store.sealing import Item, Sealer, rfc3339
from phigate.tlog.merkle import leaf_hash
from phigate.tlog.record import make_entry, parse_entry
from tests.store.drafts import FIELDS, ORIGIN, an_intent


@dataclass
class Clock:
    wall: float = 1_795_000_000.25
    mono: float = 50.0

    def pass_s(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


def a_sealer(clock: Clock | None = None) -> Sealer:
    clock = clock or Clock()
    return Sealer(ORIGIN, "gw", "ab" * 16, in_memory(f"{ORIGIN}/gw"), lambda: clock.wall, lambda: clock.mono)


def sealed(sealer: Sealer, draft: Draft) -> Item:
    item = Item(draft, new_id(), 0.0)
    sealer.seal(item)
    return item


WORDS = st.text(alphabet="abcxyzABC019._:/+-", min_size=1, max_size=12)
JSON_VALUES: Any = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=10,
)


@given(st.dictionaries(WORDS, JSON_VALUES, max_size=6), st.booleans())
def test_the_quick_encoding_is_the_strict_encoding(fields: dict[str, Any], about: bool) -> None:
    sealer = a_sealer()
    item = sealed(sealer, Draft(Kind.INTENT, fields, new_id() if about else "", 1 if about else 0))
    record = parse_entry(item.entry)
    assert item.entry == make_entry(record.fields, [(sealer.record.key, sealer.record.sign)])
    assert item.leaf == leaf_hash(item.entry)


def test_an_entry_carries_its_place_in_the_boot() -> None:
    clock = Clock()
    sealer = a_sealer(clock)
    draft = an_intent()
    first = parse_entry(sealed(sealer, draft).entry)
    clock.pass_s(1.5)
    second = parse_entry(sealed(sealer, an_intent()).entry)
    assert (first.log, first.rep, first.boot, first.kind) == (ORIGIN, "gw", "ab" * 16, "intent")
    assert (first.seq, second.seq) == (0, 1)
    assert (first.fields["mono"], second.fields["mono"]) == (0, 1_500_000)
    assert first.ts == "2026-11-18T11:06:40.250000Z"
    assert (first.rid, first.attempt) == (draft.rid, 1)
    assert second.ts == "2026-11-18T11:06:41.750000Z"


def test_an_oversized_entry_is_refused_and_takes_no_number() -> None:
    sealer = a_sealer()
    with pytest.raises(UnavailableError, match=r"expected an entry of at most 16384 bytes, found \d+") as caught:
        sealed(sealer, Draft(Kind.INTENT, {**FIELDS, "rules": ["r" * 100] * 200}, new_id(), 1))
    assert caught.value.code == "entry_refused"
    assert parse_entry(sealed(sealer, an_intent()).entry).seq == 0


def test_numbers_of_entries_that_stand_nowhere_are_given_again() -> None:
    sealer = a_sealer()
    for _ in range(3):
        sealed(sealer, an_intent())
    sealer.unseal(2)
    assert parse_entry(sealed(sealer, an_intent()).entry).seq == 1


def test_key_entries_carry_two_signatures() -> None:
    sealer = a_sealer()
    enrolment = in_memory(f"{ORIGIN}/enrolment")
    item = Item(Draft(Kind.KEY, {}), new_id(), 0.0, signers=(sealer.record, enrolment))
    sealer.seal(item)
    assert [line.name for line in parse_entry(item.entry).note.signatures] == [f"{ORIGIN}/gw", f"{ORIGIN}/enrolment"]


def test_time_never_runs_backwards_in_entries() -> None:
    clock = Clock()
    sealer = a_sealer(clock)
    before = parse_entry(sealed(sealer, an_intent()).entry).ts
    clock.wall -= 3600
    assert parse_entry(sealed(sealer, an_intent()).entry).ts == before


@pytest.mark.parametrize(("jump_s", "why"), [(-3600.0, "backwards"), (10 * 365 * 86400.0, "forwards")])
def test_a_jump_of_the_clock_is_said_once(jump_s: float, why: str) -> None:
    clock = Clock()
    sealer = a_sealer(clock)
    assert sealer.clock_draft(0) is None
    clock.pass_s(10)
    assert sealer.clock_draft(0) is None
    clock.pass_s(1)
    clock.wall += jump_s
    draft = sealer.clock_draft(0)
    assert draft is not None
    assert draft.kind is Kind.CLOCK
    assert draft.fields["why"] == why
    assert draft.fields["seen"] == rfc3339(int(clock.wall * 1e6))
    assert sealer.clock_draft(0) is None


def test_a_boot_whose_clock_is_behind_the_log_says_so() -> None:
    clock = Clock()
    ahead = int((clock.wall + 86400) * 1e6)
    draft = a_sealer(clock).clock_draft(ahead)
    assert draft is not None
    assert (draft.fields["why"], draft.fields["before"]) == ("backwards", rfc3339(ahead))


def test_small_corrections_of_the_clock_are_no_jump() -> None:
    clock = Clock()
    sealer = a_sealer(clock)
    sealer.clock_draft(0)
    clock.wall += 0.9
    assert sealer.clock_draft(0) is None


@pytest.mark.parametrize("log", [ORIGIN, "audit.test/phigate/2026h1"])
def test_an_outcome_names_the_log_of_its_intent_only_where_that_is_another(log: str) -> None:
    named: dict[str, Any] = {"idx": 7, "leaf": "01" * 32, "log": log}
    draft = Draft(Kind.OUTCOME, {"intent": named, "status": "ok"}, new_id(), 1)
    said = parse_entry(sealed(a_sealer(), draft).entry).fields["intent"]
    assert said == {"idx": 7, "leaf": "01" * 32} if log == ORIGIN else named
    assert draft.fields["intent"] == named
