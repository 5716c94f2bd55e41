"""Segments joined: what holds within each may still not hold between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phigate.tlog.chain import Chain, join
from phigate.tlog.inspect import Carried, Gone, Intent
from phigate.tlog.report import Report, Verdict

A, B, C, D = (f"audit.test/phigate/{half}" for half in ("2026h1", "2026h2", "2027h1", "2027h2"))
ROOT = {A: b"a" * 32, B: b"b" * 32, C: b"c" * 32, D: b"d" * 32}
INTENT = Intent("019abc00-0001-7000-8000-000000000002", 1, 5, "ab" * 32)


def follows(origin: str, **changes: Any) -> dict[str, Any]:
    return {"origin": origin, "size": 10, "root": ROOT[origin].hex(), **changes}


def segment(origin: str, **changes: Any) -> Report:
    return Report(**{"origin": origin, "size": 10, "root": ROOT[origin], **changes})


def three() -> list[Report]:
    return [
        segment(A, closed=True, next=B),
        segment(B, closed=True, next=C, previous=follows(A)),
        segment(C, previous=follows(B)),
    ]


def problems(chain: Chain) -> list[str]:
    return [problem.what for problem in chain.problems]


def test_segments_that_name_each_other_hold() -> None:
    chain = join(three(), whole=True)
    assert (chain.verdict, problems(chain), chain.notes) == (Verdict.VERIFIED, [], [])
    assert chain.to_text().startswith("VERIFIED: 3 segments, 30 entries\n\nVERIFIED")
    body = chain.to_json()
    assert (body["verdict"], body["exit"], body["problems"]) == ("verified", 0, [])
    assert [each["origin"] for each in body["segments"]] == [A, B, C]  # type: ignore[union-attr,index,call-overload]


def test_the_gravest_verdict_of_a_segment_is_that_of_the_chain() -> None:
    reports = three()
    reports[1].add(Verdict.POLICY, "stale")
    assert join(reports).verdict is Verdict.POLICY


BROKEN: dict[str, tuple[list[Report], str]] = {
    "another size": ([three()[0], segment(B, previous=follows(A, size=9))], f"{B} follows {A} at size 9"),
    "another root": ([three()[0], segment(B, previous=follows(A, root="00"))], f"{B} follows {A} at size 10"),
    "not closed": ([segment(A), segment(B, previous=follows(A))], f"{A} was not closed"),
    "another next": (
        [segment(A, closed=True, next=C), segment(B, previous=follows(A))],
        f"{A} names {C} as the next segment, found {B}",
    ),
    "no previous": ([three()[0], segment(B)], f"{B} names no segment before it"),
    "one is missing": ([three()[0], three()[2]], f"{C} follows {B}, which is neither given nor destroyed"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_segments_that_do_not_fit_are_tampered_with(case: str) -> None:
    reports, what = BROKEN[case]
    chain = join(reports)
    assert chain.verdict is Verdict.TAMPERED
    assert what in problems(chain)[0]
    assert f"- tampered: {what}" in chain.to_text()


def test_a_first_segment_that_follows_another_is_said_and_is_missing_from_a_whole_ledger() -> None:
    some = join(three()[1:])
    assert some.verdict is Verdict.VERIFIED
    assert some.notes == [f"{B} follows {A}, which is neither given nor destroyed on record"]
    whole = join(three()[1:], whole=True)
    assert whole.verdict is Verdict.INCOMPLETE
    assert problems(whole) == [f"the segment before {B} is not there"]


def test_a_segment_that_was_destroyed_on_record_may_be_missing() -> None:
    reports = three()
    reports[2].gone = [Gone(A, 10, ROOT[A].hex(), 4)]
    chain = join(reports[1:], whole=True)
    assert chain.verdict is Verdict.VERIFIED
    assert chain.notes == [f"{A}, 10 entries, was destroyed on record"]


@pytest.mark.parametrize("change", [{"size": 11}, {"root": "00"}])
def test_a_record_of_destruction_fits_what_its_follower_names(change: dict[str, Any]) -> None:
    reports = three()
    reports[2].gone = [replace(Gone(A, 10, ROOT[A].hex(), 4), **change)]
    chain = join(reports[1:], whole=True)
    assert chain.verdict is Verdict.TAMPERED
    assert f"{B} follows another head of it" in problems(chain)[0]


def test_a_destroyed_segment_between_two_must_be_the_one_that_was_next() -> None:
    gone = [Gone(B, 10, ROOT[B].hex(), 4)]
    first, last = three()[0], three()[2]
    last.gone = gone
    assert join([first, last], whole=True).verdict is Verdict.VERIFIED
    elsewhere = segment(A, closed=True, next=D)
    assert problems(join([elsewhere, last])) == [f"{A} does not lead to {C}: what stood between is not accounted for"]
    assert join([segment(A), last]).verdict is Verdict.TAMPERED


def test_a_declared_loss_is_said_and_is_no_tampering() -> None:
    chain = join([segment(A, size=8), segment(B, previous=follows(A, restored=8, lost=2))])
    assert chain.verdict is Verdict.VERIFIED
    assert chain.notes == [f"{B} was opened after a loss: {A} had signed 10 entries, 2 of them are declared lost"]
    alone = join([segment(B, previous=follows(A, restored=8, lost=2))], whole=True)
    assert alone.verdict is Verdict.VERIFIED


def test_an_outcome_in_the_next_segment_ends_an_exchange_of_this_one_once() -> None:
    first, second, _ = three()
    first.unended = [INTENT]
    second.carried = [Carried(3, A, INTENT)]
    chain = join([first, second])
    assert (chain.verdict, chain.notes) == (Verdict.VERIFIED, [])
    second.carried.append(Carried(4, A, INTENT))
    assert problems(join([first, second])) == [f"{B}#4 ends no open exchange of {A}"]


@pytest.mark.parametrize("change", [{"index": 6}, {"leaf": "cd" * 32}, {"attempt": 2}])
def test_an_outcome_that_names_another_intent_is_found(change: dict[str, Any]) -> None:
    first, second, _ = three()
    first.unended = [INTENT]
    second.carried = [Carried(3, A, replace(INTENT, **change))]
    assert problems(join([first, second])) == [f"{B}#3 ends no open exchange of {A}"]


def test_what_ended_nowhere_or_cannot_be_looked_up_is_said() -> None:
    first, second, _ = three()
    first.unended = [INTENT]
    assert join([first, second]).notes == ["1 exchanges have no outcome in any segment"]
    second.carried = [Carried(3, A, INTENT)]
    assert f"{B}#3 ends an exchange of {A}, which is not given" in join([second]).notes
    second.gone = [Gone(A, 10, ROOT[A].hex(), 4)]
    assert join([second]).notes == [f"{A}, 10 entries, was destroyed on record"]
