"""Verify one entry by its proof: that it stands in a log, under a head that the log signed and witnesses saw.

A proof says nothing about what else the log holds. The entry's own signature is checked as well where the key entry
that introduced its record key is given, with a proof of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from phigate.tlog.errors import CheckError, TlogError
from phigate.tlog.inspect import Trust, see_head
from phigate.tlog.keyring import Keyring, Role, open_keyring
from phigate.tlog.merkle import leaf_hash
from phigate.tlog.proof import Proof
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Head, Report, Verdict
from phigate.tlog.signers import KEY, Signers, check_record
from phigate.tlog.verify import Demand


@dataclass(frozen=True, slots=True)
class Proven:
    """The bytes of an entry and of the proof that it stands in a log."""

    entry: bytes
    proof: bytes


def verify_entry(proven: Proven, demand: Demand, *, introduction: Proven | None = None) -> Report:
    """Return what a proof shows. ``introduction`` is the key entry of the boot that wrote the entry. Never raises."""
    report = Report(pinned=demand.pinned is not None)
    if demand.keyring is None:
        report.add(Verdict.INCOMPLETE, "expected a keyring, found none: no signature can be checked without it")
        return report
    try:
        keyring = open_keyring(demand.keyring, pinned=demand.pinned)
        report.fingerprint, report.keyring_version = keyring.fingerprint, keyring.version
        report.quorum = keyring.quorum if demand.quorum is None else demand.quorum
        index, record = _in_log(proven, keyring, report)
        _conclude(report, demand, record)
        if introduction is None:
            report.warnings.append("the entry's own signature was not checked: its key entry was not given")
        else:
            _check_signature(index, record, introduction, keyring)
    except TlogError as error:
        report.add(Verdict.TAMPERED, str(error))
    return report


def _in_log(proven: Proven, keyring: Keyring, report: Report) -> tuple[int, Record]:
    """Check that the entry stands in the log that it names, and fill in the head. Raises `TlogError`."""
    proof = Proof.from_bytes(proven.proof)
    origin = proof.checkpoint.head.origin
    trust = Trust(
        origin,
        keyring.listed(Role.CHECKPOINT, origin),
        tuple(listed.key for listed in keyring.listed(Role.WITNESS)),
    )
    seen = see_head(proof.checkpoint.note.to_bytes(), size=None, trust=trust)
    keys = [listed.key for listed in trust.heads]
    proof.verify(leaf=leaf_hash(proven.entry), origin=origin, keys=keys)
    record = parse_entry(proven.entry)
    if record.log != origin:
        raise CheckError(f"expected an entry of {origin}, found one of {record.log}")
    head = Head(seen.size, seen.root, seen.witnesses, seen.at_s)
    report.origin, report.size, report.root, report.heads, report.newest = origin, seen.size, seen.root, 1, head
    report.kinds, report.first_ts, report.last_ts = {record.kind: 1}, record.ts, record.ts
    if seen.witnesses and seen.witnesses >= report.quorum:
        report.witnessed = head
    return proof.index, record


def _conclude(report: Report, demand: Demand, record: Record) -> None:
    report.warnings.append(f"one entry was checked, {record.eid}; nothing is said about the others")
    if report.quorum and report.witnessed is None:
        report.add(Verdict.POLICY, f"expected a head with {report.quorum} witnesses, found none")
    at_s = report.witnessed.witnessed_at_s if report.witnessed else 0
    if at_s < demand.witnessed_since_s:
        report.add(Verdict.POLICY, f"the newest cosignature is of time {at_s}: stale")


def _check_signature(index: int, record: Record, introduction: Proven, keyring: Keyring) -> None:
    at, key_record = _in_log(introduction, keyring, Report())
    if key_record.kind != KEY or key_record.log != record.log:
        raise CheckError("expected the key entry of the same log, found another entry")
    signers = Signers(keyring, record.log)
    signers.learn(at, key_record)
    check_record(record, index=index, keys=signers.active(0, index + 1))
