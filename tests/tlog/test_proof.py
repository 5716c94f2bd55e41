from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint
from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.merkle import TreeSize, inclusion_proof, leaf_hash
from phigate.tlog.note import sign_note
from phigate.tlog.proof import Proof
from tests.tlog import naive
from tests.tlog.keys import pair

ORIGIN = "example.com/fancylog"
KEY = pair(ORIGIN)
LOG = [b"%d" % i for i in range(40)]
SIGNED = SignedCheckpoint.from_bytes(
    sign_note(Checkpoint(ORIGIN, TreeSize(40), naive.mth(LOG)).to_text(), [(KEY.key, KEY.sign)]).to_bytes()
)
PATH = inclusion_proof(index=17, size=TreeSize(40), node=partial(naive.node, LOG))
PROOF = Proof(17, PATH, SIGNED)
DATA = PROOF.to_bytes()


def test_a_proof_is_one_file_that_verifies_offline() -> None:
    assert DATA.startswith(b"c2sp.org/tlog-proof@v1\nindex 17\n")
    assert DATA.endswith(SIGNED.note.to_bytes())
    proof = Proof.from_bytes(DATA)
    assert proof == PROOF
    assert proof.verify(leaf=leaf_hash(b"17"), origin=ORIGIN, keys=[KEY.key]) == (KEY.key,)


def test_a_proof_of_the_only_entry_has_no_hashes() -> None:
    head = Checkpoint(ORIGIN, TreeSize(1), leaf_hash(b"0"))
    proof = Proof(0, (), SignedCheckpoint(head, sign_note(head.to_text(), [(KEY.key, KEY.sign)])))
    assert Proof.from_bytes(proof.to_bytes()) == proof
    proof.verify(leaf=leaf_hash(b"0"), origin=ORIGIN, keys=[KEY.key])


def test_extra_data_of_others_is_kept_and_not_trusted() -> None:
    proof = Proof(17, PATH, SIGNED, b"where it came from")
    assert proof.to_bytes().split(b"\n")[1].startswith(b"extra ")
    assert Proof.from_bytes(proof.to_bytes()) == proof


def test_a_proof_of_another_entry_or_log_does_not_verify() -> None:
    with pytest.raises(CheckError, match="the proof leads to root"):
        PROOF.verify(leaf=leaf_hash(b"18"), origin=ORIGIN, keys=[KEY.key])
    with pytest.raises(CheckError, match="expected a checkpoint of elsewhere"):
        PROOF.verify(leaf=leaf_hash(b"17"), origin="elsewhere", keys=[KEY.key])
    with pytest.raises(CheckError, match="found none"):
        PROOF.verify(leaf=leaf_hash(b"17"), origin=ORIGIN, keys=[pair(ORIGIN, seed="x").key])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DATA.replace(b"@v1", b"@v2"), "the first line c2sp.org/tlog-proof@v1"),
        (b"", "the first line"),
        (DATA.replace(b"\n\n", b"\n"), "the first line"),
        (DATA.replace(b"index 17", b"index 017"), "without leading zeros"),
        (DATA.replace(b"index 17", b"index \xff"), "without leading zeros"),
        (DATA.replace(b"index 17", b"index  17"), "without leading zeros"),
        (DATA.replace(b"index 17\n", b""), "a line index and a number"),
        (b"c2sp.org/tlog-proof@v1\n\n" + SIGNED.note.to_bytes(), "a line index and a number"),
        (DATA.replace(b"index", b"extra \nindex"), "1 to 16384 bytes of extra data, found 0"),
        (DATA.replace(b"index", b"extra " + b"AAAA" * 6000 + b"\nindex"), "bytes of extra data, found 18000"),
        (DATA.replace(b"index", b"extra !\nindex"), "base64"),
        (DATA.replace(b"index 17\n", b"index 17\nAAAA\n"), "proof hashes of 32 bytes"),
        (DATA.replace(b"index 17\n", b"index 17\n" + b"A" * 42 + b"B=\n"), "canonical base64"),
        (DATA.replace(b"index 17\n", b"index 17\n" + (b"A" * 43 + b"=\n") * 70), "at most 64 proof hashes, found"),
        (DATA + b"\n", "newline"),
        (DATA + b"x" * 400_000, "a proof of at most"),
    ],
)
def test_a_second_spelling_of_a_proof_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Proof.from_bytes(data)


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_no_changed_proof_verifies(at: int, put: bytes, drop: int) -> None:
    data = DATA[:at] + put + DATA[at + drop :]
    try:
        proof = Proof.from_bytes(data)
    except FormatError:
        return
    assert proof.to_bytes() == data
    if data == DATA:
        return
    try:
        proof.verify(leaf=leaf_hash(b"17"), origin=ORIGIN, keys=[KEY.key])
    except TlogError:
        return
    # Only what nobody signs can differ: the opaque extra line.
    assert (proof.index, proof.path, proof.checkpoint) == (PROOF.index, PROOF.path, PROOF.checkpoint)
