import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.deid.fingerprint import fingerprints, of_texts
from phigate.phi import PHIText
from tests.deid.exchanges import parts_of

KEY = b"k" * 32
LONG = "The patient was seen in the ward today and is in good general state, without any fever."


def test_long_parts_are_recognised_and_short_ones_are_not() -> None:
    prints = fingerprints(parts_of(LONG, "short", LONG, LONG + "!"), key=KEY)
    assert len(prints) == 2
    assert fingerprints(parts_of("x" * 79), key=KEY) == ()
    assert len(fingerprints(parts_of("x" * 80), key=KEY)) == 1


def test_another_wrapping_of_the_same_text_is_the_same() -> None:
    assert fingerprints(parts_of(LONG), key=KEY) == fingerprints(parts_of(f" {LONG.replace(' ', chr(10))}\n"), key=KEY)


def test_a_reply_is_recognised_when_it_comes_back_as_a_part() -> None:
    assert (
        of_texts([PHIText(LONG), "short"], key=KEY)
        == of_texts([LONG], key=KEY)
        == fingerprints(parts_of(LONG), key=KEY)
    )


def test_without_the_key_nobody_can_test_a_guess() -> None:
    assert fingerprints(parts_of(LONG), key=KEY) != fingerprints(parts_of(LONG), key=b"j" * 32)
    with pytest.raises(ValueError, match="fingerprints need a key; without one anyone could test guesses"):
        fingerprints(parts_of(LONG), key=b"")


@given(st.text(min_size=80, max_size=200))
def test_any_text_has_one_digest_of_fixed_size(text: str) -> None:
    prints = fingerprints(parts_of(text), key=KEY)
    assert [len(digest) for digest in prints] == [32]
