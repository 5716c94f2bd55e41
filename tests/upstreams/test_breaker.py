from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phigate.upstreams.breaker import Breaker, State, Tolerance

_TOLERANCE = Tolerance(failures=2, pause_s=1.0, pause_max_s=4.0)


def _opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(_TOLERANCE)
    breaker.failed(at)
    breaker.failed(at)
    return breaker


def test_opens_only_after_the_tolerated_failures_in_a_row() -> None:
    breaker = Breaker(_TOLERANCE)
    assert not breaker.failed(0)
    breaker.succeeded()
    assert not breaker.failed(0)
    assert breaker.admit(0)
    assert breaker.failed(0)
    assert not breaker.admit(0.5)
    assert breaker.state(0.5) is State.OPEN


def test_one_trial_passes_after_the_pause_and_closes_it_by_success() -> None:
    breaker = _opened()
    assert breaker.wait_s(0.25) == 0.75
    assert breaker.state(1) is State.TRIAL
    assert breaker.admit(1)
    assert not breaker.admit(1.1)
    breaker.succeeded()
    assert breaker.state(1.2) is State.CLOSED
    assert breaker.wait_s(1.2) == 0


def test_each_failed_trial_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now = _opened(), 1.0
    for pause in (2.0, 4.0, 4.0):
        assert breaker.admit(now)
        assert breaker.failed(now)
        assert breaker.wait_s(now) == pause
        now += pause


def test_failures_of_calls_already_under_way_do_not_lengthen_the_pause() -> None:
    breaker = _opened()
    assert not breaker.failed(0.9)
    assert breaker.wait_s(0.9) == 0.09999999999999998


def test_abandoned_or_lost_trial_gives_its_place_back() -> None:
    breaker = _opened()
    assert breaker.admit(1)
    breaker.abandoned()
    assert breaker.admit(1)
    assert not breaker.would_admit(4.9)
    assert breaker.would_admit(5)


@given(st.lists(st.tuples(st.sampled_from("sfa"), st.integers(0, 80)), max_size=60))
def test_no_history_shuts_a_server_out_for_longer_than_the_longest_pause(steps: list[tuple[str, int]]) -> None:
    breaker, now = Breaker(_TOLERANCE), 0.0
    for what, after in steps:
        now += after / 8  # eighths of a second add up without rounding
        if breaker.admit(now):
            match what:
                case "s":
                    breaker.succeeded()
                case "f":
                    breaker.failed(now)
                case _:
                    breaker.abandoned()
    assert breaker.wait_s(now) <= _TOLERANCE.pause_max_s
    assert breaker.would_admit(now + _TOLERANCE.pause_max_s)
