from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid import shift
from phigate.deid.dates import Reading

READING = Reading("pt", date(2026, 11, 23))


@given(st.binary(min_size=1), st.binary(min_size=16), st.integers(1, 400))
def test_the_offset_is_never_zero_and_stays_in_range(subject: bytes, key: bytes, most: int) -> None:
    days = shift.days(subject, key=key, most=most)
    assert days != 0
    assert -most <= days <= most
    assert days == shift.days(subject, key=key, most=most)


def test_both_directions_and_both_ends_are_reached() -> None:
    seen = {shift.days(str(n).encode(), key=b"k" * 16, most=2) for n in range(200)}
    assert seen == {-2, -1, 1, 2}


def test_another_key_moves_another_way() -> None:
    assert len({shift.days(b"s", key=bytes([n]) * 16, most=365) for n in range(20)}) > 10


def test_a_range_without_days_is_an_error() -> None:
    with pytest.raises(ValueError, match="a range of 1 days or more, not fewer; correct range_days"):
        shift.days(b"s", key=b"k", most=0)


@given(
    st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.integers(-365, 365)
)
def test_intervals_between_dates_survive(one: date, other: date, offset: int) -> None:
    moved = [shift.moved(f"{day:%d/%m/%Y}", offset, READING) for day in (one, other)]
    assert moved == [(day + timedelta(offset)).isoformat() for day in (one, other)]


@pytest.mark.parametrize("value", ["May 2024", "yesterday", "31/02/2020", "01/01/0001"])
def test_only_whole_days_move(value: str) -> None:
    assert shift.moved(value, -30, READING) is None


def test_whole_weeks_keep_the_day_of_the_week() -> None:
    offsets = {shift.days(bytes([n]), key=b"k" * 32, most=30, weekday=True) for n in range(200)}
    assert all(offset % 7 == 0 and 0 < abs(offset) <= 28 for offset in offsets)
    assert len(offsets) == 8
    with pytest.raises(ValueError, match="a range of 7 days or more"):
        shift.days(b"x", key=b"k" * 32, most=6, weekday=True)
