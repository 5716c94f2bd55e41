"""The gate: what lints with errors or fails its own tests is not put in force; the calendar alone refuses nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from phigate.policy.bundle import Bundle
from phigate.policy.gate import Refusal, admit, first_error
from phigate.policy.lock import DEVELOPMENT, FILE, development_key, sign, write_lock
from phigate.store.bundles import make_lock
from tests.policy.making import HIPAA, NOW, edit


def resigned(files: dict[str, bytes]) -> dict[str, bytes]:
    lock = sign(make_lock(files, effective="2026-11-01"), role=DEVELOPMENT, key=development_key())
    return {**files, FILE: write_lock(lock)}


def admitted(files: dict[str, bytes], *, now: datetime = NOW) -> Bundle | Refusal:
    return admit(files, trust=(), dev=True, now=now, previous=None)


def test_the_shipped_bundle_is_admitted_in_any_year(shipped_files: dict[str, bytes]) -> None:
    for year in (2026, 2036, 2090):
        assert isinstance(admitted(shipped_files, now=datetime(year, 12, 31, tzinfo=UTC)), Bundle)


def test_a_bundle_that_does_not_load_is_refused_with_all_its_problems(shipped_files: dict[str, bytes]) -> None:
    refusal = admitted(edit(shipped_files, HIPAA, ("tables:", "tabels:"), ("method: safe", "method: saf")))
    assert isinstance(refusal, Refusal)
    assert [p.code for p in refusal.problems] == ["PG001", "PG001"]
    assert refusal.says().startswith("regimes/hipaa.yaml:")
    error = first_error(refusal)
    assert (error.code, len(error.more)) == ("PG001", 1)


def test_lint_errors_and_failed_tests_refuse(shipped_files: dict[str, bytes]) -> None:
    lints = admitted(resigned(edit(shipped_files, HIPAA, ("transform: age90", "transform: keep"))))
    assert isinstance(lints, Refusal)
    assert {p.code for p in lints.problems} == {"PG014"}
    fails = admitted(resigned(edit(shipped_files, HIPAA, ("expect: {mode: send_raw", "expect: {mode: block"))))
    assert isinstance(fails, Refusal)
    assert fails.says() == "test failed: raw only with the site flag"


def test_a_test_that_is_none_refuses(shipped_files: dict[str, bytes]) -> None:
    odd = admitted(resigned(edit(shipped_files, HIPAA, ("expect: {mode: send_raw", "expects: {mode: send_raw"))))
    assert isinstance(odd, Refusal)
    assert "unknown key 'expects'" in odd.says()


def test_an_unsigned_change_is_refused(shipped_files: dict[str, bytes]) -> None:
    refusal = admitted(edit(shipped_files, HIPAA, ("min_days: 2192", "min_days: 1")))
    assert isinstance(refusal, Refusal)
    assert refusal.problems[0].code == "PG003"
    with pytest.raises(IndexError):
        first_error(Refusal(()))
