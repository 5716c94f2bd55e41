"""A shadow's folder: read when it changes, unsigned or not, and what cannot be read is no shadow and no trouble."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from phigate.policy.decide import decide
from phigate.policy.decision import Mode
from phigate.policy.lock import FILE
from phigate.store.bundles import BundleArchive, write_site
from phigate.store.shadow_folder import ShadowFolder
from tests.policy.making import facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_site(tmp_path / "s", endpoints={}, today=date(2026, 12, 1))
    (tmp_path / "s" / FILE).unlink()
    return tmp_path / "s"


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "site.yaml").read_text()
    assert old in text
    (folder / "site.yaml").write_text(text.replace(old, new, 1))


def test_nobody_has_to_sign_a_shadow(folder: Path) -> None:
    bundle = ShadowFolder(folder).current()
    assert bundle is not None
    assert (bundle.digest[:7], bundle.signed_by) == ("sha256:", ())
    assert decide(bundle, facts()).mode is Mode.SEND_SCRUBBED


def test_the_lock_and_its_signatures_change_nothing(folder: Path, tmp_path: Path) -> None:
    write_site(tmp_path / "signed", endpoints={}, today=date(2026, 12, 1))
    one, other = ShadowFolder(folder).current(), ShadowFolder(tmp_path / "signed").current()
    assert one is not None
    assert other is not None
    assert one.digest == other.digest


def test_it_is_read_when_it_changes(folder: Path) -> None:
    shadow = ShadowFolder(folder)
    first = shadow.current()
    assert shadow.look() is False
    assert shadow.current() is first
    change(folder, "max_stale_hours: 24", "max_stale_hours: 12")
    assert shadow.look() is True
    second = shadow.current()
    assert first is not None
    assert second is not None
    assert second.digest != first.digest


def test_its_files_can_be_kept_and_read_like_those_of_any_bundle(folder: Path, tmp_path: Path) -> None:
    bundle = ShadowFolder(folder).current()
    assert bundle is not None
    archive = BundleArchive(tmp_path / "kept")
    archive.keep(bundle)
    assert archive.read(bundle.digest).digest == bundle.digest


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("max_stale_hours: 24", "max_stale: 12", "unknown key 'max_stale'"),
        ("max_stale_hours: 24", "\tx: 1", "site.yaml:"),
        (
            "the demo keeps an image, app: demo, given: {findings: [], attachments: uncleaned}",
            "the demo keeps an image, app: demo, given: {findings: []}",
            "test failed: the demo keeps an image",
        ),
    ],
    ids=["unknown key", "tab", "failed test"],
)
def test_what_cannot_be_used_is_no_shadow(folder: Path, old: str, new: str, says: str) -> None:
    shadow = ShadowFolder(folder)
    change(folder, old, new)
    assert shadow.look() is True
    assert shadow.current() is None
    assert says in (shadow.problem() or "")
    assert shadow.look() is False
    change(folder, new, old)
    assert shadow.look() is True
    assert (shadow.current() is not None, shadow.problem()) == (True, None)


def test_a_folder_that_is_not_there_is_no_shadow(folder: Path) -> None:
    shadow = ShadowFolder(folder.with_name("nowhere"))
    assert shadow.current() is None
    assert "expected a folder" in (shadow.problem() or "")
    assert shadow.look() is False
