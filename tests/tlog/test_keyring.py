from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog.canonical import encode, parse
from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.keyring import (
    CONTEXT,
    Keyring,
    ListedKey,
    Role,
    fingerprint,
    open_keyring,
    open_successor,
    sign_keyring,
)
from phigate.tlog.note import KeyType, Note, VerifierKey, sign_note
from tests.tlog.keys import Pair, pair

ORIGIN = "audit.hospital.example/phigate/2026h2"
ROOTS = [pair(f"root-{i}.hospital.example") for i in range(3)]
LOG = pair(ORIGIN)
GATE = pair(f"{ORIGIN}/gw-1")
WITNESS = pair("compliance.hospital.example", key_type=KeyType.COSIGNATURE)
KEYRING = Keyring(
    version=1,
    issued="2026-07-01T00:00:00.000000Z",
    expires="2027-07-01T00:00:00.000000Z",
    threshold=2,
    roots=tuple(root.key for root in ROOTS),
    keys=(
        ListedKey(LOG.key, Role.CHECKPOINT, ORIGIN),
        ListedKey(GATE.key, Role.ENROLMENT, ORIGIN, start=5, end=900),
        ListedKey(GATE.key, Role.RECORD, ORIGIN, end=40),
        ListedKey(WITNESS.key, Role.WITNESS),
    ),
    quorum=1,
)


def signers(*pairs: Pair) -> list[tuple[VerifierKey, Any]]:
    return [(each.key, each.sign) for each in pairs]


SIGNED = sign_keyring(KEYRING, signers(ROOTS[0], ROOTS[2]))


def test_a_keyring_is_read_as_it_was_signed() -> None:
    assert open_keyring(SIGNED) == KEYRING
    assert open_keyring(SIGNED, pinned=KEYRING.fingerprint) == KEYRING
    assert Keyring.from_text(KEYRING.to_text()) == KEYRING
    assert SIGNED.startswith(b'phigate.example/keyring/v1\n{"expires":"2027-')


def test_the_fingerprint_names_roots_and_threshold_in_no_order() -> None:
    assert KEYRING.fingerprint == fingerprint([root.key for root in reversed(ROOTS)], 2)
    assert KEYRING.fingerprint != fingerprint([root.key for root in ROOTS], 1)
    assert KEYRING.fingerprint != fingerprint([root.key for root in ROOTS[:2]], 2)
    assert KEYRING.fingerprint == replace(KEYRING, version=9, keys=(), quorum=0).fingerprint
    with pytest.raises(CheckError, match=f"of root sha256:00, found {KEYRING.fingerprint}"):
        open_keyring(SIGNED, pinned="sha256:00")


def test_fewer_roots_than_the_threshold_sign_nothing() -> None:
    with pytest.raises(CheckError, match="signatures of 2 root keys, found 1"):
        sign_keyring(KEYRING, signers(ROOTS[0]))
    with pytest.raises(CheckError, match="one of 3 known keys, found none"):
        sign_keyring(KEYRING, signers(LOG))
    forged = SIGNED.replace(b'"quorum":1', b'"quorum":0')
    with pytest.raises(CheckError, match="does not verify"):
        open_keyring(forged)


def test_a_successor_is_signed_by_the_roots_before_it() -> None:
    new_root = pair("new.hospital.example")
    after = replace(KEYRING, version=2, roots=(new_root.key,), threshold=1)
    signed = sign_keyring(after, signers(new_root, ROOTS[0], ROOTS[1]))
    assert open_successor(signed, before=KEYRING) == after
    with pytest.raises(CheckError, match="found none"):
        open_successor(sign_keyring(after, signers(new_root)), before=KEYRING)
    with pytest.raises(CheckError, match="2 root keys, found 1"):
        open_successor(sign_keyring(after, signers(new_root, ROOTS[0])), before=KEYRING)
    with pytest.raises(CheckError, match="a keyring version above 1, found 1"):
        open_successor(SIGNED, before=KEYRING)


def test_keys_are_listed_by_role_and_origin() -> None:
    assert [each.key for each in KEYRING.listed(Role.CHECKPOINT, ORIGIN)] == [LOG.key]
    assert KEYRING.listed(Role.CHECKPOINT, "elsewhere") == ()
    assert [each.key for each in KEYRING.listed(Role.WITNESS)] == [WITNESS.key]


def test_a_key_ends_by_size() -> None:
    key = ListedKey(GATE.key, Role.ENROLMENT, ORIGIN, start=5, end=9)
    assert [i for i in range(12) if key.holds_index(i)] == [5, 6, 7, 8]
    assert [i for i in range(12) if key.holds_size(i)] == [5, 6, 7, 8, 9]
    endless = ListedKey(GATE.key, Role.ENROLMENT, ORIGIN)
    assert endless.holds_index(10**9)
    assert endless.holds_size(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 0}, "version from 1, found 0"),
        ({"issued": "2026-07-01"}, "RFC 3339"),
        ({"expires": "2026-07-01T00:00:00.000000Z"}, "in this order"),
        ({"threshold": 0}, "threshold from 1 to 3, found 0"),
        ({"threshold": 4}, "threshold from 1 to 3, found 4"),
        ({"roots": (), "threshold": 1}, "threshold from 1 to 0"),
        ({"roots": (ROOTS[0].key, replace(ROOTS[0].key, name="again"))}, "16 different root keys"),
        ({"roots": (WITNESS.key,), "threshold": 1}, "root keys of type 0x01"),
        ({"quorum": 2}, "quorum from 0 to 1, found 2"),
        ({"quorum": -1}, "quorum from 0 to 1, found -1"),
        ({"keys": KEYRING.keys + KEYRING.keys[1:2]}, "once for a role"),
        ({"keys": (*KEYRING.keys, ListedKey(GATE.key, Role.CHECKPOINT, ORIGIN))}, "one checkpoint key"),
        ({"keys": (*KEYRING.keys, ListedKey(replace(WITNESS.key, name="w2"), Role.WITNESS))}, "different keys"),
        ({"keys": KEYRING.keys * 300}, "at most 1024 keys"),
    ],
)
def test_a_keyring_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        replace(KEYRING, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"role": Role.WITNESS, "origin": ""}, "witness key of type 0x04, found 0x01"),
        ({"key": WITNESS.key}, "checkpoint key of type 0x01, found 0x04"),
        ({"origin": ""}, "an origin for each key but a witness"),
        ({"key": WITNESS.key, "role": Role.WITNESS}, "an origin for each key but a witness"),
        ({"origin": "a b"}, "ASCII letters, digits"),
        ({"start": -1}, "key bounds"),
        ({"start": 5, "end": 4}, "key bounds"),
        ({"end": 1 << 63}, "key bounds"),
    ],
)
def test_a_key_that_fits_no_role_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        replace(KEYRING.keys[0], **changes)


def changed(**changes: Any) -> bytes:
    body: dict[str, Any] = dict(parse(KEYRING.to_text().split(b"\n")[1]))
    body.update(changes)
    body = {name: value for name, value in body.items() if value is not ...}
    return f"{CONTEXT}\n".encode() + encode(body) + b"\n"


VKEY = GATE.key.to_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "context line"),
        (CONTEXT.encode(), "context line"),
        (KEYRING.to_text().replace(b"/v1", b"/v2"), "context line"),
        (KEYRING.to_text()[:-1], "context line"),
        (KEYRING.to_text() + b"\n", "canonical JSON"),
        (changed(v=2), "a keyring of version v 1"),
        (changed(v=True), "a keyring of version v 1"),
        (changed(quorum=...), "a keyring of version v 1"),
        (changed(more=1), "a keyring of version v 1"),
        (changed(version="1"), "a number version"),
        (changed(version=True), "a number version"),
        (changed(issued=7), "expected a string"),
        (changed(roots="x"), "a list roots"),
        (changed(roots=[7]), "expected a string"),
        (changed(keys=[7]), "role, vkey, origin, from and until alone"),
        (changed(keys=[{"role": "enrolment", "vkey": VKEY, "origin": "a", "also": 1}]), "alone"),
        (changed(keys=[{"role": "god", "vkey": VKEY, "origin": "a"}]), "expected a role"),
        (changed(keys=[{"role": "enrolment", "origin": "a"}]), "expected a string"),
        (changed(keys=[{"role": "enrolment", "vkey": VKEY}]), "an origin for each key"),
        (
            changed(keys=[{"role": "enrolment", "vkey": VKEY, "origin": "a", "from": 0}], quorum=0),
            "re-encodes to itself",
        ),
        (changed(keys=[{"role": "enrolment", "vkey": VKEY, "origin": "a", "until": "9"}]), "a number until"),
    ],
)
def test_a_second_spelling_of_a_keyring_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Keyring.from_text(text)


def test_a_record_or_a_head_is_never_a_keyring() -> None:
    note = sign_note(b"audit.hospital.example\n1\nAAAA\n", signers(ROOTS[0]))
    with pytest.raises(FormatError, match="context line"):
        open_keyring(note.to_bytes())


@given(st.integers(0, len(SIGNED) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_no_changed_keyring_is_opened(at: int, put: bytes, drop: int) -> None:
    data = SIGNED[:at] + put + SIGNED[at + drop :]
    if data == SIGNED:
        return
    with pytest.raises(TlogError):
        open_keyring(data)


def test_a_signature_by_a_stranger_beside_the_roots_changes_nothing() -> None:
    note = Note.from_bytes(SIGNED)
    line = sign_note(note.text, signers(GATE)).signatures
    assert open_keyring(Note(note.text, note.signatures + line).to_bytes()) == KEYRING
