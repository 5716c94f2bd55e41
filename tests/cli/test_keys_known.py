"""``phigate keys create`` warns where no policy registers the app, and makes the key all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phigate.cli.init import write_site
from phigate.cli.keys import keys


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", development=True)


def create(site: Path, *more: str) -> Result:
    done = CliRunner().invoke(keys, ["create", *more, "--config", str(site)])
    assert done.exit_code == 0, done.output
    return done


def test_a_registered_app_gets_its_key_without_a_word(site: Path) -> None:
    done = create(site, "--app", "demo")
    assert "warning" not in done.stderr
    assert done.stdout.startswith("pg_")


def test_an_app_that_no_policy_registers_is_warned_of(site: Path) -> None:
    done = create(site, "--app", "dmeo")
    assert "warning: no app dmeo is registered under apps: in site.yaml" in done.stderr
    assert "known: br-hospital, demo" in done.stderr
    assert done.stdout.startswith("pg_")


def test_policies_that_do_not_read_are_said_so(site: Path) -> None:
    (site.parent / "policies" / "site.yaml").write_text("phigate: nothing")
    assert "the policies cannot be read" in create(site, "--app", "demo").stderr


def test_an_auditor_is_registered_nowhere(site: Path) -> None:
    assert "warning" not in create(site, "--auditor", "kpmg").stderr
