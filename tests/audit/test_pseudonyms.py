"""Pseudonyms: staff can be told apart by who has the key, nobody by who has not, and every name fits an entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.pseudonyms import Pseudonyms
from phigate.audit.shapes import is_id

NAMES = Pseudonyms(b"r" * 32)


def test_tenants_patients_uses_and_roots_have_keys_of_their_own() -> None:
    other = Pseudonyms(b"s" * 32)
    keys = [
        NAMES.subject_key("t", "P-77"),
        NAMES.subject_key("t", "P-78"),
        NAMES.subject_key("u", "P-77"),
        NAMES.shift_key("t"),
        NAMES.hash_key("t"),
        other.subject_key("t", "P-77"),
        other.hash_key("t"),
    ]
    assert len(set(keys)) == len(keys)
    assert NAMES.hash_key("t") is NAMES.hash_key("t")


def test_no_two_lists_of_words_are_the_same_bytes() -> None:
    assert NAMES.subject_key("ab", "c") != NAMES.subject_key("a", "bc")
    assert NAMES.subject_key("", "subject") != NAMES.subject_key("subject", "")


@given(st.text(max_size=40))
def test_every_name_fits_an_entry_and_shows_nothing_of_itself(name: str) -> None:
    assert is_id(NAMES.person(name))
    assert NAMES.person(name) == NAMES.person(name)
    if len(name) > 3:
        assert name not in NAMES.person(name)


def test_a_key_of_another_size_is_refused_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="has 32 bytes, found 3"):
        Pseudonyms(b"key")
    assert repr(NAMES) == "<Pseudonyms>"
