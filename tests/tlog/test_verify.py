"""The tamper suite: each test does to a log what somebody with the database or a key could do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.tlog.errors import GapError, IncompleteError
from phigate.tlog.inspect import attempt_id
from phigate.tlog.keyring import ListedKey, Role, sign_keyring
from phigate.tlog.merkle import EMPTY_ROOT, leaf_hash
from phigate.tlog.report import Report, Verdict
from phigate.tlog.source import Stretch
from phigate.tlog.verify import Demand, verify
from tests.tlog.keys import pair
from tests.tlog.logs import (
    AT_S,
    ENROLMENT,
    LOG,
    ORIGIN,
    ROOT,
    Boot,
    LogBuilder,
    MemorySource,
    columns_of,
    keyring,
    root_of,
    signed_keyring,
    uuid,
)

PINNED = Demand(pinned=keyring().fingerprint)


def sound(exchanges: int = 20) -> tuple[LogBuilder, Boot]:
    log = LogBuilder()
    boot = log.start()
    log.exchanges(boot, exchanges // 2)
    log.publish()
    log.exchanges(boot, exchanges - exchanges // 2)
    log.publish(witnesses=2)
    return log, boot


def says(report: Report, verdict: Verdict, *words: str, first_bad: int | None = None) -> None:
    text = report.to_text()
    assert report.verdict is verdict, text
    for word in words:
        assert word in text, text
    if first_bad is not None:
        assert report.first_bad == first_bad, text


# -- what is sound -------------------------------------------------------------------------------------------------


def test_a_sound_log_is_verified() -> None:
    log, boot = sound()
    log.retire(boot)
    log.publish()
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.VERIFIED, "signed heads   3, newest of size 43", "witnesses      2 at size 42")
    assert not report.warnings
    assert (report.uncovered, report.boots, report.open_intents) == (0, 1, [])
    assert report.root == root_of(log.entries)


def test_entries_after_the_newest_checkpoint_are_told_apart() -> None:
    log, boot = sound()
    log.intent(boot, 900)
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.VERIFIED, "the last 1 entries stand after the newest checkpoint", "1 without outcome")
    assert report.open_intents == [42]


def test_a_log_of_many_stretches_and_tiles_is_verified_in_order() -> None:
    log = LogBuilder()
    boot = log.start()
    open_intent = log.intent(boot, 0xAAAA)
    log.exchanges(boot, 700)
    log.publish()
    log.exchanges(boot, 700)
    log.outcome(boot, 0xAAAA, open_intent)
    log.publish(witnesses=1)
    done: list[tuple[int, int]] = []
    report = verify(MemorySource.of(log), PINNED, progress=lambda at, total: done.append((at, total)))
    says(report, Verdict.VERIFIED, "entries        2804")
    assert done == [(2048, 2804), (2804, 2804)]
    assert report.open_intents == []


def test_several_boots_and_replicas_share_a_log() -> None:
    log, first = sound(2)
    second = log.new_boot("gw-2")
    log.introduce(second)
    at = log.intent(first, 77)
    log.add("heartbeat", second)
    log.outcome(second, 77, at, status="unknown")
    log.retire(first)
    log.publish()
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.VERIFIED, "boots          2")


def test_a_closed_segment_says_what_it_follows_and_what_stayed_open() -> None:
    log = LogBuilder()
    boot = log.new_boot()
    before = {"origin": "audit.hospital.example/phigate/2026h1", "size": 9, "root": "00" * 32}
    log.add("genesis", boot, signers=[ENROLMENT], previous=before)
    log.introduce(boot)
    log.intent(boot, 1)
    log.add("segment_close", boot)
    log.publish()
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.VERIFIED, "segment        closed", "1 exchanges of a closed segment have no outcome")
    assert report.previous == before
    log.add("heartbeat", boot)
    log.publish()
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "after the close of the segment", first_bad=4)


def test_the_empty_log_is_verified_with_its_checkpoint() -> None:
    log = LogBuilder()
    log.publish()
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.VERIFIED)
    assert (report.size, report.root) == (0, EMPTY_ROOT)
    says(verify(MemorySource([], []), PINNED), Verdict.INCOMPLETE, "expected a signed checkpoint")


# -- keys ----------------------------------------------------------------------------------------------------------


def test_without_a_pinned_key_the_report_says_so_and_verifies() -> None:
    log, _ = sound()
    report = verify(MemorySource.of(log), Demand())
    says(report, Verdict.VERIFIED, "KEY NOT PINNED", keyring().fingerprint)
    assert report.to_json()["key"] == {
        "pinned": False,
        "fingerprint": keyring().fingerprint,
        "keyring_version": 1,
    }


def test_without_a_keyring_nothing_can_be_said() -> None:
    log, _ = sound()
    says(verify(MemorySource.of(log, keyring_note=None), PINNED), Verdict.INCOMPLETE, "expected a keyring, found none")


def test_the_keyring_can_come_from_the_verifier() -> None:
    log, _ = sound()
    source = MemorySource.of(log, keyring_note=b"rubbish")
    says(verify(source, replace(PINNED, keyring=signed_keyring())), Verdict.VERIFIED)
    says(verify(source, PINNED), Verdict.TAMPERED, "the keyring: expected an empty line")


def test_a_keyring_of_other_roots_is_refused() -> None:
    mallory = pair("audit.hospital.example/root", seed="mallory")
    forged = sign_keyring(keyring(roots=(mallory.key,)), [(mallory.key, mallory.sign)])
    log, _ = sound()
    says(verify(MemorySource.of(log, keyring_note=forged), PINNED), Verdict.TAMPERED, "expected a keyring of root")
    says(verify(MemorySource.of(log, keyring_note=forged), Demand()), Verdict.VERIFIED, "KEY NOT PINNED")


def test_a_swapped_checkpoint_key_is_found() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    source.heads.append((42, log.head(by=pair(ORIGIN, seed="thief"))))
    says(verify(source, PINNED), Verdict.TAMPERED, "the checkpoint of size 42: expected a signature by one of 1")


def test_a_checkpoint_key_that_ended_signs_no_larger_head() -> None:
    log, _ = sound()
    listed = (replace(keyring().keys[0], end=22), *keyring().keys[1:])
    source = MemorySource.of(log, keyring_note=signed_keyring(keys=listed))
    says(verify(source, PINNED), Verdict.TAMPERED, "the checkpoint of size 42: expected a signature by one of 0")


def test_an_expired_keyring_is_judged_by_the_log_and_not_by_today() -> None:
    log, _ = sound()
    late = replace(PINNED, now="2031-01-01T00:00:00.000000Z")
    says(verify(MemorySource.of(log), late), Verdict.VERIFIED, "the keyring expired at 2027-07-01")
    early = replace(PINNED, now="2026-12-01T00:00:00.000000Z")
    assert not verify(MemorySource.of(log), early).warnings
    old = signed_keyring(expires="2026-08-01T00:00:00.000000Z")
    says(verify(MemorySource.of(log, keyring_note=old), PINNED), Verdict.POLICY, "before the last entry")


# -- somebody with the database (faults 11 to 15, 24, 25, 28) --------------------------------------------------------


def edited(source: MemorySource, index: int, old: bytes, new: bytes) -> None:
    assert old in source.entries[index]
    source.entries[index] = source.entries[index].replace(old, new)


def recomputed(source: MemorySource) -> MemorySource:
    """Make everything that no key protects agree with the entries again."""
    log = LogBuilder(entries=source.entries, heads=source.heads)
    fresh = MemorySource.of(log)
    return replace(source, tiles=fresh.tiles, columns=fresh.columns, commits=fresh.commits, root=fresh.root)


@pytest.mark.parametrize("hide", [False, True])
def test_an_edited_row_is_named(hide: bool) -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    edited(source, 17, b'"attempt":1', b'"attempt":2')
    report = verify(recomputed(source) if hide else source, PINNED)
    says(report, Verdict.TAMPERED, first_bad=17)


def test_a_deleted_row_is_a_gap() -> None:
    log, _ = sound()

    class Gapped(MemorySource):
        def stretches(self) -> Iterator[Stretch]:
            yield Stretch(0, ())
            raise GapError("entry 17 is missing", index=17)

    source = Gapped.of(log)
    report = verify(source, PINNED)
    says(report, Verdict.TAMPERED, "entry 17: entry 17 is missing", first_bad=17)


def test_a_deleted_row_with_all_later_ones_moved_up_is_found() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    del source.entries[17]
    report = verify(replace(recomputed(source), heads=source.heads[:1]), PINNED)
    says(report, Verdict.TAMPERED, "counter 17 of boot", first_bad=17)


def test_two_swapped_rows_are_both_named() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    source.entries[10], source.entries[11] = source.entries[11], source.entries[10]
    report = verify(source, PINNED)
    says(report, Verdict.TAMPERED, first_bad=10)
    assert {10, 11} <= {problem.index for problem in report.problems}


def test_a_tail_that_was_cut_is_a_rollback_with_the_head_as_proof() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    del source.entries[30:]
    report = verify(recomputed(source), PINNED)
    says(report, Verdict.FORK, "the log signed 42 entries, 30 are there", "two heads")
    assert report.fork == (log.heads[1][1], log.heads[0][1])
    assert report.first_bad == -1


def test_a_cut_before_every_checkpoint_still_shows_the_signed_head() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    del source.entries[5:]
    report = verify(recomputed(source), PINNED)
    says(report, Verdict.FORK)
    assert report.fork == (log.heads[0][1], b"")


def test_a_forged_tail_after_the_last_checkpoint_is_named() -> None:
    log, boot = sound()
    thief = Boot(boot.rep, boot.id, pair(boot.pair.key.name, seed="thief"), boot.seq)
    log.intent(thief, 999)
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "which no key entry before it", first_bad=42)


def test_a_replayed_entry_is_named() -> None:
    log, _ = sound()
    log.entries.append(log.entries[20])
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "stands in the log already", first_bad=42)


def test_an_entry_of_another_segment_is_named() -> None:
    log, _ = sound()
    other = LogBuilder(origin="audit.hospital.example/phigate/2027h1")
    other.start()
    log.entries.append(other.entries[1])
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "found one of audit.hospital.example/phigate/2027h1")


def test_columns_that_lie_are_named() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    assert source.columns is not None
    source.columns[9] = source.columns[9]._replace(kind="refusal")
    says(verify(source, PINNED), Verdict.TAMPERED, "columns eid, kind, rid and attempt", first_bad=9)


def test_a_head_row_and_commits_that_lie_are_found() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    says(verify(replace(source, root=EMPTY_ROOT), PINNED), Verdict.TAMPERED, "the root that is kept for size 42")
    commits = [*source.commits[:2], (source.commits[2][0], EMPTY_ROOT), *source.commits[3:]]
    says(verify(replace(source, commits=commits), PINNED), Verdict.TAMPERED, "at the commit of size 17 is another")


def test_fewer_entries_than_the_head_row_claims_are_incomplete() -> None:
    log, _ = sound()
    says(verify(replace(MemorySource.of(log), claimed=50), PINNED), Verdict.INCOMPLETE, "expected 50 entries, found 42")


def big() -> LogBuilder:
    log = LogBuilder()
    boot = log.start()
    log.exchanges(boot, 300)
    log.publish()
    return log


def test_a_tile_that_lies_is_found() -> None:
    log = big()
    source = MemorySource.of(log)
    data = source.tiles["tile/0/001"]
    source.tiles["tile/0/001"] = data[:-1] + bytes([data[-1] ^ 1])
    says(verify(source, PINNED), Verdict.TAMPERED, "does not hash to its place in tile/0/001", first_bad=511)


def test_a_tile_that_is_not_there_is_incomplete() -> None:
    source = MemorySource.of(big())
    del source.tiles["tile/0/001"]
    says(verify(source, PINNED), Verdict.INCOMPLETE, "tile/0/001 is not there")
    source = replace(MemorySource.of(big()), keeps_partial_tiles=True)
    says(verify(source, PINNED), Verdict.INCOMPLETE, "tile/0/002.p/90 is not there", "tile/1/000.p/2 is not there")


def test_an_upper_tile_that_lies_is_found_once() -> None:
    source = MemorySource.of(big())
    source.tiles["tile/1/000.p/2"] = b"\x00" * 64
    report = verify(source, PINNED)
    says(report, Verdict.TAMPERED, "tile/1/000.p/2 does not hold the roots")
    assert len(report.problems) == 1


# -- somebody with keys --------------------------------------------------------------------------------------------


def test_two_signed_heads_of_one_size_are_a_fork() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    other = log.head(root=leaf_hash(b"another history"))
    source.heads.append((42, other))
    report = verify(source, PINNED)
    says(report, Verdict.FORK, "the log signed root", "and it signed that as well")
    assert report.fork == (other, log.heads[1][1])


def test_two_signed_heads_neither_of_which_the_entries_reach_are_a_fork_as_well() -> None:
    log, _ = sound()
    source = replace(MemorySource.of(log), heads=[])
    notes = [log.head(root=leaf_hash(word)) for word in (b"one", b"two")]
    source.heads = [(42, note) for note in notes]
    says(verify(source, PINNED), Verdict.FORK, "two heads")


def test_a_history_rewritten_with_every_online_key_contradicts_an_earlier_head() -> None:
    log, boot = sound()
    earlier = log.heads[0][1]
    rewritten = LogBuilder()
    rewritten.boots = 0
    fresh = rewritten.start()
    rewritten.exchanges(fresh, 7)
    rewritten.add("heartbeat", fresh)
    rewritten.exchanges(fresh, 20)
    rewritten.publish()
    assert boot.id == fresh.id
    says(verify(MemorySource.of(rewritten), PINNED), Verdict.VERIFIED)
    report = verify(MemorySource.of(rewritten), replace(PINNED, earlier=(earlier,)))
    says(report, Verdict.FORK, "the log signed root")
    assert report.fork == (earlier, rewritten.heads[0][1])


def test_a_signed_head_that_no_other_supports_names_the_range() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    source.heads[1] = (42, log.head(root=leaf_hash(b"before")))
    says(verify(source, PINNED), Verdict.TAMPERED, "something changed from entry 22 to 41")
    source.heads = source.heads[1:]
    says(verify(source, PINNED), Verdict.TAMPERED, "something changed from entry 0 to 41")


def test_an_earlier_head_that_is_larger_than_the_log_is_a_rollback() -> None:
    log, boot = sound()
    old = MemorySource.of(log)
    log.exchanges(boot, 3)
    later = log.head()
    report = verify(old, replace(PINNED, earlier=(later,)))
    says(report, Verdict.FORK, "the log signed 48 entries, 42 are there")


def test_an_earlier_head_of_somebody_else_proves_nothing() -> None:
    log, _ = sound()
    foreign = log.head(by=pair(ORIGIN, seed="x"))
    for earlier in (foreign, b"rubbish"):
        report = verify(MemorySource.of(log), replace(PINNED, earlier=(earlier,)))
        says(report, Verdict.INCOMPLETE, "an earlier checkpoint proves nothing about this log")


def test_an_earlier_head_that_agrees_is_counted() -> None:
    log, _ = sound()
    report = verify(MemorySource.of(log), replace(PINNED, earlier=(log.heads[1][1], log.heads[0][1])))
    says(report, Verdict.VERIFIED, "signed heads   4")


def test_checkpoints_beyond_the_log_must_be_signed_to_count() -> None:
    log, _ = sound()
    source = MemorySource.of(log)
    source.heads.append((99, log.head(size=42, by=pair(ORIGIN, seed="x"))))
    says(verify(source, PINNED), Verdict.TAMPERED, "the checkpoint of size 99: expected the checkpoint of size 99")


def test_checkpoints_out_of_order_are_said_and_do_not_crash() -> None:
    log = LogBuilder()
    boot = log.start()
    early = log.head()
    log.exchanges(boot, 1100)
    log.heads += [(2060, log.head(size=2060)), (2, early)]
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "the checkpoint of size 2 is kept out of order")
    log.heads = [(2100, log.head(size=2100)), (2060, log.head(size=2060))]
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.VERIFIED, "signed heads   2, newest of size 2100")


def test_a_log_that_does_not_begin_with_a_genesis_is_named() -> None:
    log = LogBuilder()
    boot = log.new_boot()
    log.introduce(boot)
    log.publish()
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "a genesis as the first entry, found key", first_bad=0)


def test_a_second_genesis_is_named() -> None:
    log, boot = sound()
    log.add("genesis", boot, signers=[ENROLMENT])
    says(verify(MemorySource.of(log), PINNED), Verdict.TAMPERED, "a genesis at index 0 alone", first_bad=42)


def test_a_word_key_inside_another_entry_introduces_nothing() -> None:
    log, boot = sound()
    log.add("heartbeat", boot, nested={"kind": "key"})
    says(verify(MemorySource.of(log), PINNED), Verdict.VERIFIED)


def test_a_key_entry_that_is_no_entry_is_named_once() -> None:
    log, boot = sound()
    log.introduce(log.new_boot())
    log.entries[42] = log.entries[42].replace(b"\n\n", b"\n")
    report = verify(MemorySource.of(LogBuilder(entries=log.entries[:42], heads=log.heads)), PINNED)
    says(report, Verdict.VERIFIED)
    source = MemorySource(log.entries, log.heads)
    says(verify(source, PINNED), Verdict.TAMPERED, "an empty line", first_bad=42)
    del boot


def test_two_intents_of_one_attempt_are_found_across_stretches() -> None:
    log = LogBuilder()
    boot = log.start()
    log.outcome(boot, 0xAAAA, log.intent(boot, 0xAAAA))
    log.exchanges(boot, 1100)
    again = log.intent(boot, 0xAAAA)
    log.outcome(boot, 0xAAAA, again)
    log.publish()
    report = verify(MemorySource.of(log), PINNED)
    says(report, Verdict.TAMPERED, "a second intent of the same attempt", first_bad=again)


def test_two_exchanges_that_share_an_id_by_chance_are_no_problem() -> None:
    log, boot = sound(2)
    ids = ["019abc00-0000-7000-8000-00000000aaaa", "019abc01-0000-7000-8000-00000000aaaa"]
    assert attempt_id(ids[0], 1) == attempt_id(ids[1], 1)
    for rid in ids:
        log.add("intent", boot, rid=rid, attempt=1)
    log.add("heartbeat", boot, note='"kind":"intent"'.replace('"', ""), nested={"kind": "intent"})
    log.publish()
    source = MemorySource.of(log)
    says(verify(source, PINNED), Verdict.VERIFIED)
    source.entries.append(b'"kind":"intent"')
    report = verify(replace(source, columns=None, root=None), PINNED)
    says(report, Verdict.TAMPERED, first_bad=len(source.entries) - 1)


def test_reading_that_ends_early_is_incomplete() -> None:
    log, _ = sound()

    class Torn(MemorySource):
        def stretches(self) -> Iterator[Stretch]:
            yield from ()
            raise IncompleteError("tile/entries/000 is not there")

    says(verify(Torn.of(log), PINNED), Verdict.INCOMPLETE, "tile/entries/000 is not there")


# -- policy --------------------------------------------------------------------------------------------------------


def test_a_quorum_that_no_head_has_is_a_matter_of_policy() -> None:
    log, _ = sound()
    says(verify(MemorySource.of(log), replace(PINNED, quorum=2)), Verdict.VERIFIED, "(quorum 2)")
    says(verify(MemorySource.of(log), replace(PINNED, quorum=3)), Verdict.POLICY, "a head with 3 witnesses, found none")
    asks = signed_keyring(quorum=3)
    says(verify(MemorySource.of(log, keyring_note=asks), PINNED), Verdict.POLICY, "a head with 3 witnesses")


def test_a_stale_witness_is_a_matter_of_policy() -> None:
    log, _ = sound()
    fresh, stale = (replace(PINNED, witnessed_since_s=AT_S + n) for n in (1, 2))
    says(verify(MemorySource.of(log), fresh), Verdict.VERIFIED)
    says(verify(MemorySource.of(log), stale), Verdict.POLICY, f"of time {AT_S + 1}: stale")
    nobody = replace(MemorySource.of(log), heads=[(42, log.head())])
    says(verify(nobody, fresh), Verdict.POLICY, "of time 0: stale")


def test_a_cosignature_that_does_not_verify_is_no_witness() -> None:
    log, _ = sound()
    listed = keyring().keys
    swapped = tuple(
        ListedKey(replace(each.key, public=pair("x").key.public), each.role) if each.role is Role.WITNESS else each
        for each in listed[:3]
    )
    source = MemorySource.of(log, keyring_note=signed_keyring(keys=swapped))
    report = verify(source, PINNED)
    says(report, Verdict.VERIFIED, "witnesses      none")


# -- all of it -----------------------------------------------------------------------------------------------------

SOUND = sound(6)[0]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_single_change_to_any_entry_goes_unseen(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(SOUND.entries) - 1))
    entry = SOUND.entries[index]
    at = data.draw(st.integers(0, len(entry) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != entry[at]))
    changed = [*SOUND.entries]
    changed[index] = entry[:at] + bytes([byte]) + entry[at + 1 :]
    hidden = MemorySource(changed, list(SOUND.heads))  # columns, tiles and roots are recomputed by whoever hides it
    report = verify(hidden, PINNED)
    assert report.verdict is Verdict.TAMPERED
    assert report.first_bad in {index, -1} or report.first_bad > 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_reordering_goes_unseen_even_without_a_checkpoint(data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(SOUND.entries))).filter(lambda p: list(p) != sorted(p)))
    source = MemorySource([SOUND.entries[i] for i in order], [])
    assert verify(source, PINNED).verdict is Verdict.TAMPERED


def test_the_keys_of_the_builder_are_those_of_the_keyring() -> None:
    assert keyring().listed(Role.CHECKPOINT, ORIGIN)[0].key == LOG.key
    assert keyring().roots == (ROOT.key,)
    assert columns_of(SOUND.entries[2]).rid == uuid(2)
