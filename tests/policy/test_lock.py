"""The lock: two people in two roles answer for exactly these files, and nothing else counts."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.errors import PolicyFileError
from phigate.policy.lock import (
    DEVELOPMENT,
    Lock,
    TrustedKey,
    check_digests,
    development_key,
    file_digest,
    public_bytes,
    read_lock,
    sign,
    verify,
    without,
    write_lock,
)
from phigate.policy.yamls import parse

SECURITY, DPO, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
TRUST = (TrustedKey(public_bytes(SECURITY), "security"), TrustedKey(public_bytes(DPO), "dpo"))
LOCK = Lock("2026-12-01", {"site.yaml": "sha256:" + "0" * 64, "regimes/a.yaml": "sha256:" + "1" * 64})
SIGNED = sign(sign(LOCK, role="security", key=SECURITY), role="dpo", key=DPO)


def refused(lock: Lock, *, trust: tuple[TrustedKey, ...] = TRUST, dev: bool = False) -> str:
    with pytest.raises(PolicyFileError) as raised:
        verify(lock, trust=trust, dev=dev)
    assert (raised.value.code, raised.value.file) == ("PG002", "policy.lock")
    return raised.value.problem


def test_two_trusted_roles_are_enough() -> None:
    assert verify(SIGNED, trust=TRUST, dev=False) == ("dpo", "security")


def test_a_lock_is_read_as_it_was_written() -> None:
    again = read_lock(write_lock(SIGNED))
    assert (again.digest, again.files, again.effective) == (SIGNED.digest, SIGNED.files, SIGNED.effective)
    assert verify(again, trust=TRUST, dev=False) == ("dpo", "security")
    assert read_lock(write_lock(LOCK)).signatures == ()


def test_the_digest_names_the_files_and_the_day_not_the_signatures() -> None:
    assert SIGNED.digest == LOCK.digest == f"sha256:{hashlib.sha256(LOCK.body()).hexdigest()}"
    assert replace(LOCK, effective="2026-12-02").digest != LOCK.digest


def test_nobody_is_not_enough() -> None:
    assert "found none" in refused(LOCK)


def test_one_role_is_not_enough() -> None:
    assert "found security alone" in refused(sign(LOCK, role="security", key=SECURITY))


def test_two_signatures_of_one_role_are_refused() -> None:
    trust = (*TRUST, TrustedKey(public_bytes(DPO), "security"))
    one, two = SIGNED.signatures
    message = sign(LOCK, role="security", key=DPO).signatures[0]
    assert "two signatures of one role" in refused(replace(LOCK, signatures=(one, message)), trust=trust)
    assert two.role == "dpo"


def test_one_person_in_two_roles_is_refused() -> None:
    trust = (*TRUST, TrustedKey(public_bytes(SECURITY), "dpo"))
    both = sign(sign(LOCK, role="security", key=SECURITY), role="dpo", key=SECURITY)
    assert "one key in two roles" in refused(both, trust=trust)


def test_an_unknown_key_is_refused_however_many_others_signed() -> None:
    third = sign(SIGNED, role="compliance", key=STRANGER)
    assert "as compliance is unknown" in refused(third)


def test_a_revoked_key_is_refused() -> None:
    assert "is revoked" in refused(SIGNED, trust=(TRUST[0], replace(TRUST[1], revoked=True)))


def test_a_key_signs_in_its_own_role_alone() -> None:
    swapped = sign(sign(LOCK, role="dpo", key=SECURITY), role="security", key=DPO)
    assert "is trusted as security alone" in refused(swapped)


def test_a_changed_lock_is_refused() -> None:
    assert "does not fit" in refused(replace(SIGNED, effective="2020-01-01"))
    assert "does not fit" in refused(replace(SIGNED, files={**SIGNED.files, "x.yaml": "sha256:" + "2" * 64}))


def test_a_signature_of_one_role_is_none_of_another() -> None:
    first, second = SIGNED.signatures
    moved = replace(LOCK, signatures=(replace(first, sig=second.sig), second))
    assert "does not fit" in refused(moved)


def test_a_key_that_is_no_point_is_refused() -> None:
    key = b"\x02" + bytes(31)
    forged = replace(SIGNED.signatures[0], key=key, sig=bytes(64))
    trust = (*TRUST, TrustedKey(key, "security"))
    assert "does not fit" in refused(replace(LOCK, signatures=(forged, SIGNED.signatures[1])), trust=trust)


def test_the_development_signature_counts_under_dev_alone() -> None:
    lock = sign(LOCK, role=DEVELOPMENT, key=development_key())
    assert verify(lock, trust=(), dev=True) == (DEVELOPMENT,)
    assert "counts only with --dev" in refused(lock)


def test_the_development_role_is_signed_by_the_development_key_alone() -> None:
    assert "by the development key alone" in refused(sign(LOCK, role=DEVELOPMENT, key=STRANGER), dev=True)


def test_the_development_key_is_no_second_role() -> None:
    lock = sign(sign(LOCK, role="dpo", key=DPO), role=DEVELOPMENT, key=development_key())
    assert "counts only with --dev" in refused(lock)
    assert without(lock, DEVELOPMENT).signatures == lock.signatures[:1]


def test_signing_again_replaces_the_signature_of_that_role() -> None:
    assert len(sign(SIGNED, role="dpo", key=DPO).signatures) == 2


WRONG = {
    "another version": ("lock/v1", "lock/v2", "PG001", "unknown word"),
    "unknown key": ("effective:", "from:", "PG001", "unknown key 'from'"),
    "unknown role": ("role: dpo", "role: friend", "PG001", "unknown word 'friend'"),
    "short digest": ("0" * 64, "0" * 10, "PG003", "expected sha256: and 64 hex digits"),
    "short signature": (base64.b64encode(SIGNED.signatures[0].sig).decode(), "AAAA", "PG002", "64 bytes in base64"),
    "no base64": (base64.b64encode(SIGNED.signatures[0].key).decode(), "!", "PG002", "32 bytes in base64"),
    "other algorithm": ("ed25519:", "rsa:", "PG002", "expected ed25519:"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_lock_that_is_none_is_refused(case: str) -> None:
    old, new, code, says = WRONG[case]
    with pytest.raises(PolicyFileError) as raised:
        read_lock(write_lock(SIGNED).decode().replace(old, new, 1).encode())
    assert (raised.value.code, says in raised.value.problem) == (code, True)


def test_a_missing_signature_value_is_named() -> None:
    text = write_lock(SIGNED).decode().replace("    sig:", "    #sig:", 1)
    with pytest.raises(PolicyFileError, match="'sig' is missing"):
        read_lock(text.encode())


def test_layout_and_comments_do_not_change_a_digest() -> None:
    one = parse(b"a: 1\nb: [x, 'y']\n", file="f")
    two = parse(b'# note\nb:\n  - x\n  - "y"\na: 1\n', file="f")
    assert file_digest(one) == file_digest(two) != file_digest(parse(b"a: 2\nb: [x, y]\n", file="f"))


def test_every_difference_between_lock_and_files_is_told() -> None:
    assert list(check_digests(LOCK, LOCK.files)) == []
    digests = {"site.yaml": "sha256:" + "9" * 64, "new.yaml": "sha256:" + "0" * 64}
    told = {problem.file: problem.problem for problem in check_digests(LOCK, digests)}
    assert "is not there" in told["regimes/a.yaml"]
    assert "was changed after signing" in told["site.yaml"]
    assert "does not name this file" in told["new.yaml"]
