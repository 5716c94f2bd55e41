from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint, parse_size
from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.merkle import EMPTY_ROOT, MAX_SIZE, TreeSize, leaf_hash
from phigate.tlog.note import VerifierKey, sign_note
from tests.tlog.keys import pair
from tests.tlog.shared import vectors

ORIGIN = "audit.hospital.example/phigate/2026h2"
LOG = pair(ORIGIN)
ROOT = leaf_hash(b"")
HEAD = Checkpoint(ORIGIN, TreeSize(20852163), ROOT)
TEXT = HEAD.to_text()
SIGNED = sign_note(TEXT, [(LOG.key, LOG.sign)]).to_bytes()


def test_a_head_is_three_lines() -> None:
    assert TEXT == b"audit.hospital.example/phigate/2026h2\n20852163\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"
    assert Checkpoint.from_text(TEXT) == HEAD
    signed = SignedCheckpoint.from_bytes(SIGNED)
    assert signed.head == HEAD
    assert signed.verify(origin=ORIGIN, keys=[LOG.key]) == (LOG.key,)


def test_the_heads_of_tessera_are_read_and_written_back() -> None:
    key = VerifierKey.from_text("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
    sizes = []
    for path in vectors("tessera-log").glob("checkpoint*"):
        data = path.read_bytes()
        signed = SignedCheckpoint.from_bytes(data)
        signed.verify(origin="example.com/log/testdata", keys=[key])
        assert signed.head.to_text() == signed.note.text
        assert signed.note.to_bytes() == data
        sizes.append(signed.head.size)
    assert sorted(sizes) == [*range(16), 15]  # the newest stands there twice


def test_a_head_of_another_log_is_not_ours() -> None:
    with pytest.raises(CheckError, match=f"expected a checkpoint of elsewhere, found one of {ORIGIN}"):
        SignedCheckpoint.from_bytes(SIGNED).verify(origin="elsewhere", keys=[LOG.key])


def test_a_head_signed_by_a_stranger_does_not_verify() -> None:
    with pytest.raises(CheckError, match="found none"):
        SignedCheckpoint.from_bytes(SIGNED).verify(origin=ORIGIN, keys=[pair(ORIGIN, seed="other").key])
    forged = SIGNED.replace(b"20852163", b"20852164")
    with pytest.raises(CheckError, match="does not verify"):
        SignedCheckpoint.from_bytes(forged).verify(origin=ORIGIN, keys=[LOG.key])


def test_extension_lines_are_kept() -> None:
    head = Checkpoint("o", TreeSize(1), ROOT, ("one", "zwei – drei"))
    assert Checkpoint.from_text(head.to_text()) == head


def test_the_empty_tree_has_one_root() -> None:
    empty = Checkpoint("o", TreeSize(0), EMPTY_ROOT)
    assert Checkpoint.from_text(empty.to_text()) == empty
    with pytest.raises(FormatError, match="root hash of the empty tree at size 0"):
        Checkpoint("o", TreeSize(0), ROOT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace(b"20852163", b"020852163"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"007"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"+7"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"-7"), "without leading zeros"),
        (TEXT.replace(b"20852163", b" 7"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"7 "), "without leading zeros"),
        (TEXT.replace(b"20852163", b"7_0"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"7.0"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"0x7"), "without leading zeros"),
        (TEXT.replace(b"20852163", "٧".encode()), "without leading zeros"),
        (TEXT.replace(b"20852163", b"9223372036854775808"), "without leading zeros"),
        (TEXT.replace(b"20852163", b"9" * 1000), "without leading zeros"),
        (TEXT.replace(b"oB0=", b"oB1="), "canonical base64"),
        (TEXT.replace(b"oB0=", b"oB0"), "padded standard base64"),
        (TEXT.replace(b"oB0=", b"oB0= "), "padded standard base64"),
        (TEXT.replace(b"bjQLnP+z", b""), "32 bytes, found 26"),
        (TEXT.replace(b"\n", b"\r\n"), "control character"),
        (TEXT[:-1], "ends in a newline"),
        (TEXT + b"\n", "none of them empty"),
        (b"\n" + TEXT, "none of them empty"),
        (b"\n7\n\n", "none of them empty"),
        (b"o\n7\n", "three or more lines"),
        (b"o\xff\n7\n", "UTF-8"),
        (b"", "ends in a newline"),
        (TEXT + b"x" * 5000 + b"\n", "at most 4096 bytes, found 50"),
    ],
)
def test_a_second_spelling_of_a_head_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Checkpoint.from_text(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions", "message"),
    [
        ("", 1, ROOT, (), "one line each"),
        ("a\nb", 1, ROOT, (), "one line each"),
        ("a", 1, ROOT, ("",), "one line each"),
        ("a", -1, ROOT, (), "found -1"),
        ("a", MAX_SIZE + 1, ROOT, (), "tree size from 0"),
        ("a", 1, b"short", (), "32 bytes, found 5"),
        ("a\tb", 1, ROOT, (), "control character"),
        ("a\ud800", 1, ROOT, (), "UTF-8"),
        ("a" * 5000, 1, ROOT, (), "at most 4096"),
    ],
)
def test_a_head_that_could_not_be_read_is_not_written(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        Checkpoint(origin, TreeSize(size), root, extensions).to_text()


@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_mutated_head_is_refused_or_another_head(at: int, put: bytes, drop: int) -> None:
    data = TEXT[:at] + put + TEXT[at + drop :]
    try:
        head = Checkpoint.from_text(data)
    except FormatError:
        return
    assert head.to_text() == data
    assert (head == HEAD) == (data == TEXT)


@given(st.integers(0, MAX_SIZE))
def test_sizes_re_encode_to_themselves(size: int) -> None:
    assert parse_size(str(size)) == size


@given(st.text(max_size=6))
def test_no_other_text_is_a_size(text: str) -> None:
    if re.fullmatch("0|[1-9][0-9]*", text, re.ASCII) is None:
        with pytest.raises(FormatError):
            parse_size(text)
