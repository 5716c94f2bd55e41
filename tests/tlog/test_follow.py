from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import replace

from phigate.tlog.follow import Follower
from phigate.tlog.inspect import Carried, Gone, Intent, Run, Seen

BOOT = "a" * 32
INTENT = Intent("rid", 1, 3, "leaf")


def after(*stretches: Seen) -> Follower:
    follower = Follower()
    start = 0
    for seen in stretches:
        follower.take(replace(seen, start=start, count=10))
        start += 10
    follower.finish()
    return follower


def test_counters_run_on_across_stretches() -> None:
    follower = after(Seen(0, runs=[Run(BOOT, 0, 4, 0)]), Seen(0, runs=[Run(BOOT, 5, 9, 10), Run("b", 0, 0, 11)]))
    assert follower.problems == []
    assert follower.boots == 2


def test_a_missing_counter_is_found_at_the_entry_after_it() -> None:
    follower = after(Seen(0, runs=[Run(BOOT, 0, 4, 0)]), Seen(0, runs=[Run(BOOT, 6, 6, 12), Run(BOOT, 9, 9, 13)]))
    assert follower.problems == [
        (12, f"counter 5 of boot {BOOT} should stand before this entry and is nowhere"),
        (13, f"counters 7 to 8 of {BOOT} should stand before this entry and is nowhere"),
    ]


def test_a_boot_begins_at_zero() -> None:
    assert after(Seen(0, runs=[Run(BOOT, 1, 1, 4)])).problems[0][0] == 4


def test_a_loss_entry_explains_what_is_missing_and_no_more() -> None:
    gap = Seen(0, runs=[Run(BOOT, 0, 0, 0), Run(BOOT, 5, 6, 1)])
    assert after(gap, Seen(0, losses=[(BOOT, 3, 4), (BOOT, 1, 2)])).problems == []
    assert after(gap, Seen(0, losses=[(BOOT, 0, 9)])).problems == []
    assert len(after(gap, Seen(0, losses=[(BOOT, 1, 3)])).problems) == 1
    assert len(after(gap, Seen(0, losses=[(BOOT, 1, 1), (BOOT, 3, 4)])).problems) == 1
    assert len(after(gap, Seen(0, losses=[("b", 1, 4)])).problems) == 1


def test_a_replayed_entry_repeats_a_counter() -> None:
    follower = after(Seen(0, runs=[Run(BOOT, 0, 9, 0)]), Seen(0, runs=[Run(BOOT, 4, 4, 10), Run(BOOT, 10, 10, 11)]))
    assert follower.problems == [(10, f"counter 4 of boot {BOOT} stands in the log already")]


def test_an_outcome_ends_an_intent_of_an_earlier_stretch() -> None:
    follower = after(Seen(0, intents=[INTENT]), Seen(0, outcomes=[(14, INTENT)]))
    assert follower.problems == []
    assert follower.open_intents() == []


def test_an_intent_that_nothing_ended_stays_open() -> None:
    other = replace(INTENT, rid="other", index=2)
    assert after(Seen(0, intents=[INTENT, other])).open_intents() == [2, 3]


def test_a_second_outcome_has_no_open_intent() -> None:
    follower = after(Seen(0, intents=[INTENT]), Seen(0, outcomes=[(14, INTENT), (15, INTENT)]))
    assert follower.problems == [(15, "an outcome without an open intent: it has one already, or never began")]


def test_an_outcome_of_another_leaf_is_named() -> None:
    follower = after(Seen(0, intents=[INTENT]), Seen(0, outcomes=[(14, replace(INTENT, leaf="x"))]))
    assert follower.problems == [(14, "the outcome names another intent than that of its attempt")]


def test_two_of_one_attempt_are_found_wherever_they_stand() -> None:
    ids = [5, 2**64 - 1, 16, 5 << 4]
    follower = after(*(Seen(0, once=array("Q", row).tobytes()) for row in (ids, [7], [2**64 - 1, 5])))
    assert follower.twice() == {5, 2**64 - 1}
    assert after(Seen(0)).twice() == set()


def test_nothing_follows_the_close_of_a_segment() -> None:
    assert after(Seen(0), Seen(0, closed=19)).problems == []
    assert after(Seen(0, closed=4), Seen(0)).problems == [(5, "an entry after the close of the segment")]
    assert after(Seen(0, closed=4), Seen(0, closed=19)).closed == 4
    assert after(Seen(0)).closed == -1


def test_what_the_stretches_say_is_added_up() -> None:
    one = Seen(0, problems=[(1, "x")], more_problems=2, kinds=Counter(a=1), first_ts="1", last_ts="3")
    two = Seen(0, problems=[(2, "y")], more_problems=1, kinds=Counter(a=1, b=2), first_ts="2", last_ts="2")
    follower = after(replace(one, previous={"size": 1}), two)
    assert follower.problems == [(1, "x"), (2, "y")]
    assert follower.more_problems == 3
    assert follower.kinds == {"a": 2, "b": 2}
    assert (follower.first_ts, follower.last_ts) == ("1", "3")
    assert follower.previous == {"size": 1}


def test_what_a_segment_says_of_others_is_gathered() -> None:
    one, two = Carried(3, "before", INTENT), Carried(12, "before", replace(INTENT, rid="other"))
    gone = Gone("long.ago", 3, "ab", 4)
    follower = after(Seen(0, carried=[one]), Seen(0, carried=[two], gone=[gone], closed=19, next="after"))
    assert (follower.carried, follower.gone, follower.next, follower.problems) == ([one, two], [gone], "after", [])


def test_an_exchange_of_an_earlier_segment_ends_once() -> None:
    one = Carried(3, "before", INTENT)
    follower = after(Seen(0, carried=[one]), Seen(0, carried=[replace(one, index=12)]))
    assert follower.problems == [(12, "a second outcome of the same attempt")]
