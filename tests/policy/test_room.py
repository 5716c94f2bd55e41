"""What is too long for one model goes to another of the house, and never outside for that reason."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phigate.policy.bundle import Destination, Model
from phigate.policy.decision import Candidate, DestinationKind, Form
from phigate.policy.room import with_room

HOUSE, OUTSIDE = DestinationKind.ONPREM, DestinationKind.EXTERNAL


def pair(name: str, kind: DestinationKind = HOUSE) -> Candidate:
    return Candidate(name, "m", kind, Form.RAW if kind is HOUSE else Form.SCRUBBED)


def places(**contexts: int) -> dict[str, Destination]:
    return {
        name: Destination(id=name, kind=HOUSE, endpoint="", provider="", models=(Model("m", context=n),), country="BR")
        for name, n in contexts.items()
    }


SMALL, LARGE, CLOUD = pair("small"), pair("large"), pair("cloud", OUTSIDE)


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        (8000, (SMALL, LARGE)),
        (8001, (LARGE,)),
        (32_000, (LARGE,)),
        (32_001, (SMALL, LARGE)),  # none has room: the server says so itself
    ],
)
def test_a_request_goes_where_it_has_room(tokens: int, left: tuple[Candidate, ...]) -> None:
    assert with_room((SMALL, LARGE), places(small=8000, large=32_000), tokens) == left


def test_what_is_too_long_for_the_house_does_not_go_outside_for_it() -> None:
    there = places(small=8000, cloud=1_000_000)
    assert with_room((SMALL, CLOUD), there, 9000) == (SMALL, CLOUD)


def test_what_is_too_long_for_outside_stays_where_it_has_room() -> None:
    there = places(large=32_000, cloud=8000)
    assert with_room((CLOUD, LARGE), there, 9000) == (LARGE,)
    assert with_room((CLOUD, LARGE), there, 8000) == (CLOUD, LARGE)
    assert with_room((CLOUD,), there, 9000) == (CLOUD,)


def test_a_context_that_nobody_declared_has_room() -> None:
    assert with_room((SMALL, LARGE), places(small=0, large=100), 9000) == (SMALL,)


def test_the_next_of_the_house_goes_before_an_outside_that_policy_put_between() -> None:
    there = places(small=8000, cloud=1_000_000, large=32_000)
    assert with_room((SMALL, CLOUD, LARGE), there, 9000) == (LARGE, CLOUD)
    assert with_room((SMALL, CLOUD, LARGE), there, 7000) == (SMALL, CLOUD, LARGE)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=6),
    st.integers(0, 60),
)
@example([(True, 1), (False, 0), (True, 0)], 2)
def test_room_orders_a_choice_and_never_takes_the_last(rows: list[tuple[bool, int]], tokens: int) -> None:
    pairs = tuple(pair(f"d{n}", HOUSE if inside else OUTSIDE) for n, (inside, _) in enumerate(rows))
    there = places(**{f"d{n}": context for n, (_, context) in enumerate(rows)})
    left = with_room(pairs, there, tokens)
    assert bool(left) == bool(pairs)
    for kind in DestinationKind:
        own = [each for each in left if each.kind is kind]
        assert own == [each for each in pairs if each in own]
    # A first choice in the house stays in the house.
    if pairs and pairs[0].kind is HOUSE:
        assert left[0].kind is HOUSE
