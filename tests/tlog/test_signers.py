from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phigate.tlog.errors import CheckError, FormatError, TlogError
from phigate.tlog.keyring import Keyring, ListedKey, Role
from phigate.tlog.record import parse_entry
from phigate.tlog.signers import Signers, check_record
from tests.tlog.keys import Pair, pair
from tests.tlog.logs import ENROLMENT, LOG, ORIGIN, Boot, LogBuilder, keyring


def learn(log: LogBuilder, ring: Keyring | None = None) -> Signers:
    """Feed every genesis and key entry of a log."""
    signers = Signers(ring or keyring(), ORIGIN)
    for index, entry in enumerate(log.entries):
        record = parse_entry(entry)
        if record.kind in {"genesis", "key"}:
            signers.learn(index, record)
    return signers


def started() -> tuple[LogBuilder, Boot]:
    log = LogBuilder()
    return log, log.start()


def check(log: LogBuilder, index: int, signers: Signers | None = None) -> None:
    keys = (signers or learn(log)).active(0, len(log.entries) + 1)
    check_record(parse_entry(log.entries[index]), index=index, keys=keys)


def test_a_boot_signs_from_its_introduction_to_its_retirement() -> None:
    log, boot = started()
    inside = log.add("heartbeat", boot)
    log.retire(boot)
    outside = log.add("heartbeat", boot)
    check(log, inside)
    with pytest.raises(CheckError, match="was not in force at this index"):
        check(log, outside)


def test_an_entry_before_the_introduction_is_not_signed_by_it() -> None:
    log = LogBuilder()
    boot = log.new_boot()
    log.add("genesis", boot, signers=[ENROLMENT])
    early = log.add("heartbeat", boot)
    log.introduce(boot)
    with pytest.raises(CheckError, match="was not in force"):
        check(log, early)


def test_an_entry_by_an_unknown_key_names_it() -> None:
    log, _ = started()
    stranger = log.new_boot()
    index = log.add("heartbeat", stranger)
    with pytest.raises(CheckError, match=r"signed by .*/gw-1\+[0-9a-f]{8}, which no key entry before it introduced"):
        check(log, index)


def test_a_record_key_speaks_for_its_own_boot_and_replica_alone() -> None:
    log, boot = started()
    other = log.new_boot("gw-2")
    log.introduce(other)
    for claimed in (Boot("gw-1", other.id, boot.pair), Boot("gw-2", boot.id, boot.pair)):
        index = log.add("heartbeat", claimed)
        with pytest.raises(CheckError, match="the key of another boot or replica"):
            check(log, index)


def test_an_entry_has_one_signature() -> None:
    log, boot = started()
    index = log.add("heartbeat", boot, signers=[boot.pair, ENROLMENT])
    with pytest.raises(CheckError, match="expected one signature, found 2"):
        check(log, index)


def test_a_changed_entry_does_not_verify() -> None:
    log, boot = started()
    index = log.add("heartbeat", boot, size=1)
    log.entries[index] = log.entries[index].replace(b'"size":1', b'"size":2')
    with pytest.raises(CheckError, match="does not verify"):
        check(log, index)


def refused(message: str, kind: str, *, boot: Boot | None = None, **fields: Any) -> None:
    """Expect the last entry of a started log to be refused."""
    log, first = started()
    log.add(kind, boot or first, **fields)
    with pytest.raises(TlogError, match=message):
        learn(log)


NEW = Boot("gw-2", "f" * 32, pair("new"))
VKEY = NEW.pair.key.to_text()


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("op add or retire", {"op": "more", "vkey": VKEY, "role": "record"}),
        ("op add or retire", {"op": "add", "role": "record"}),
        ("name.hash.base64", {"op": "add", "vkey": "x", "role": "record"}),
        (
            "two signatures on a key entry, found 1",
            {"op": "add", "vkey": VKEY, "role": "record", "signers": [NEW.pair]},
        ),
        (
            "signature of an enrolment key",
            {"op": "add", "vkey": VKEY, "role": "record", "signers": [NEW.pair, LOG]},
        ),
        (
            "signature of the key that is introduced",
            {"op": "add", "vkey": VKEY, "role": "record", "signers": [LOG, ENROLMENT]},
        ),
        (
            "found one that is known",
            {"op": "add", "vkey": ENROLMENT.key.to_text(), "role": "record", "signers": [LOG, ENROLMENT]},
        ),
        (
            "signature of the record key of this boot",
            {"op": "add", "vkey": VKEY, "role": "checkpoint", "signers": [NEW.pair, ENROLMENT]},
        ),
        (
            "signature of the record key of this boot",
            {"op": "retire", "vkey": VKEY, "role": "record", "signers": [NEW.pair, ENROLMENT]},
        ),
    ],
)
def test_a_key_entry_that_breaks_a_rule_is_refused(message: str, fields: dict[str, Any]) -> None:
    refused(message, "key", boot=NEW, **fields)


def test_a_key_is_introduced_once_and_for_a_new_boot() -> None:
    for again in ("same key", "same boot"):
        log, boot = started()
        second = log.new_boot()
        claimed = Boot("gw-1", second.id, boot.pair) if again == "same key" else Boot("gw-1", boot.id, second.pair)
        log.introduce(claimed)
        with pytest.raises(CheckError, match="a new key for a new boot"):
            learn(log)
    log, boot = started()
    renamed = Pair(replace(boot.pair.key, name="renamed"), boot.pair.sign)
    log.introduce(Boot("gw-1", "e" * 32, renamed))
    with pytest.raises(CheckError, match="a new key for a new boot"):
        learn(log)


def test_a_signature_by_enrolment_over_other_text_does_not_count() -> None:
    log, _ = started()
    boot = log.new_boot()
    index = log.introduce(boot)
    log.entries[index] = log.entries[index].replace(b'"mono":3', b'"mono":4')
    with pytest.raises(CheckError, match="does not verify"):
        learn(log)


def test_another_boot_may_retire_a_dead_one() -> None:
    log, dead = started()
    alive = log.new_boot()
    log.introduce(alive)
    log.retire(dead, signers=[alive.pair, ENROLMENT])
    with pytest.raises(CheckError, match="the key of another boot"):
        learn(log)
    log.entries.pop()
    log.add("key", alive, op="retire", role="record", vkey=dead.pair.key.to_text(), signers=[alive.pair, ENROLMENT])
    index = log.add("heartbeat", dead)
    with pytest.raises(CheckError, match="was not in force"):
        check(log, index)


def test_a_key_that_is_not_in_force_cannot_be_retired() -> None:
    log, boot = started()
    log.add("key", boot, op="retire", role="record", vkey=VKEY, signers=[boot.pair, ENROLMENT])
    with pytest.raises(CheckError, match="retire a key in force"):
        learn(log)


def test_a_word_on_the_checkpoint_key_is_signed_by_boot_and_enrolment() -> None:
    log, boot = started()
    log.add("key", boot, op="add", role="checkpoint", vkey=LOG.key.to_text(), signers=[boot.pair, ENROLMENT])
    learn(log)


def test_the_genesis_stands_first_and_is_signed_by_enrolment_alone() -> None:
    refused("a genesis at index 0 alone", "genesis", signers=[ENROLMENT])
    log = LogBuilder()
    log.add("genesis", log.new_boot(), signers=[LOG])
    with pytest.raises(CheckError, match="signature of an enrolment key"):
        learn(log)
    log = LogBuilder()
    log.add("genesis", log.new_boot(), signers=[ENROLMENT, LOG])
    with pytest.raises(CheckError, match="one signature on the genesis, found 2"):
        learn(log)


def with_keys(*listed: ListedKey) -> Keyring:
    return keyring(keys=listed)


def test_an_enrolment_key_ends_by_size() -> None:
    log, _ = started()
    learn(log, with_keys(ListedKey(ENROLMENT.key, Role.ENROLMENT, ORIGIN, end=2)))
    log.introduce(log.new_boot())
    with pytest.raises(CheckError, match="signature of an enrolment key"):
        learn(log, with_keys(ListedKey(ENROLMENT.key, Role.ENROLMENT, ORIGIN, end=2)))


def test_the_keyring_can_end_a_record_key_early() -> None:
    log, boot = started()
    good = log.add("heartbeat", boot)
    bad = log.add("heartbeat", boot)
    ring = with_keys(
        ListedKey(ENROLMENT.key, Role.ENROLMENT, ORIGIN), ListedKey(boot.pair.key, Role.RECORD, ORIGIN, end=bad)
    )
    check(log, good, learn(log, ring))
    with pytest.raises(CheckError, match="was not in force"):
        check(log, bad, learn(log, ring))


def test_only_keys_that_may_speak_in_a_range_are_handed_out() -> None:
    log, first = started()
    log.retire(first)
    second = log.new_boot()
    start = log.introduce(second)
    signers = learn(log)
    assert {key.boot for key in signers.active(0, 3).values()} == {first.id}
    assert {key.boot for key in signers.active(0, 9).values()} == {first.id, second.id}
    assert {key.boot for key in signers.active(start, 9).values()} == {second.id}


def test_a_vkey_of_another_type_is_no_record_key() -> None:
    with pytest.raises(FormatError):
        learn_from_type()


def learn_from_type() -> None:
    log, boot = started()
    log.add("key", boot, op="add", role="record", vkey="a+00000000+AA==", signers=[boot.pair, ENROLMENT])
    learn(log)
