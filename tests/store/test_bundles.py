"""Bundles on disk: atomic activation, last good bundle, staleness, and the archive an auditor reads."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from phigate.errors import PolicyFileError
from phigate.policy.bundle import Bundle
from phigate.policy.decide import decide
from phigate.policy.decision import Mode
from phigate.policy.gate import Refusal
from phigate.policy.lock import DEVELOPMENT, FILE, development_key, sign, write_lock
from phigate.store.bundles import BundleArchive, FolderBundles, load_folder, make_lock, write_lock_file, write_site
from tests.policy.making import facts

NOW = 1_797_300_000.0  # December 2026


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_site(tmp_path / "p", endpoints={}, today=date(2026, 12, 1))
    return tmp_path / "p"


def change(folder: Path, name: str, old: str, new: str, *, signed: bool = True) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    if signed:
        lock = sign(make_lock(load_folder(folder), effective="2026-12-01"), role=DEVELOPMENT, key=development_key())
        write_lock_file(folder, lock)


def test_nothing_changed_is_nothing_to_activate(folder: Path) -> None:
    bundles = FolderBundles(folder, dev=True)
    assert bundles.prepare() is None
    assert bundles.refusal() is None


def test_a_signed_change_is_in_force_only_after_activation(folder: Path) -> None:
    bundles = FolderBundles(folder, dev=True)
    old = bundles.current()
    change(folder, "site.yaml", "max_stale_hours: 24", "max_stale_hours: 12")
    new = bundles.prepare()
    assert isinstance(new, Bundle)
    assert bundles.current() is old
    bundles.activate(new)
    assert bundles.current() is new
    assert bundles.current().site.max_stale_hours == 12
    assert bundles.prepare() is None


@pytest.mark.parametrize(
    ("old", "new", "signed", "code"),
    [
        ("max_stale_hours: 24", "max_stale_hours: 12", False, "PG003"),
        ("max_stale_hours: 24", "max_stale: 12", True, "PG001"),
        ("max_stale_hours: 24", "\tx: 1", False, "PG001"),
    ],
    ids=["unsigned", "unknown key", "tab"],
)
def test_a_bad_change_is_told_once_and_the_last_good_one_stays(
    folder: Path, old: str, new: str, code: str, *, signed: bool
) -> None:
    bundles = FolderBundles(folder, dev=True)
    good = bundles.current()
    change(folder, "site.yaml", old, new, signed=signed)
    refusal = bundles.prepare()
    assert isinstance(refusal, Refusal)
    assert refusal.problems[0].code == code
    assert bundles.prepare() is None
    assert bundles.refusal() == refusal
    assert bundles.current() is good


def test_a_failed_test_refuses_a_change(folder: Path) -> None:
    bundles = FolderBundles(folder, dev=True)
    change(
        folder,
        "site.yaml",
        "the demo keeps an image, app: demo, given: {findings: [], attachments: uncleaned}",
        "the demo keeps an image, app: demo, given: {findings: []}",
    )
    refusal = bundles.prepare()
    assert isinstance(refusal, Refusal)
    assert refusal.failed == ("the demo keeps an image",)
    with pytest.raises(PolicyFileError, match="test failed"):
        FolderBundles(folder, dev=True)


def test_a_change_that_is_taken_back_ends_the_alarm(folder: Path) -> None:
    bundles = FolderBundles(folder, dev=True)
    change(folder, "site.yaml", "max_stale_hours: 24", "max_stale_hours: 12", signed=False)
    assert isinstance(bundles.prepare(), Refusal)
    change(folder, "site.yaml", "max_stale_hours: 12", "max_stale_hours: 24", signed=False)
    assert bundles.prepare() is None
    assert bundles.refusal() is None


def test_a_last_good_bundle_that_is_too_old_lets_nothing_leave(folder: Path) -> None:
    clock = Clock()
    bundles = FolderBundles(folder, dev=True, now=clock)
    change(folder, "site.yaml", "max_stale_hours: 24", "max_stale_hours: 12", signed=False)
    bundles.prepare()
    clock.at += 24 * 3600 - 1
    assert decide(bundles.current(), facts()).mode is Mode.SEND_SCRUBBED
    clock.at += 1
    stale = bundles.current()
    assert decide(stale, facts()).mode is Mode.KEEP_ONPREM
    assert bundles.current() is stale  # one object, so that it is compiled once


def test_a_folder_that_vanishes_is_refused(folder: Path) -> None:
    bundles = FolderBundles(folder, dev=True)
    folder.rename(folder.with_name("gone"))
    refusal = bundles.prepare()
    assert isinstance(refusal, Refusal)
    assert "expected a folder" in refusal.says()
    assert bundles.prepare() is None


def test_a_bundle_that_fails_at_the_start_stops_it(folder: Path) -> None:
    change(folder, "regimes/hipaa.yaml", "transform: age90", "transform: keep")
    with pytest.raises(PolicyFileError, match="AGE: keep is no removal"):
        FolderBundles(folder, dev=True)
    with pytest.raises(PolicyFileError, match="counts only with --dev"):
        FolderBundles(folder, dev=False)


def test_the_archive_gives_back_what_was_in_force(folder: Path, tmp_path: Path) -> None:
    archive = BundleArchive(tmp_path / "kept")
    assert archive.digests() == ()
    bundle = FolderBundles(folder, dev=True).current()
    place = archive.keep(bundle)
    assert archive.keep(bundle) == place
    assert archive.digests() == (bundle.digest,)
    again = archive.read(bundle.digest)
    assert (again.digest, again.effective, dict(again.files)) == (bundle.digest, bundle.effective, dict(bundle.files))
    assert decide(again, facts()).forms == decide(bundle, facts()).forms


def test_an_altered_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = BundleArchive(tmp_path / "kept")
    bundle = FolderBundles(folder, dev=True).current()
    place = archive.keep(bundle)
    with pytest.raises(PolicyFileError, match="expected a digest"):
        archive.read("../etc")
    with pytest.raises(PolicyFileError, match="expected a folder"):
        archive.read("sha256:" + "0" * 64)
    other = make_lock(load_folder(place), effective="2020-01-01")
    (place / FILE).write_bytes(write_lock(other))
    with pytest.raises(PolicyFileError, match="expected the bundle"):
        archive.read(bundle.digest)
    (place / "site.yaml").write_text((place / "site.yaml").read_text().replace("hours: 24", "hours: 25"))
    with pytest.raises(PolicyFileError, match="changed after signing"):
        archive.read(bundle.digest)
