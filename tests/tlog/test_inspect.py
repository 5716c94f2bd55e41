from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from phigate.tlog.errors import CheckError
from phigate.tlog.inspect import (
    MAX_PROBLEMS,
    Carried,
    Gone,
    Intent,
    Run,
    Seen,
    Task,
    Trust,
    attempt_id,
    inspect,
    see_head,
)
from phigate.tlog.keyring import Role
from phigate.tlog.merkle import Frontier, TreeSize, leaf_hash
from phigate.tlog.record import parse_entry
from phigate.tlog.signers import Signers
from phigate.tlog.source import Columns, Stretch
from tests.tlog import naive
from tests.tlog.logs import AT_S, LOG, ORIGIN, WITNESSES, Boot, LogBuilder, columns_of, keyring, uuid

TRUST = Trust(ORIGIN, keyring().listed(Role.CHECKPOINT, ORIGIN), tuple(w.key for w in WITNESSES))


def task(log: LogBuilder, **changes: Any) -> Task:
    signers = Signers(keyring(), ORIGIN)
    for index, entry in enumerate(log.entries):
        record = parse_entry(entry)
        if record.kind in {"genesis", "key"}:
            signers.learn(index, record)
    plain = Task(Stretch(0, tuple(log.entries)), TRUST, signers.active(0, len(log.entries)), ())
    return replace(plain, **changes)


def started() -> tuple[LogBuilder, Boot]:
    log = LogBuilder()
    return log, log.start()


def problems(log: LogBuilder, **changes: Any) -> list[tuple[int, str]]:
    return inspect(task(log, **changes)).problems


def test_a_sound_stretch_is_handed_back_in_small() -> None:
    log, boot = started()
    log.exchanges(boot, 3)
    first = log.intent(boot, 900)
    log.add("loss", boot, seqs=[[5, 7], [9, 9]])
    log.add("segment_close", boot)
    seen = inspect(task(log, sizes=(1, 5)))
    assert (seen.problems, seen.more_problems) == ([], 0)
    assert (seen.start, seen.count) == (0, 11)
    assert dict(seen.kinds) == {"genesis": 1, "key": 1, "intent": 4, "outcome": 3, "loss": 1, "segment_close": 1}
    assert seen.runs == [Run(boot.id, 0, 10, 0)]
    assert seen.losses == [(boot.id, 5, 7), (boot.id, 9, 9)]
    assert seen.intents == [Intent(uuid(900), 1, first, leaf_hash(log.entries[first]).hex())]
    assert seen.outcomes == []
    assert len(seen.once) == 4 * 8
    assert seen.closed == 10
    assert (seen.first_ts, seen.last_ts) == ("2026-11-23T18:54:58.000001Z", "2026-11-23T18:54:58.000011Z")
    assert Frontier.from_bytes(seen.tree, size=11).root() == naive.mth(log.entries)
    assert seen.roots == {1: naive.mth(log.entries[:1]), 5: naive.mth(log.entries[:5])}
    assert (seen.tile_roots, seen.edge) == ([], b"".join(leaf_hash(e) for e in log.entries))
    assert pickle.loads(pickle.dumps(seen)) == seen


def test_the_genesis_may_name_the_segment_before() -> None:
    log = LogBuilder()
    boot = log.new_boot()
    log.add("genesis", boot, previous={"origin": "before", "size": 7})
    assert inspect(Task(Stretch(0, tuple(log.entries)), TRUST, {}, ())).previous == {"origin": "before", "size": 7}
    log = LogBuilder()
    log.add("genesis", boot, previous="odd")
    assert inspect(Task(Stretch(0, tuple(log.entries)), TRUST, {}, ())).previous is None


def test_an_outcome_of_an_earlier_segment_is_handed_back_for_that_segment_to_judge() -> None:
    log, boot = started()
    before = "audit.hospital.example/phigate/2026h1"
    named = {"idx": 900, "leaf": "ab" * 32, "log": before}
    log.add("outcome", boot, rid=uuid(7), attempt=2, intent=named)
    log.add("outcome", boot, rid=uuid(8), attempt=1, intent={**named, "idx": 0, "log": log.origin})
    log.add("outcome", boot, rid=uuid(8), attempt=1, intent={**named, "log": 7})
    seen = inspect(task(log))
    assert seen.carried == [Carried(2, before, Intent(uuid(7), 2, 900, "ab" * 32))]
    assert seen.outcomes == []
    assert seen.problems == [
        (3, "expected an outcome to name the log of its intent only where that is another"),
        (4, "expected an outcome to name the intent before it, by index and leaf"),
    ]


def test_a_destruction_and_a_close_are_handed_back() -> None:
    log, boot = started()
    log.add("destruction", boot, segment="audit.hospital.example/phigate/2019h1", size=8, root="ab" * 32)
    log.add("destruction", boot, segment="audit.hospital.example/phigate/2019h1", size=True, root="ab" * 32)
    log.add("segment_close", boot, next="audit.hospital.example/phigate/2027h1")
    seen = inspect(task(log))
    assert seen.gone == [Gone("audit.hospital.example/phigate/2019h1", 8, "ab" * 32, 2)]
    assert seen.problems == [(3, "expected a destruction to name a segment, its size and its root")]
    assert (seen.closed, seen.next) == (4, "audit.hospital.example/phigate/2027h1")


def test_every_problem_has_its_index() -> None:
    log, boot = started()
    log.exchanges(boot, 2)
    sound = task(log)
    entries = list(log.entries)
    entries[3] = entries[3].replace(b'"mono":4', b'"mono":9')
    entries[5] = entries[5].replace(b"\n\n", b"\n")
    found = inspect(replace(sound, stretch=Stretch(0, tuple(entries)))).problems
    assert [index for index, _ in found] == [3, 5]
    assert "does not verify" in found[0][1]
    assert found[1][1] == "expected an empty line between text and signatures"


def test_problems_are_bounded_and_counted() -> None:
    seen = inspect(Task(Stretch(2048, (b"?",) * 50), TRUST, {}, ()))
    assert len(seen.problems) == MAX_PROBLEMS
    assert seen.more_problems == 30
    assert seen.problems[0] == (2048, "expected an empty line between text and signatures")


def test_an_entry_of_another_log_does_not_belong_here() -> None:
    other = LogBuilder(origin="other.example/log")
    boot = other.new_boot()
    other.add("heartbeat", boot)
    assert inspect(Task(Stretch(9, tuple(other.entries)), TRUST, {}, ())).problems == [
        (9, f"expected an entry of {ORIGIN}, found one of other.example/log")
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leaf": b"\x00" * 32}, "does not hash to the leaf that is kept beside it"),
        ({"eid": "x"}, "not what the entry says"),
        ({"kind": "outcome"}, "not what the entry says"),
        ({"rid": None}, "not what the entry says"),
        ({"attempt": 2}, "not what the entry says"),
    ],
)
def test_columns_are_compared_to_the_entry(change: dict[str, Any], message: str) -> None:
    log, boot = started()
    index = log.intent(boot, 1)
    rows = [columns_of(entry) for entry in log.entries]
    assert problems(log, stretch=Stretch(0, tuple(log.entries), tuple(rows))) == []
    rows[index] = rows[index]._replace(**change)
    ((at, what),) = problems(log, stretch=Stretch(0, tuple(log.entries), tuple(rows)))
    assert (at, message in what) == (index, True)


def test_an_entry_may_speak_of_an_exchange_that_the_columns_leave_out() -> None:
    log, boot = started()
    index = log.add("access", boot, rid=uuid(1))
    rows: list[Columns] = [columns_of(entry) for entry in log.entries]
    assert rows[index].rid == uuid(1)
    for rid, attempt in ((uuid(1), 0), (uuid(1), None), (None, None)):
        rows[index] = rows[index]._replace(rid=rid, attempt=attempt)
        assert problems(log, stretch=Stretch(0, tuple(log.entries), tuple(rows))) == []
    rows[index] = rows[index]._replace(rid=uuid(2))
    assert len(problems(log, stretch=Stretch(0, tuple(log.entries), tuple(rows)))) == 1


def test_tiles_are_compared_leaf_by_leaf() -> None:
    log, boot = started()
    log.exchanges(boot, 150)
    leaves = [leaf_hash(entry) for entry in log.entries]
    full, edge = b"".join(leaves[:256]), b"".join(leaves[256:])
    seen = inspect(task(log, tiles=(full, edge)))
    assert seen.problems == []
    assert seen.tile_roots == [naive.mth(log.entries[:256])]
    assert seen.edge == edge
    assert problems(log, tiles=(None, None)) == []
    changed = full[: 32 * 7] + b"\x00" * 32 + full[32 * 8 :]
    assert problems(log, tiles=(changed, edge)) == [(7, "the entry does not hash to its place in tile/0/000")]
    assert problems(log, tiles=(full, edge[:-1])) == [
        (256, "tile/0/001.p/46: expected a tile of 1472 bytes, found 1471")
    ]


def test_a_counter_that_jumps_ends_a_run() -> None:
    log, boot = started()
    boot.seq = 9
    log.add("heartbeat", boot)
    other = log.new_boot("gw-2")
    log.introduce(other)
    log.add("heartbeat", boot)
    assert inspect(task(log)).runs == [Run(boot.id, 0, 1, 0), Run(boot.id, 9, 10, 2), Run(other.id, 0, 0, 3)]


def test_losses_that_are_no_pairs_explain_nothing() -> None:
    log, boot = started()
    for seqs in ("x", ["x"], [[1]], [["a", 1]], [[1, "b"]], [[1, 2, 3]]):
        log.add("loss", boot, seqs=seqs)
    log.add("loss", boot)
    assert inspect(task(log)).losses == []


def test_an_intent_names_an_attempt_that_is_not_open() -> None:
    log, boot = started()
    log.add("intent", boot, rid=uuid(1))
    log.add("intent", boot)
    log.intent(boot, 2)
    again = log.intent(boot, 2)
    other = log.intent(boot, 2, attempt=2)
    seen = inspect(task(log))
    assert seen.problems == [
        (2, "expected an intent to name its exchange and attempt"),
        (3, "expected an intent to name its exchange and attempt"),
        (again, "a second intent of the same attempt"),
    ]
    assert [intent.index for intent in seen.intents] == [4, other]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intent": "x"}, "by index and leaf"),
        ({"intent": {"idx": 2}}, "by index and leaf"),
        ({"intent": {"idx": "2", "leaf": "x"}}, "by index and leaf"),
        ({"intent": {"idx": 2, "leaf": 7}}, "by index and leaf"),
        ({"intent": {"idx": 3, "leaf": "00"}}, "by index and leaf"),
        ({"intent": {"idx": 2, "leaf": "00"}}, "names another intent"),
        ({"intent": {"idx": 1, "leaf": "00"}}, "names another intent"),
    ],
)
def test_an_outcome_names_the_intent_of_its_attempt(changes: dict[str, Any], message: str) -> None:
    log, boot = started()
    index = log.outcome(boot, 1, log.intent(boot, 1), **changes)
    ((at, what),) = problems(log)
    assert (at, message in what) == (index, True)


def test_an_outcome_without_attempt_names_nothing() -> None:
    log, boot = started()
    named = {"idx": 2, "leaf": "00"}
    log.add("outcome", boot, rid=uuid(1), intent=named)
    assert [what for _, what in problems(log)] == [
        "expected an outcome to name the intent before it, by index and leaf"
    ]


def test_an_outcome_of_an_earlier_stretch_is_handed_on() -> None:
    log, boot = started()
    index = log.outcome(boot, 1, log.intent(boot, 1))
    second = log.outcome(boot, 1, 2)
    leaf = leaf_hash(log.entries[2]).hex()
    assert inspect(task(log)).outcomes == [(second, Intent(uuid(1), 1, 2, leaf))]
    later = replace(task(log), stretch=Stretch(index, tuple(log.entries[index:second])))
    assert inspect(later).outcomes == [(index, Intent(uuid(1), 1, 2, leaf))]


def test_heads_are_verified_with_their_witnesses() -> None:
    log, _ = started()
    good, bad = log.head(witnesses=2), log.head(by=WITNESSES_LOG)
    seen: Seen = inspect(task(log, heads=((2, good), (2, bad), (3, good), (4, b"?"))))
    (head,) = seen.heads
    assert (head.size, head.root, head.note) == (2, naive.mth(log.entries), good)
    assert (head.witnesses, head.at_s) == (2, AT_S + 1)
    assert [size for size, _ in seen.bad_heads] == [2, 3, 4]
    assert "found none" in seen.bad_heads[0][1]
    assert "the checkpoint of size 3, found that of 2" in seen.bad_heads[1][1]


WITNESSES_LOG = type(LOG)(replace(LOG.key, public=b"\x01" * 32), LOG.sign)


def test_a_head_beyond_the_end_of_its_key_does_not_count() -> None:
    log, _ = started()
    ended = replace(TRUST, heads=(replace(TRUST.heads[0], end=1),))
    with pytest.raises(CheckError, match="one of 0 known keys"):
        see_head(log.head(), size=None, trust=ended)
    assert see_head(log.head(), size=None, trust=TRUST).size == TreeSize(2)


def test_attempts_of_one_exchange_have_ids_of_their_own() -> None:
    ids = {attempt_id(uuid(n), attempt) for n in range(50) for attempt in range(1, 20)}
    assert len(ids) == 950
    assert all(0 <= each < 1 << 64 for each in ids)
