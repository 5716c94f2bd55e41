from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.merkle import TreeSize, inclusion_proof
from phigate.tlog.proof import Proof
from phigate.tlog.report import Verdict
from phigate.tlog.single import Proven, verify_entry
from phigate.tlog.verify import Demand
from tests.tlog import naive
from tests.tlog.keys import pair
from tests.tlog.logs import AT_S, ORIGIN, LogBuilder, keyring, signed_keyring

LOG = LogBuilder()
BOOT = LOG.start()
LOG.exchanges(BOOT, 10)
LOG.retire(BOOT)
AFTER = LOG.add("heartbeat", BOOT)
HEAD = LOG.publish(witnesses=2)
DEMAND = Demand(keyring=signed_keyring(), pinned=keyring().fingerprint)


def proven(index: int, *, log: LogBuilder = LOG, head: bytes = HEAD) -> Proven:
    size = TreeSize(len(log.entries))
    path = inclusion_proof(index=index, size=size, node=partial(naive.node, log.entries))
    return Proven(log.entries[index], Proof(index, path, SignedCheckpoint.from_bytes(head)).to_bytes())


def test_a_proof_shows_one_entry_under_a_witnessed_head() -> None:
    report = verify_entry(proven(7), DEMAND)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert (report.origin, report.size, report.root) == (ORIGIN, 24, naive.mth(LOG.entries))
    assert report.witnessed is not None
    text = report.to_text()
    assert "nothing is said about the others" in text
    assert "the entry's own signature was not checked: its key entry was not given" in text


def test_with_the_key_entry_the_signature_is_checked_as_well() -> None:
    report = verify_entry(proven(7), DEMAND, introduction=proven(1))
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    assert "not checked" not in report.to_text()


@pytest.mark.parametrize("index", [0, 5])
def test_another_entry_introduces_nothing(index: int) -> None:
    report = verify_entry(proven(7), DEMAND, introduction=proven(index))
    assert report.verdict is Verdict.TAMPERED
    assert "expected the key entry of the same log, found another entry" in report.to_text()


def test_the_key_entry_of_another_boot_introduces_another_key() -> None:
    log = LogBuilder()
    first = log.start()
    at = log.add("heartbeat", first)
    second = log.introduce(log.new_boot())
    head = log.publish()
    of = partial(proven, log=log, head=head)
    assert verify_entry(of(at), DEMAND, introduction=of(1)).verdict is Verdict.VERIFIED
    report = verify_entry(of(at), DEMAND, introduction=of(second))
    assert "which no key entry before it introduced" in report.to_text()


def test_an_entry_that_is_not_the_one_proven_is_refused() -> None:
    one, other = proven(7), proven(8)
    report = verify_entry(Proven(other.entry, one.proof), DEMAND)
    assert report.verdict is Verdict.TAMPERED
    assert "the proof leads to root" in report.to_text()


def test_a_proof_under_a_strangers_head_is_refused() -> None:
    stranger = pair(ORIGIN, seed="x")
    report = verify_entry(proven(7, head=LOG.head(by=stranger)), DEMAND)
    assert report.verdict is Verdict.TAMPERED
    assert "expected a signature by one of 1 known keys" in report.to_text()


def test_an_entry_that_names_another_log_is_refused() -> None:
    log = LogBuilder()
    other = LogBuilder(origin="elsewhere.example/log")
    log.start()
    other.start()
    log.entries.append(other.entries[1])
    head = log.publish()
    report = verify_entry(proven(2, log=log, head=head), DEMAND)
    assert "expected an entry of audit.hospital.example/phigate/2026h2, found one of elsewhere" in report.to_text()


def test_without_keyring_or_under_another_nothing_counts() -> None:
    assert verify_entry(proven(7), Demand()).verdict is Verdict.INCOMPLETE
    report = verify_entry(proven(7), replace(DEMAND, pinned="sha256:00"))
    assert report.verdict is Verdict.TAMPERED
    assert "KEY NOT PINNED" in verify_entry(proven(7), replace(DEMAND, pinned=None)).to_text()


def test_witnesses_are_counted_and_their_age_is_judged() -> None:
    assert verify_entry(proven(7), replace(DEMAND, quorum=2)).verdict is Verdict.VERIFIED
    assert verify_entry(proven(7), replace(DEMAND, quorum=3)).verdict is Verdict.POLICY
    assert verify_entry(proven(7), replace(DEMAND, witnessed_since_s=AT_S + 1)).verdict is Verdict.VERIFIED
    assert verify_entry(proven(7), replace(DEMAND, witnessed_since_s=AT_S + 2)).verdict is Verdict.POLICY
    nobody = proven(7, head=LOG.head())
    assert verify_entry(nobody, replace(DEMAND, witnessed_since_s=1)).verdict is Verdict.POLICY


def test_rubbish_is_refused() -> None:
    good = proven(7)
    for bad in (Proven(b"", good.proof), Proven(good.entry, b""), Proven(b"\xff", b"\xff")):
        assert verify_entry(bad, DEMAND).verdict is Verdict.TAMPERED
