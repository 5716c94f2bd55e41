from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.cosign import cosign, cosignatures
from phigate.tlog.errors import CheckError
from phigate.tlog.merkle import TreeSize
from phigate.tlog.submit import Contradicts, Cosigned, Failed, KnowsSize, ask, merged, read_answer
from phigate.tlog.witness import check_request, decide
from tests.tlog import naive
from tests.tlog.keys import Pair
from tests.tlog.logs import WITNESSES
from tests.tlog.test_witness import ENTRIES, LOGS, NOW, WITNESS, head, known, request

NODE = partial(naive.node, ENTRIES)


def line(text: bytes, by: Pair = WITNESS, at_s: int = NOW) -> bytes:
    return cosign(text, at_s=at_s, key=by.key, sign=by.sign).to_line()


@given(old=st.integers(0, 60), new=st.integers(1, 60))
def test_what_is_asked_is_what_a_witness_accepts(old: int, new: int) -> None:
    old = min(old, new)
    sent = ask(head(new), old=TreeSize(old), node=NODE)
    assert check_request(sent.to_bytes(), LOGS) == sent
    assert decide(sent, known(old) if old else None, now_s=NOW).status == 200


def test_a_cosignature_is_kept_with_the_checkpoint() -> None:
    sent = request(7, 20)
    said = read_answer(sent, status=200, body=line(sent.checkpoint.note.text), witness=WITNESS.key)
    assert isinstance(said, Cosigned)
    assert [each.at_s for each in cosignatures(said.checkpoint.note, [WITNESS.key])] == [NOW]


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, line(b"another text\n"), Failed("bad_cosignature")),
        (200, line(head(20).note.text, WITNESSES[1]), Failed("bad_cosignature")),
        (200, b"", Failed("bad_cosignature")),
        (409, b"12\n", KnowsSize(TreeSize(12))),
        (409, b"25\n", KnowsSize(TreeSize(25))),
        (409, b"7\n", Failed("bad_answer")),
        (409, b"012\n", Failed("bad_answer")),
        (409, b"12", Failed("bad_answer")),
        (409, b"\xff\n", Failed("bad_answer")),
        (409, b"1" * 30 + b"\n", Failed("bad_answer")),
        (422, b"", Contradicts("a head of size 7 that this log's 20 entries do not continue")),
        (403, b"", Failed("key_unknown")),
        (404, b"", Failed("log_unknown")),
        (503, b"", Failed("witness_unavailable")),
        (302, b"", Failed("bad_answer")),
    ],
)
def test_every_answer_has_a_meaning(status: int, body: bytes, meaning: object) -> None:
    assert read_answer(request(7, 20), status=status, body=body, witness=WITNESS.key) == meaning


def test_a_second_head_of_one_size_is_a_contradiction() -> None:
    said = read_answer(request(20, 20), status=409, body=b"20\n", witness=WITNESS.key)
    assert said == Contradicts("another head of size 20")


def test_a_refusal_of_a_request_without_a_proof_says_nothing_about_the_log() -> None:
    assert read_answer(request(0, 20), status=422, body=b"", witness=WITNESS.key) == Failed("bad_answer")


@given(status=st.sampled_from([200, 409, 422, 500]), body=st.binary(max_size=200))
def test_no_answer_is_a_crash(status: int, body: bytes) -> None:
    said = read_answer(request(7, 20), status=status, body=body, witness=WITNESS.key)
    assert not isinstance(said, Cosigned)


def test_the_lines_of_several_witnesses_stand_under_one_head() -> None:
    heads = [
        SignedCheckpoint(head(20).head, replace(head(20).note, signatures=(*head(20).note.signatures, signed)))
        for signed in (cosign(head(20).note.text, at_s=NOW, key=w.key, sign=w.sign) for w in WITNESSES)
    ]
    keys = [w.key for w in WITNESSES]
    one = merged(heads, keys)
    assert len(cosignatures(one.note, keys)) == 3
    assert merged(heads[:1], keys) == heads[0]
    with pytest.raises(CheckError, match="found several heads"):
        merged([heads[0], head(21)], keys)
