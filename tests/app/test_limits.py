import pytest

from phigate.app.limits import Admission
from phigate.errors import TooManyRequestsError, UnavailableError
from phigate.policy.bundle import AppLimits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_app_that_uses_up_its_rate_waits_and_others_do_not() -> None:
    clock = Clock()
    admission = Admission(capacity=100, clock=clock)
    limits = AppLimits(requests_per_minute=60)
    for _ in range(10):
        with admission.place("a", limits):
            pass
    with pytest.raises(TooManyRequestsError, match="60 requests a minute") as caught:
        admission.enter("a", limits)
    assert caught.value.retry_after_s == 1
    with admission.place("b", limits):
        pass
    clock.now = 1.5
    with admission.place("a", limits):
        pass


def test_an_app_cannot_hold_more_than_its_open_requests() -> None:
    admission = Admission(capacity=100)
    limits = AppLimits(concurrent=2)
    admission.enter("a", limits)
    admission.enter("a", limits)
    with pytest.raises(TooManyRequestsError, match="2 requests open at once") as caught:
        admission.enter("a", limits)
    assert caught.value.code == "too_many_open_requests"
    admission.leave("a")
    admission.enter("a", limits)


def test_an_app_cannot_hold_more_than_its_share_of_the_queue() -> None:
    admission = Admission(capacity=4)
    limits = AppLimits(concurrent=64, queue_share=0.5)
    admission.enter("a", limits)
    admission.enter("a", limits)
    with pytest.raises(TooManyRequestsError) as caught:
        admission.enter("a", limits)
    assert caught.value.code == "queue_share_exceeded"
    admission.enter("b", limits)
    admission.enter("c", limits)
    assert admission.open == 4
    with pytest.raises(UnavailableError, match="full"):
        admission.enter("d", limits)


def test_a_place_is_given_back_when_the_block_raises() -> None:
    admission = Admission(capacity=1)
    with pytest.raises(RuntimeError), admission.place("a", AppLimits()):
        raise RuntimeError
    assert admission.open == 0
