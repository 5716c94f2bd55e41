"""The running ledger on SQLite: what is acknowledged stands, what fails is said, and the verifier agrees."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from phigate.audit.record import Draft, Kind, Receipt, Status
from phigate.errors import LedgerStateError, SettingsError, UnavailableError
from phigate.store.duties import Rhythm
from phigate.store.ledger import LedgerLimits, StoreLedger
from phigate.store.open import new_id, open_ledger
from phigate.store.source import DatabaseSource
from phigate.store.storage import Trouble
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Report, Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import FIELDS, ORIGIN, an_intent, an_outcome
from tests.store.faulty import FaultyStorage

pytestmark = pytest.mark.anyio
QUICK = LedgerLimits(deadline_s=0.5)
SEVERAL_S = 5.0


def a_ledger(folder: Path, **options: Any) -> StoreLedger:
    return open_ledger(
        f"sqlite:///{folder}/ledger.db",
        keys_folder=folder / "keys",
        origin=options.pop("origin", ORIGIN),
        replica="gw",
        min_free_bytes=options.pop("min_free_bytes", 0),
        **options,
    )


def faulty(ledger: StoreLedger) -> FaultyStorage:
    storage = FaultyStorage(ledger.writer.storage)
    ledger.writer.storage = cast("Any", storage)
    return storage


def checked(folder: Path) -> Report:
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        return verify(source, Demand())


def records(folder: Path) -> list[Record]:
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        return [parse_entry(bytes(row.entry)) for row in source.rows(0, source.size)]


def signed_size(folder: Path) -> int:
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        return source.signed_size


def assert_verified(folder: Path) -> Report:
    report = checked(folder)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    return report


def waiting_for(hold: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert hold.wait(SEVERAL_S)

    return wait


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SEVERAL_S):
        while not holds():  # noqa: ASYNC110 - the ledger's thread has no event to wait for
            await asyncio.sleep(0.005)


async def test_an_exchange_leaves_intent_and_outcome_that_verify(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        draft = an_intent()
        intent = await ledger.append(draft)
        outcome = await ledger.append(an_outcome(draft.rid, intent))
        assert ledger.ready() is None
        assert outcome.index == intent.index + 1
        assert intent.record_id == f"{ORIGIN}#{intent.index}"
        assert ledger.size() == outcome.size
        assert ledger.last_at() > 1_700_000_000
    report = assert_verified(tmp_path)
    assert report.kinds == {"genesis": 1, "key": 2, "intent": 1, "outcome": 1}
    assert report.uncovered == 0
    assert report.open_intents == []
    assert [r.kind for r in records(tmp_path)] == ["genesis", "key", "intent", "outcome", "key"]


async def test_many_callers_get_an_index_each(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        receipts = await asyncio.gather(*(ledger.append(an_intent()) for _ in range(300)))
        with DatabaseSource(f"sqlite:///{tmp_path}/ledger.db") as source:  # while it runs
            rows = {row.idx: bytes(row.leaf) for row in source.rows(0, source.size)}
    assert sorted(r.index for r in receipts) == list(range(2, 302))
    assert all(rows[r.index] == r.leaf for r in receipts)
    assert_verified(tmp_path)


async def test_boots_follow_each_other_with_keys_of_their_own(tmp_path: Path) -> None:
    for _ in range(3):
        async with a_ledger(tmp_path) as ledger:
            await ledger.append(an_intent())
    report = assert_verified(tmp_path)
    assert report.boots == 3
    by_boot: dict[str, list[int]] = {}
    for record in records(tmp_path):
        by_boot.setdefault(record.boot, []).append(record.seq)
    assert all(seqs == list(range(len(seqs))) for seqs in by_boot.values())


async def test_a_second_entry_about_the_same_attempt_is_refused_and_the_others_stand(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        draft = an_intent()
        await ledger.append(draft)
        results = await asyncio.gather(
            ledger.append(an_intent(draft.rid)),
            ledger.append(an_intent()),
            ledger.append(an_intent(draft.rid, attempt=2)),
            return_exceptions=True,
        )
    assert isinstance(results[0], UnavailableError)
    assert results[0].code == "entry_duplicate"
    assert all(isinstance(result, Receipt) for result in results[1:])
    assert_verified(tmp_path)


async def test_two_entries_about_one_attempt_in_one_batch_leave_one(tmp_path: Path) -> None:
    rid = new_id()
    async with a_ledger(tmp_path) as ledger:
        results = await asyncio.gather(*(ledger.append(an_intent(rid)) for _ in range(5)), return_exceptions=True)
    assert [isinstance(result, Receipt) for result in results].count(True) == 1
    assert_verified(tmp_path)


async def test_an_id_that_stands_gives_its_receipt_again(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        draft, eid = an_intent(), new_id()
        first = await ledger.append_as(draft, eid=eid)
        again = await ledger.append_as(draft, eid=eid)
        assert (again.index, again.leaf) == (first.index, first.leaf)
    assert assert_verified(tmp_path).kinds["intent"] == 1


@pytest.mark.parametrize("stood", [True, False])
async def test_a_commit_without_an_answer_is_settled_and_written_once(tmp_path: Path, *, stood: bool) -> None:
    async with a_ledger(tmp_path) as ledger:
        storage = faulty(ledger)
        storage.plan = [("commit", Trouble.DOWN, stood)]
        receipt = await ledger.append(an_intent())
        assert storage.plan == []
        assert receipt.index == 2
    report = assert_verified(tmp_path)
    assert report.kinds["intent"] == 1
    assert [r.seq for r in records(tmp_path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("stood", [True, False])
async def test_a_commit_in_doubt_at_the_deadline_is_refused_and_settled_later(tmp_path: Path, *, stood: bool) -> None:
    async with a_ledger(tmp_path, limits=QUICK) as ledger:
        storage = faulty(ledger)
        storage.plan = [("commit", Trouble.DOWN, stood), ("open", Trouble.DOWN, False)]
        storage.stay_down_after = "open"
        with pytest.raises(UnavailableError) as caught:
            await ledger.append(an_intent())
        assert caught.value.code == "ledger_unavailable"
        storage.down = False
        await ledger.append(an_intent())
    kinds = assert_verified(tmp_path).kinds
    assert kinds["intent"] == (2 if stood else 1)
    assert [r.seq for r in records(tmp_path)] == list(range(sum(kinds.values())))


async def test_while_the_database_is_down_appends_are_refused_and_a_loss_entry_follows(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, limits=QUICK) as ledger:
        storage = faulty(ledger)
        storage.down = True
        results = await asyncio.gather(*(ledger.append(an_intent()) for _ in range(4)), return_exceptions=True)
        assert all(isinstance(r, UnavailableError) and r.code == "ledger_unavailable" for r in results)
        assert ledger.ready() is not None
        storage.down = False
        await ledger.append(an_intent())
        assert ledger.ready() is None
    report = assert_verified(tmp_path)
    assert (report.kinds["intent"], report.kinds["loss"]) == (1, 1)
    loss = next(r for r in records(tmp_path) if r.kind == "loss")
    assert loss.fields["count"] == 4
    assert str(loss.fields["since"]) <= str(loss.fields["until"])
    assert [r.seq for r in records(tmp_path)] == list(range(report.size))


@pytest.mark.parametrize("method", ["begin", "grow"])
@pytest.mark.parametrize("trouble", [Trouble.DOWN, Trouble.DAMAGED])
async def test_a_failure_before_commit_is_tried_again(tmp_path: Path, method: str, trouble: Trouble) -> None:
    async with a_ledger(tmp_path) as ledger:
        storage = faulty(ledger)
        storage.plan = [(method, trouble, False)]
        await ledger.append(an_intent())
        assert "open" in storage.calls
        assert ("rows" in storage.calls) == (trouble is Trouble.DAMAGED), "an I/O error has the tail read back"
    assert [r.seq for r in records(tmp_path)] == [0, 1, 2, 3]
    assert_verified(tmp_path)


async def test_a_full_disk_is_said_at_once(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        faulty(ledger).plan = [("grow", Trouble.FULL, False)]
        with pytest.raises(UnavailableError, match="full") as caught:
            await ledger.append(an_intent())
        assert caught.value.code == "ledger_full"
        await ledger.append(an_intent())
    assert_verified(tmp_path)


async def test_below_the_watermark_outcomes_still_pass(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        draft = an_intent()
        intent = await ledger.append(draft)
        ledger._disk_room = lambda: "expected 512 MiB free on the ledger's disk, found 3"
        with pytest.raises(UnavailableError, match="512 MiB") as caught:
            await ledger.append(an_intent())
        assert caught.value.code == "ledger_full"
        assert ledger.ready() == "expected 512 MiB free on the ledger's disk, found 3"
        await ledger.append(an_outcome(draft.rid, intent))


async def test_a_full_queue_refuses_at_once_but_spares_room_for_outcomes(tmp_path: Path) -> None:
    limits = LedgerLimits(deadline_s=0.5, queue=3, spare=2)
    async with a_ledger(tmp_path, limits=limits) as ledger:
        hold = threading.Event()
        faulty(ledger).on_commit = waiting_for(hold)
        first = asyncio.create_task(ledger.append(an_intent()))
        await until(lambda: ledger._queue == type(ledger._queue)())
        await asyncio.sleep(0.02)
        waiting = [asyncio.create_task(ledger.append(an_intent())) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="at most 3 waiting entries") as caught:
            await ledger.append(an_intent())
        assert caught.value.code == "ledger_full"
        beat = asyncio.create_task(ledger.append(Draft(Kind.REFUSAL, {"reason": "policy", "count": 1})))
        await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(first, *waiting, beat)
    assert_verified(tmp_path)


async def test_an_entry_still_queued_at_its_deadline_never_appears(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, limits=LedgerLimits(deadline_s=0.2)) as ledger:
        hold = threading.Event()
        faulty(ledger).on_commit = waiting_for(hold)
        taken = asyncio.create_task(ledger.append(an_intent()))
        await asyncio.sleep(0.05)
        late = an_intent()
        with pytest.raises(UnavailableError, match=r"durable within 0.2 s"):
            await ledger.append(late)
        with pytest.raises(UnavailableError):
            await taken
        hold.set()
        await ledger.append(an_intent())
    rids = {r.rid for r in records(tmp_path)}
    assert late.rid not in rids
    assert_verified(tmp_path)


async def test_a_cancelled_intent_that_waits_is_withdrawn(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        hold = threading.Event()
        faulty(ledger).on_commit = waiting_for(hold)
        taken = asyncio.create_task(ledger.append(an_intent()))
        await asyncio.sleep(0.05)
        draft = an_intent()
        gone = asyncio.create_task(ledger.append(draft))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        hold.set()
        await taken
    assert draft.rid not in {r.rid for r in records(tmp_path)}


async def test_a_draft_with_text_is_refused_before_it_is_queued(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        with pytest.raises(UnavailableError) as caught:
            await ledger.append(Draft(Kind.INTENT, {**FIELDS, "app": "Maria da Silva"}, new_id(), 1))
        assert caught.value.code == "entry_refused"
        assert "Maria" not in str(caught.value)
    assert b"Maria" not in (tmp_path / "ledger.db").read_bytes()


async def test_an_oversized_entry_is_refused_and_its_neighbours_stand(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        big = Draft(Kind.INTENT, {**FIELDS, "rules": ["r" * 100] * 200}, new_id(), 1)
        results = await asyncio.gather(
            ledger.append(an_intent()), ledger.append(big), ledger.append(an_intent()), return_exceptions=True
        )
    assert [type(result).__name__ for result in results] == ["Receipt", "UnavailableError", "Receipt"]
    assert_verified(tmp_path)


# -- what dead boots leave ---------------------------------------------------------------------------------------


async def die(ledger: StoreLedger) -> None:
    """End a ledger as kill -9 would: nothing is retired, nothing is signed."""
    ledger._duties.end = lambda: None  # type: ignore[method-assign]
    await ledger.close()


async def test_intents_of_a_dead_boot_end_as_unknown_once(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    await ledger.start()
    drafts = [an_intent() for _ in range(70)]
    receipts = [await ledger.append(draft) for draft in drafts]
    await ledger.append(an_outcome(drafts[0].rid, receipts[0]))
    await die(ledger)
    for _ in range(2):
        async with a_ledger(tmp_path):
            pass
    report = assert_verified(tmp_path)
    assert report.open_intents == []
    ended = [r for r in records(tmp_path) if r.fields.get("by") == "reconciler"]
    assert len(ended) == 69
    assert {r.fields["status"] for r in ended} == {Status.UNKNOWN.value}
    assert {r.rid for r in ended} == {draft.rid for draft in drafts[1:]}


async def test_heartbeats_make_silence_evidence_and_checkpoints_follow_commits(tmp_path: Path) -> None:
    rhythm = Rhythm(checkpoint_s=0.05, heartbeat_s=0.1, reconcile_s=0.1)
    async with a_ledger(tmp_path, rhythm=rhythm) as ledger:
        receipt = await ledger.append(an_intent())
        await until(lambda: signed_size(tmp_path) >= receipt.size)
        await until(lambda: ledger.size() >= receipt.size + 2)
    beats = [r for r in records(tmp_path) if r.kind == "heartbeat"]
    assert len(beats) >= 2
    assert beats[-1].fields["settled"] == receipt.index, "the intent of this boot is still open"
    assert_verified(tmp_path)


# -- what must not be continued ----------------------------------------------------------------------------------


def tamper(folder: Path, *statements: str) -> None:
    """Do what an administrator of the database can do: triggers off, then anything."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


async def test_one_process_appends(tmp_path: Path) -> None:
    async with a_ledger(tmp_path):
        with pytest.raises(LedgerStateError, match=r"only process that appends to ledger.db"):
            await a_ledger(tmp_path).start()
    async with a_ledger(tmp_path):
        pass


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE ledger_entry SET entry = x'00' WHERE idx = 3", "entry 3 of .* does not hash to its leaf"),
        ("DELETE FROM ledger_entry WHERE idx = 3", "expected 7 entries at the tail, found 6"),
        ("UPDATE ledger_head SET root = zeroblob(32)", "does not hash to its root"),
        ("UPDATE ledger_head SET size = 6", "holds no frontier of its size"),
    ],
)
async def test_a_tampered_tail_is_not_continued(tmp_path: Path, statement: str, problem: str) -> None:
    async with a_ledger(tmp_path) as ledger:
        for _ in range(4):
            await ledger.append(an_intent())
    tamper(tmp_path, statement)
    with pytest.raises(LedgerStateError, match=problem):
        await a_ledger(tmp_path).start()


async def test_a_log_cut_back_consistently_is_not_continued_past_its_checkpoint(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        await ledger.append(an_intent())
        early = ledger.writer.head
        assert early is not None
        for _ in range(5):
            await ledger.append(an_intent())
    tamper(
        tmp_path,
        f"DELETE FROM ledger_entry WHERE idx >= {early.size}",
        f"DELETE FROM ledger_batch WHERE size > {early.size}",
        f"UPDATE ledger_head SET size = {early.size}, root = x'{early.root.hex()}',"
        f" frontier = x'{early.frontier.hex()}'",
    )
    assert checked(tmp_path).verdict is Verdict.FORK
    with pytest.raises(LedgerStateError, match=f"to extend its anchor of 9 entries, found {early.size}"):
        await a_ledger(tmp_path).start()


async def test_a_replica_that_sees_its_log_rolled_back_stops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_ledger(tmp_path, limits=QUICK) as ledger:
        await ledger.append(an_intent())
        early = ledger.writer.head
        assert early is not None
        await ledger.append(an_intent())
        tamper(
            tmp_path,
            f"DELETE FROM ledger_entry WHERE idx >= {early.size}",
            f"UPDATE ledger_head SET size = {early.size}, root = x'{early.root.hex()}',"
            f" frontier = x'{early.frontier.hex()}'",
        )
        for _ in range(2):
            with pytest.raises(UnavailableError, match="it was rolled back") as caught:
                await ledger.append(an_intent())
            assert caught.value.code == "ledger_unavailable"
        assert str(ledger.ready()).startswith("fork suspected: ")
    assert [m for m in caplog.messages if "fork_suspected" in m] == [
        f'{{"event":"fork_suspected","origin":"{ORIGIN}","size":4}}'
    ]


async def test_a_replica_that_sees_another_history_stops(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, limits=QUICK) as ledger:
        await ledger.append(an_intent())
        tamper(tmp_path, "UPDATE ledger_head SET root = zeroblob(32)")
        with pytest.raises(UnavailableError, match="it was forked"):
            await ledger.append(an_intent())


async def test_a_replaced_database_stops_the_replica(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, limits=QUICK) as ledger:
        await ledger.append(an_intent())
        tamper(tmp_path, "DELETE FROM ledger_head")
        with pytest.raises(UnavailableError, match="the database was replaced"):
            await ledger.append(an_intent())


async def test_a_closed_segment_takes_no_entry(tmp_path: Path) -> None:
    async with a_ledger(tmp_path):
        pass
    tamper(tmp_path, "UPDATE ledger_head SET closed = 1")
    with pytest.raises(LedgerStateError, match="start with the next segment's origin"):
        await a_ledger(tmp_path).start()


async def test_a_swapped_checkpoint_key_is_refused(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        await ledger.append(an_intent())
    other = tmp_path / "other"
    async with a_ledger(other):
        pass
    key = next((tmp_path / "keys").glob("checkpoint-*.key"))
    key.write_bytes((other / "keys" / key.name).read_bytes())
    with pytest.raises(SettingsError, match=r"that keyring.note lists, found another"):
        a_ledger(tmp_path)


async def test_a_checkpoint_by_another_key_is_refused(tmp_path: Path) -> None:
    async with a_ledger(tmp_path):
        pass
    for path in (tmp_path / "keys").iterdir():
        path.unlink()
    with pytest.raises(LedgerStateError, match="is not by this checkpoint key"):
        await a_ledger(tmp_path).start()


async def test_a_ledger_that_was_closed_says_so(tmp_path: Path) -> None:
    ledger = a_ledger(tmp_path)
    assert ledger.ready() == "the ledger has not started"
    await ledger.close()
    await ledger.start()
    await ledger.close()
    with pytest.raises(UnavailableError, match="the ledger is closed"):
        await ledger.append(an_intent())


async def test_a_start_searches_from_what_the_last_heartbeat_called_settled(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, rhythm=Rhythm(heartbeat_s=0.05, reconcile_s=0.02)) as ledger:
        for _ in range(3):
            draft = an_intent()
            await ledger.append(an_outcome(draft.rid, await ledger.append(draft)))
        size = ledger.size()
        await asyncio.sleep(0.3)
    settled = [r.fields["settled"] for r in records(tmp_path) if r.kind == "heartbeat"]
    assert cast("int", settled[-1]) >= size
    again = a_ledger(tmp_path)
    asked: list[int] = []
    real = again.writer.storage.open_intents

    def noted(log_id: int, start: int) -> Any:
        asked.append(start)
        return real(log_id, start)

    again.writer.storage.open_intents = noted  # type: ignore[method-assign]
    async with again:
        await again.append(an_intent())
    assert asked[0] == settled[-1]
    assert checked(tmp_path).open_intents != []
