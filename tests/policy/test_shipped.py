"""What ships in policies/: it loads, covers every entity type, passes its own tests, and no calendar breaks it."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from phigate.errors import PolicyFileError, SettingsError
from phigate.finding import ENTITY_TABLE
from phigate.policy.bundle import Bundle
from phigate.policy.cases import Outcome, run
from phigate.policy.load import load
from phigate.store.bundles import FolderBundles, load_folder, shipped_folder, write_site

SITE = {"medgemma": "http://127.0.0.1:9001/v1", "eu-cloud": "http://127.0.0.1:9002/v1"}


def test_every_type_a_recognizer_can_emit_has_a_row_in_every_shipped_regime(shipped: Bundle) -> None:
    for regime in shipped.regimes.values():
        assert regime.entities.keys() == ENTITY_TABLE.keys(), regime.id


def test_three_regimes_ship(shipped: Bundle) -> None:
    assert shipped.regimes.keys() == {"us.hipaa", "br.lgpd", "eu.gdpr"}


def test_every_inline_test_passes(shipped: Bundle) -> None:
    results = run(shipped)
    assert [(r.case.name, r.problems) for r in results if r.outcome is Outcome.FAILED] == []
    assert sum(r.outcome is Outcome.PASSED for r in results) >= 40


def test_the_shipped_lock_needs_dev(shipped_files: dict[str, bytes]) -> None:
    assert load(shipped_files, dev=True).signed_by == ("development",)
    with pytest.raises(PolicyFileError, match="counts only with --dev"):
        load(shipped_files)


def test_all_shipped_files_load_within_a_second(shipped_files: dict[str, bytes]) -> None:
    begun = time.process_time()
    load(shipped_files, dev=True)
    took = time.process_time() - begun
    print(f"\n{len(shipped_files)} files, three regimes, loaded and verified in {took * 1000:.0f} ms")
    assert took < 1.0


def test_a_site_copy_loads_and_passes_whenever_it_is_written(tmp_path: Path) -> None:
    for years in (-1, 0, 20):
        folder = tmp_path / str(years)
        write_site(folder, endpoints=SITE, today=date(2026, 11, 23) + timedelta(days=366 * years))
        bundle = FolderBundles(folder, dev=True).current()
        assert [r.case.name for r in run(bundle) if r.outcome is Outcome.FAILED] == []
        assert bundle.destinations["eu-cloud"].endpoint == SITE["eu-cloud"]


def test_a_site_copy_overwrites_nothing(tmp_path: Path) -> None:
    write_site(tmp_path, endpoints={}, today=date(2026, 11, 23))
    with pytest.raises(SettingsError, match="exists already"):
        write_site(tmp_path, endpoints={}, today=date(2026, 11, 23))


def test_an_endpoint_for_a_destination_that_does_not_ship_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="hold no 'moon'"):
        write_site(tmp_path, endpoints={"moon": "http://127.0.0.1/v1"}, today=date(2026, 11, 23))


def test_a_misnamed_file_is_an_error_and_not_ignored(tmp_path: Path) -> None:
    write_site(tmp_path, endpoints={}, today=date(2026, 11, 23))
    (tmp_path / "regime").mkdir()
    (tmp_path / "regime" / "hipaa.yaml").write_text("phigate: regime/v1\n")
    with pytest.raises(PolicyFileError, match="no file of a bundle"):
        FolderBundles(tmp_path, dev=True)


def test_readme_hidden_files_and_schema_are_no_part_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / ".site.yaml.swp").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.yaml").write_text("x")
    (tmp_path / "README.md").write_text("x")
    assert load_folder(tmp_path) == {}


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="expected a folder"):
        load_folder(tmp_path / "none")


def test_the_shipped_folder_is_found() -> None:
    assert (shipped_folder() / "regimes" / "hipaa.yaml").is_file()
