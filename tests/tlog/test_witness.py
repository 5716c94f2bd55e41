from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint
from phigate.tlog.cosign import cosignatures
from phigate.tlog.errors import CheckError, FormatError
from phigate.tlog.export import policy
from phigate.tlog.merkle import EMPTY_ROOT, TreeSize, consistency_proof, leaf_hash
from phigate.tlog.note import Note, sign_note
from phigate.tlog.witness import (
    MAX_REQUEST_BYTES,
    SIZE_TYPE,
    Answer,
    Known,
    Request,
    check_request,
    cosigned,
    decide,
    known_logs,
    merge_answer,
    read_state,
)
from tests.tlog import naive
from tests.tlog.keys import pair
from tests.tlog.logs import LOG, ORIGIN, WITNESSES, keyring

ENTRIES = [b"%d" % n for n in range(60)]
LOGS = known_logs(policy(keyring(), ORIGIN))
WITNESS = WITNESSES[0]
NOW = 1_790_000_000


def head(size: int, *, entries: list[bytes] = ENTRIES, key: str = "") -> SignedCheckpoint:
    signer = pair(ORIGIN, seed=key)
    made = Checkpoint(ORIGIN, TreeSize(size), naive.mth(entries[:size]))
    return SignedCheckpoint(made, sign_note(made.to_text(), [(signer.key, signer.sign)]))


def request(old: int, new: int, *, entries: list[bytes] = ENTRIES) -> Request:
    node = partial(naive.node, entries)
    path = consistency_proof(old=TreeSize(old), new=TreeSize(new), node=node) if 0 < old <= new else ()
    return Request(TreeSize(old), path, head(new, entries=entries))


def known(size: int, at_s: int = NOW) -> Known:
    return Known(TreeSize(size), naive.mth(ENTRIES[:size]), at_s)


def test_a_request_is_read_as_it_was_written() -> None:
    made = request(7, 20)
    data = made.to_bytes()
    assert data.startswith(b"old 7\n")
    assert data.endswith(b"\n\n" + made.checkpoint.note.to_bytes())
    assert Request.from_bytes(data) == made
    assert Request.from_bytes(request(0, 20).to_bytes()).path == ()


DATA = request(7, 20).to_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a line old and a size"),
        (DATA.replace(b"old 7", b"old 07"), "without leading zeros"),
        (DATA.replace(b"old 7", b"old \xff"), "without leading zeros"),
        (DATA.replace(b"old 7", b"new 7"), "a line old and a size"),
        (DATA.replace(b"\n\n", b"\n"), "a line old and a size"),
        (DATA.replace(b"old 7\n", b"old 7\nAAAA\n"), "proof hashes of 32 bytes"),
        (DATA.replace(b"old 7\n", b"old 7\n!\n"), "base64"),
        (DATA.replace(b"old 7\n", b"old 7\n" + (b"A" * 43 + b"=\n") * 64), "at most 63 proof lines"),
        (DATA + b"x" * MAX_REQUEST_BYTES, "a request of at most"),
        (b"old 7\n\nrubbish", "an empty line"),
    ],
)
def test_a_request_that_is_none_is_400(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Request.from_bytes(data)
    answer = check_request(data, LOGS)
    assert isinstance(answer, Answer)
    assert answer.status == 400
    assert message in answer.body.decode()


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_mutated_request_is_refused_or_has_its_own_bytes(at: int, put: bytes, drop: int) -> None:
    data = DATA[:at] + put + DATA[at + drop :]
    try:
        made = Request.from_bytes(data)
    except FormatError:
        return
    assert made.to_bytes() == data


def test_an_unknown_log_is_404_and_an_unknown_key_403() -> None:
    answer = check_request(DATA, {"other.example": (LOG.key,)})
    assert isinstance(answer, Answer)
    assert answer.status == 404
    forged = replace(request(7, 20), checkpoint=head(20, key="thief")).to_bytes()
    answer = check_request(forged, LOGS)
    assert isinstance(answer, Answer)
    assert (answer.status, b"found none" in answer.body) == (403, True)
    changed = DATA.replace(b"\n20\n", b"\n21\n")
    answer = check_request(changed, LOGS)
    assert isinstance(answer, Answer)
    assert (answer.status, b"does not verify" in answer.body) == (403, True)


def test_an_old_size_above_the_new_one_is_400() -> None:
    answer = check_request(request(21, 20).to_bytes(), LOGS)
    assert isinstance(answer, Answer)
    assert answer.status == 400
    assert answer.body == b"expected an old size of at most 20, found 21\n"
    assert check_request(DATA, LOGS) == request(7, 20)


def test_the_first_head_is_taken_on_its_signature() -> None:
    answer = decide(request(0, 20), None, now_s=NOW)
    assert (answer.status, answer.store) == (200, known(20))
    refused = decide(replace(request(0, 20), path=(EMPTY_ROOT,)), None, now_s=NOW)
    assert (refused.status, refused.store) == (422, None)


def test_a_head_that_extends_the_known_one_is_taken() -> None:
    assert decide(request(7, 20), known(7), now_s=NOW + 1).store == known(20, NOW + 1)


def test_the_same_head_is_cosigned_again() -> None:
    assert decide(request(20, 20), known(20), now_s=NOW + 9).store == known(20, NOW + 9)
    refused = decide(replace(request(20, 20), path=(EMPTY_ROOT,)), known(20), now_s=NOW)
    assert (refused.status, refused.store) == (422, None)


@pytest.mark.parametrize("old", [0, 6, 8])
def test_another_old_size_is_409_with_the_known_one(old: int) -> None:
    answer = decide(request(old, 20), known(7), now_s=NOW)
    assert answer == Answer(409, b"7\n", SIZE_TYPE)
    assert decide(request(7, 20), None, now_s=NOW) == Answer(409, b"0\n", SIZE_TYPE)


def test_a_second_head_of_one_size_is_refused() -> None:
    fork = [*ENTRIES[:19], b"another"]
    answer = decide(request(20, 20, entries=fork), known(20), now_s=NOW)
    assert answer == Answer(409, b"20\n", SIZE_TYPE)


def test_a_head_of_another_history_is_422() -> None:
    fork = [b"another", *ENTRIES[1:]]
    answer = decide(request(7, 20, entries=fork), known(7), now_s=NOW)
    assert (answer.status, answer.store) == (422, None)
    assert b"the proof leads to old root" in answer.body
    missing = decide(replace(request(7, 20), path=()), known(7), now_s=NOW)
    assert (missing.status, b"proof hashes, found 0" in missing.body) == (422, True)


def test_time_never_runs_backwards() -> None:
    answer = decide(request(7, 20), known(7, NOW), now_s=NOW - 3600)
    assert answer.store == known(20, NOW)
    first = decide(request(0, 20), None, now_s=-5)
    assert first.store is not None
    assert first.store.at_s == 1


def test_the_empty_log_can_be_witnessed_and_grow() -> None:
    empty = decide(request(0, 0), None, now_s=NOW).store
    assert empty == Known(TreeSize(0), EMPTY_ROOT, NOW)
    assert decide(request(0, 5), empty, now_s=NOW).store == known(5)


def test_a_stored_head_that_cannot_be_one_is_not_believed() -> None:
    assert read_state(20, known(20).root, NOW) == known(20)
    for size, root, at_s in ((-1, EMPTY_ROOT, 1), (5, b"short", 1), (0, leaf_hash(b""), 1), (5, EMPTY_ROOT, 0)):
        with pytest.raises(FormatError):
            read_state(size, root, at_s)


# -- what the log makes of it --------------------------------------------------------------------------------------


def answered(made: Request, at_s: int = NOW) -> bytes:
    store = replace(known(made.checkpoint.head.size), at_s=at_s)
    answer = cosigned(made, store, key=WITNESS.key, sign=WITNESS.sign)
    assert answer.status == 200
    return answer.body


def test_a_cosignature_joins_the_checkpoint() -> None:
    made = request(7, 20)
    merged = merge_answer(made.checkpoint, answered(made), [WITNESSES[1].key, WITNESS.key])
    (said,) = cosignatures(merged.note, [WITNESS.key])
    assert (said.witness, said.at_s) == (WITNESS.key, NOW)
    assert SignedCheckpoint.from_bytes(merged.note.to_bytes()) == merged
    again = merge_answer(merged, answered(made, NOW + 5), [WITNESS.key])
    assert [each.at_s for each in cosignatures(again.note, [WITNESS.key])] == [NOW + 5]
    assert len(again.note.signatures) == 2


def test_an_answer_that_vouches_for_nothing_changes_nothing() -> None:
    made = request(7, 20)
    with pytest.raises(CheckError, match="cosignature of a known witness, found none"):
        merge_answer(made.checkpoint, answered(made), [WITNESSES[1].key])
    with pytest.raises(CheckError, match="does not verify"):
        merge_answer(made.checkpoint, answered(request(7, 21)), [WITNESS.key])
    for rubbish in (b"", b"rubbish", answered(made) * 2):
        with pytest.raises(FormatError):
            merge_answer(made.checkpoint, rubbish, [WITNESS.key])


def test_a_checkpoint_holds_a_bounded_number_of_signatures() -> None:
    made = request(7, 20)
    others = [pair(f"s{n}.example") for n in range(63)]
    lines = sign_note(made.checkpoint.note.text, [(p.key, p.sign) for p in others]).signatures
    full = replace(made.checkpoint, note=Note(made.checkpoint.note.text, (*made.checkpoint.note.signatures, *lines)))
    with pytest.raises(CheckError, match="at most 64 signatures"):
        merge_answer(full, answered(made), [WITNESS.key])


def test_the_logs_of_a_policy_are_known_by_their_origin() -> None:
    assert {ORIGIN: (LOG.key,)} == LOGS
    text = (
        f"# a comment\n\n  log {LOG.key.to_text()} https://log.example/\nlog {pair(ORIGIN, seed='2').key.to_text()}\n"
    )
    assert known_logs(text.encode()) == {ORIGIN: (LOG.key, pair(ORIGIN, seed="2").key)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "at least one log"),
        (b"quorum none\n", "at least one log"),
        (b"\xff", "UTF-8"),
        (b"log\n", "lines log, witness, group and quorum"),
        (b"logs x\n", "lines log, witness, group and quorum"),
        (b"log a b c\n", "lines log, witness, group and quorum"),
        (b"log rubbish\n", "name.hash.base64"),
        (f"log {WITNESS.key.to_text()}\n".encode(), "a log key of type 0x01, found 0x04"),
        (b"#" * 70_000, "at most 65536 bytes"),
    ],
)
def test_a_policy_that_names_no_log_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        known_logs(text)


class WitnessAgainstModel(RuleBasedStateMachine):
    """A log that may fork, and a witness: no two heads that were cosigned ever contradict each other."""

    def __init__(self) -> None:
        super().__init__()
        self.state: Known | None = None
        self.histories = [list(ENTRIES), [*ENTRIES[:5], b"fork", *ENTRIES[6:]]]
        self.signed: list[tuple[int, int]] = []  # which history, size

    @rule(which=st.integers(0, 1), new=st.integers(0, 20), old=st.integers(0, 20) | st.none(), now=st.integers(1, 99))
    def submit(self, which: int, new: int, old: int | None, now: int) -> None:
        size = (self.state.size if self.state else 0) if old is None else old
        checked = check_request(request(size, new, entries=self.histories[which]).to_bytes(), LOGS)
        if isinstance(checked, Answer):
            assert size > new
            return
        answer = decide(checked, self.state, now_s=now)
        if answer.store is not None:
            assert self.state is None or answer.store.at_s >= self.state.at_s
            assert self.state is None or answer.store.size >= self.state.size
            self.state = answer.store
            self.signed.append((which, new))

    @invariant()
    def heads_agree(self) -> None:
        for which, size in self.signed[-3:]:
            for other, smaller in self.signed[-6:]:
                if smaller <= size:
                    assert self.histories[which][:smaller] == self.histories[other][:smaller]


TestWitnessAgainstModel = WitnessAgainstModel.TestCase
TestWitnessAgainstModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
