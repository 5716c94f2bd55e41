from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog.cosign import Cosignature, cosign, cosignatures, verify_cosignature
from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.note import KeyType, Note, Signature, VerifierKey, sign_note
from tests.tlog.keys import pair

LOG = pair("example.com/behind-the-sofa")
WITNESS = pair("witness.example.com/w1", key_type=KeyType.COSIGNATURE)
OTHER = pair("witness.example.com/w2", key_type=KeyType.COSIGNATURE)
TEXT = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
AT = 1679315147
LINE = cosign(TEXT, at_s=AT, key=WITNESS.key, sign=WITNESS.sign)
SIGNED = sign_note(TEXT, [(LOG.key, LOG.sign)])


def note(*lines: Signature) -> Note:
    return Note(TEXT, (*SIGNED.signatures, *lines))


def test_a_cosignature_says_who_and_when() -> None:
    read = Note.from_bytes(note(LINE).to_bytes())
    assert verify_cosignature(read, WITNESS.key) == Cosignature(WITNESS.key, AT)
    assert verify_cosignature(read, OTHER.key) is None
    assert cosignatures(read, [OTHER.key, WITNESS.key]) == (Cosignature(WITNESS.key, AT),)


def test_the_message_is_header_time_and_the_whole_text() -> None:
    said: list[bytes] = []

    def listen(message: bytes) -> bytes:
        said.append(message)
        return b"\x00" * 64

    line = cosign(TEXT, at_s=AT, key=WITNESS.key, sign=listen)
    assert said == [b"cosignature/v1\ntime 1679315147\n" + TEXT]
    assert line.value == AT.to_bytes(8, "big") + b"\x00" * 64


def test_the_example_of_tlog_cosignature_has_the_layout_that_is_read() -> None:
    line = (
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5n"
        "No0xUe+mbIUBkBIfZ+qnA=="
    )
    signature = Signature.from_line(line.encode())
    assert len(signature.value) == 72
    assert int.from_bytes(signature.value[:8], "big") == AT


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (LINE.value[:-1], "of 72 bytes by witness.example.com/w1, found 71"),
        (LINE.value + b"\x00", "found 73"),
        (b"\x00" * 8 + LINE.value[8:], "time above 0"),
        (b"\xff" * 8 + LINE.value[8:], "time above 0"),
        ((AT + 1).to_bytes(8, "big") + LINE.value[8:], "does not verify"),
        (LINE.value[:8] + b"\x00" * 64, "does not verify"),
    ],
)
def test_a_changed_cosignature_does_not_verify(value: bytes, message: str) -> None:
    changed = note(Signature(LINE.name, LINE.key_id, value))
    with pytest.raises(CheckError, match=message):
        verify_cosignature(changed, WITNESS.key)
    with pytest.raises(CheckError, match=message):
        cosignatures(changed, [OTHER.key, WITNESS.key])


def test_a_cosignature_of_another_head_does_not_count() -> None:
    other = Note(TEXT.replace(b"20852163", b"20852164"), (LINE,))
    with pytest.raises(CheckError, match="does not verify"):
        verify_cosignature(other, WITNESS.key)


def test_a_plain_signature_is_no_cosignature() -> None:
    with pytest.raises(CheckError, match=r"type 0x04.* found type 0x01"):
        verify_cosignature(SIGNED, LOG.key)
    with pytest.raises(FormatError, match=r"type 0x04.* found type 0x01"):
        cosign(TEXT, at_s=AT, key=LOG.key, sign=LOG.sign)
    # The same private key under both types: neither signature passes for the other.
    both = VerifierKey(WITNESS.key.name, KeyType.ED25519, WITNESS.key.public)
    assert both.id != WITNESS.key.id
    plain = note(Signature(WITNESS.key.name, WITNESS.key.id, WITNESS.sign(TEXT)))
    with pytest.raises(CheckError, match="of 72 bytes"):
        verify_cosignature(plain, WITNESS.key)


@given(st.integers(max_value=0) | st.integers(min_value=1 << 63))
def test_a_time_that_is_none_is_not_signed(at_s: int) -> None:
    with pytest.raises(FormatError, match="seconds above 0"):
        cosign(TEXT, at_s=at_s, key=WITNESS.key, sign=WITNESS.sign)
