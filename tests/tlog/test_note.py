from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st

from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.note import (
    MAX_SIGNATURES,
    KeyType,
    Note,
    Signature,
    VerifierKey,
    decode_base64,
    encode_base64,
    sign_note,
    sign_text,
    verify_note,
    verify_signature,
)
from tests.tlog.keys import pair
from tests.tlog.shared import vectors

ALICE = pair("hospital.example/alice")
BOB = pair("hospital.example/böb")
TEXT = "first line\nzweite Zeile: März\n".encode()


def test_a_note_is_read_back_byte_for_byte_and_verifies() -> None:
    note = sign_note(TEXT, [(ALICE.key, ALICE.sign), (BOB.key, BOB.sign)])
    data = note.to_bytes()
    assert data.startswith(TEXT + "\n— hospital.example/alice ".encode())
    assert Note.from_bytes(data) == note
    assert verify_note(note, [BOB.key, ALICE.key]) == (BOB.key, ALICE.key)
    assert verify_note(note, [ALICE.key]) == (ALICE.key,)


def test_the_example_of_signed_note_is_parsed() -> None:
    data = (
        "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
        "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihA"
        "QwaqP3ZekRwNtIc=\n"
    ).encode()
    note = Note.from_bytes(data)
    assert note.text.endswith("\n\ned è subito sera.\n".encode())
    assert note.signatures[0].key_id.hex() == "367ba04b"
    assert note.to_bytes() == data


def test_a_checkpoint_of_tessera_verifies_with_its_vkey() -> None:
    key = VerifierKey.from_text("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
    assert key.to_text().endswith("+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
    read = 0
    for path in sorted(vectors("tessera-log").glob("checkpoint*")):
        note = Note.from_bytes(path.read_bytes())
        assert verify_note(note, [key]) == (key,)
        with pytest.raises(CheckError, match=r"example.com/log/testdata\+33d7b496 does not verify"):
            verify_note(Note(note.text + b"x\n", note.signatures), [key])
        read += 1
    assert read == 17  # sizes 0 to 15, and the newest once more


def test_a_changed_text_or_signature_does_not_verify() -> None:
    note = sign_note(TEXT, [(ALICE.key, ALICE.sign)])
    with pytest.raises(CheckError, match="does not verify"):
        verify_note(Note(TEXT.replace(b"first", b"First"), note.signatures), [ALICE.key])
    line = note.signatures[0]
    for value in (line.value[:-1], line.value + b"\x00", b"\x00" * 64):
        with pytest.raises(CheckError, match="does not verify"):
            verify_note(Note(TEXT, (Signature(line.name, line.key_id, value),)), [ALICE.key])


def test_lines_of_unknown_keys_are_ignored_but_never_enough() -> None:
    stranger = pair("hospital.example/alice", seed="other")
    note = sign_note(TEXT, [(stranger.key, stranger.sign), (ALICE.key, ALICE.sign)])
    assert verify_note(note, [ALICE.key]) == (ALICE.key,)
    with pytest.raises(CheckError, match="one of 1 known keys, found none"):
        verify_note(sign_note(TEXT, [(stranger.key, stranger.sign)]), [ALICE.key])
    with pytest.raises(CheckError, match="one of 0 known keys, found none"):
        verify_note(note, [])


def test_a_key_of_another_type_verifies_no_note() -> None:
    witness = pair("w.example", key_type=KeyType.COSIGNATURE)
    with pytest.raises(FormatError, match=r"type 0x01.* found type 0x04"):
        sign_text(TEXT, witness.key, witness.sign)
    with pytest.raises(CheckError, match="expected an Ed25519 key"):
        verify_signature(witness.key, witness.sign(TEXT), TEXT)


VALID = sign_note(TEXT, [(ALICE.key, ALICE.sign)]).to_bytes()
LINE = VALID[len(TEXT) + 1 :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (VALID[:-1], "end in a newline"),
        (VALID.replace(b"\n\n", b"\n"), "an empty line"),
        (TEXT + b"\n", "end in a newline"),
        (VALID + b"\n", "end in a newline"),
        (VALID + b"more\n", "em dash"),
        (VALID.replace("— ".encode(), b"- "), "em dash"),
        (VALID.replace("— ".encode(), "—  ".encode()), "key name of 1"),
        (VALID.replace(b"alice ", b"ali\xc2\xa0ce "), "without space, plus"),
        (VALID.replace(b"alice ", b"ali+ce "), "without space, plus"),
        (VALID.replace(b"alice ", b"alice\t"), "control character"),
        (VALID.replace(b"alice ", b"alice"), "a name, a space and base64"),
        (VALID.replace(b"\n", b"\r\n"), "control character"),
        (VALID.replace(b"first", b"f\x00rst"), "control character"),
        (VALID.replace(b"first", b"f\xffrst"), "expected UTF-8"),
        (VALID.replace(b"=\n", b"\n"), "padded standard base64"),
        (VALID[:-1] + b" \n", "padded standard base64"),
        (VALID + LINE, "sign once, found one twice"),
        (TEXT + b"\n" + "— a AAAAAA==\n".encode(), "found 4 bytes"),
        (TEXT + b"\n" + "— a \n".encode(), "found 0 bytes"),
        (TEXT + b"\n" + "— a AAAAAB==\n".encode(), "canonical base64"),
        (TEXT + b"\n" + "— a AAAA-_AA\n".encode(), "padded standard base64"),
        (TEXT + b"\n" + LINE * 10_000, "at most 262144 bytes"),
        (TEXT + b"\n" + "— a AAAAAAA=\n".encode() * (MAX_SIGNATURES + 1), "at most 64 signatures"),
        (b"", "an empty line"),
    ],
)
def test_a_second_spelling_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Note.from_bytes(data)


def test_sixteen_signatures_and_more_are_accepted() -> None:
    pairs = [pair(f"w{i}.example") for i in range(MAX_SIGNATURES)]
    note = sign_note(TEXT, [(p.key, p.sign) for p in pairs])
    assert len(verify_note(Note.from_bytes(note.to_bytes()), [p.key for p in pairs])) == MAX_SIGNATURES


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (Note(b"no newline", (sign_text(b"", ALICE.key, ALICE.sign),)), "ends in a newline"),
        (Note(TEXT, ()), "1 to 64 signatures, found 0"),
        (Note(b"\x07\n", (sign_text(b"", ALICE.key, ALICE.sign),)), "control"),
        (Note(TEXT, (sign_text(TEXT, ALICE.key, ALICE.sign),) * 2), "found one twice"),
    ],
)
def test_what_could_not_be_read_is_not_written(note: Note, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        note.to_bytes()


@given(st.binary(max_size=300) | st.text().map(str.encode))
@example(b"\n\n")
@example("\n\n— a AAAAAAA=\n".encode())
def test_whatever_is_accepted_has_one_encoding(data: bytes) -> None:
    accepts_only_its_own(data)


@given(st.integers(0, len(VALID) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_mutated_note_is_refused_or_is_another_note(at: int, put: bytes, drop: int) -> None:
    accepts_only_its_own(VALID[:at] + put + VALID[at + drop :])


def accepts_only_its_own(data: bytes) -> None:
    try:
        note = Note.from_bytes(data)
    except FormatError:
        return
    assert note.to_bytes() == data
    if note.text != TEXT:
        with pytest.raises(CheckError):
            verify_note(note, [ALICE.key])


def test_a_vkey_survives_its_text() -> None:
    for key_type in (KeyType.ED25519, KeyType.COSIGNATURE):
        key = pair("hospital.example/käy", key_type=key_type).key
        assert VerifierKey.from_text(key.to_text()) == key
    key = VerifierKey("pq.example", KeyType.ML_DSA_44, b"\x07" * 1312)
    assert VerifierKey.from_text(key.to_text()) == key


def test_the_id_of_an_ecdsa_key_is_the_hash_of_its_der_alone() -> None:
    public = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    one, two = VerifierKey("a.example", KeyType.ECDSA, der), VerifierKey("b.example", KeyType.ECDSA, der)
    assert one.id == two.id
    assert VerifierKey.from_text(one.to_text()) == one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.example", "name.hash.base64"),
        ("a.example+00000000", "name.hash.base64"),
        (ALICE.key.to_text().replace(ALICE.key.id.hex(), "00000000"), "expected key id"),
        (ALICE.key.to_text().replace(ALICE.key.id.hex(), ALICE.key.id.hex().upper()), "expected key id"),
        ("a.example+00000000+" + base64.b64encode(b"\x05" + b"k" * 32).decode(), "of type 0x01"),
        ("a.example+00000000+", "of type 0x01"),
        ("a.example+00000000+AQ==", "public key of 32 bytes, found 0"),
        ("a.example+00000000+Ag==", "expected a public key, found nothing"),
        ("+00000000+" + base64.b64encode(b"\x01" + b"k" * 32).decode(), "key name of 1"),
        ("a" * 256 + "+00000000+" + base64.b64encode(b"\x01" + b"k" * 32).decode(), "key name of 1"),
        ("a.example+00000000+ü", "base64"),
    ],
)
def test_a_vkey_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        VerifierKey.from_text(text)


def test_a_public_key_that_is_no_point_verifies_nothing() -> None:
    key = VerifierKey("a.example", KeyType.ED25519, b"\xff" * 32)
    with pytest.raises(CheckError, match="does not verify"):
        verify_signature(key, b"\x00" * 64, TEXT)


@given(st.binary(max_size=40))
def test_base64_is_read_as_it_is_written(data: bytes) -> None:
    assert decode_base64(encode_base64(data).encode()) == data


@given(st.text("ABCDw/+=- \n", max_size=8))
def test_no_two_base64_texts_mean_the_same_bytes(text: str) -> None:
    try:
        data = decode_base64(text.encode())
    except FormatError:
        return
    assert encode_base64(data) == text
