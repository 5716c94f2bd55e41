"""MACs over bodies: whole and in pieces agree, keys matter, key lengths are checked."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.audit.mac import BodyMAC, body_mac


@given(st.lists(st.binary(max_size=50)), st.binary(min_size=32, max_size=32))
def test_pieces_make_the_mac_of_the_whole(pieces: list[bytes], key: bytes) -> None:
    running = BodyMAC(key)
    for piece in pieces:
        running.update(piece)
    whole = b"".join(pieces)
    assert running.result() == body_mac(key, whole) == (len(whole), hmac.digest(key, whole, hashlib.sha256))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"a MAC key has 32 bytes, found {size}"):
        BodyMAC(bytes(size))
