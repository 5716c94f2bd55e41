"""UUID version 7: time first, version and variant in place, nothing else fixed."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.ids import uuid7
from phigate.audit.shapes import UUID


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_it_is_a_uuid_of_version_7_that_sorts_by_time(at_ms: int, randomness: bytes) -> None:
    text = uuid7(at_ms=at_ms, randomness=randomness)
    value = uuid.UUID(text)
    assert (value.version, value.variant, str(value)) == (7, uuid.RFC_4122, text)
    assert value.int >> 80 == at_ms
    assert UUID.holds(text)


def test_all_74_random_bits_are_used() -> None:
    texts = {uuid7(at_ms=1, randomness=(1 << bit).to_bytes(10, "big")) for bit in range(74)}
    assert len(texts) == 74


@pytest.mark.parametrize(("at_ms", "size"), [(-1, 10), (2**48, 10), (0, 9)])
def test_times_and_randomness_out_of_range_are_refused(at_ms: int, size: int) -> None:
    with pytest.raises(ValueError, match="ten random bytes and a time of 48 bits"):
        uuid7(at_ms=at_ms, randomness=bytes(size))
