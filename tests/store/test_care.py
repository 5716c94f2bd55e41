"""Commands for those who run a ledger: doctor, hammer, recover."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
import yaml

from phigate.errors import LedgerStateError, SettingsError
from phigate.store.open import open_ledger
from phigate.store.recovering import Loss, declare_loss, lost_of
from phigate.store.source import DatabaseSource
from phigate.tlog.record import parse_entry
from tests.store.drafts import ORIGIN, an_intent
from tests.store.test_commands import run, settings
from tests.store.test_ledger import assert_verified

pytestmark = pytest.mark.anyio
NEW = "audit.test/phigate/2026h2-r1"


async def entries(folder: Path, count: int, origin: str = ORIGIN) -> None:
    url = f"sqlite:///{folder}/ledger.db"
    async with open_ledger(url, keys_folder=folder / "keys", origin=origin, min_free_bytes=0) as running:
        for _ in range(count):
            await running.append(an_intent())


async def a_restored_log(folder: Path, origin: str = ORIGIN) -> str:
    """A log of 9 entries whose database is one of 4."""
    await entries(folder, 1, origin)
    shutil.copy(folder / "ledger.db", folder / "backup.db")
    await entries(folder, 2, origin)
    (folder / "ledger.db").unlink()
    (folder / "backup.db").rename(folder / "ledger.db")
    return f"sqlite:///{folder}/ledger.db"


async def test_a_loss_is_declared_in_a_new_log_and_the_old_one_stays(tmp_path: Path) -> None:
    url = await a_restored_log(tmp_path)
    before = (tmp_path / "ledger.db").read_bytes()
    loss = lost_of(url, keys=tmp_path / "keys", origin=ORIGIN)
    # the second boot appended the outcome of the first one's intent as well
    assert (loss.signed, loss.restored, loss.lost) == (9, 4, 5)
    (tmp_path / "new").mkdir()
    new = f"sqlite:///{tmp_path}/new/ledger.db"
    record = await declare_loss(loss, new, keys=tmp_path / "keys", origin=NEW, actor="dpo-7")
    assert record == f"{NEW}#2"
    with DatabaseSource(new) as source:
        first, _, declared = (parse_entry(bytes(row.entry)) for row in source.rows(0, 3))
    said = {"origin": ORIGIN, "size": 9, "root": loss.root.hex(), "restored": 4, "lost": 5}
    assert first.fields["previous"] == said
    assert {name: declared.fields[name] for name in said} == said
    assert (declared.kind, declared.fields["actor"]) == ("restore", "dpo-7")
    assert_verified(tmp_path / "new")
    assert (tmp_path / "ledger.db").read_bytes() == before


async def test_a_database_that_is_gone_lost_everything(tmp_path: Path) -> None:
    url = await a_restored_log(tmp_path)
    (tmp_path / "ledger.db").unlink()
    assert lost_of(url, keys=tmp_path / "keys", origin=ORIGIN).lost == 9


async def test_a_new_log_is_new_and_named_otherwise(tmp_path: Path) -> None:
    url = await a_restored_log(tmp_path)
    keys, loss = tmp_path / "keys", lost_of(url, keys=tmp_path / "keys", origin=ORIGIN)
    for origin in (ORIGIN, "Not An Origin"):
        with pytest.raises(SettingsError, match="expected a new origin"):
            await declare_loss(loss, url, keys=keys, origin=origin, actor="dpo")
    with pytest.raises(SettingsError, match="expected an id as actor"):
        await declare_loss(loss, url, keys=keys, origin=NEW, actor="Dr. Maria Souza")
    new = f"sqlite:///{tmp_path}/r1.db"
    await declare_loss(loss, new, keys=keys, origin=NEW, actor="dpo")
    with pytest.raises(SettingsError, match="expected an empty log"):
        await declare_loss(loss, new, keys=keys, origin=NEW, actor="dpo")


async def test_there_must_be_something_to_recover(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a checkpoint key"):
        lost_of("sqlite:///x", keys=tmp_path, origin=ORIGIN)
    open_ledger(f"sqlite:///{tmp_path}/x.db", keys_folder=tmp_path, origin=ORIGIN)
    with pytest.raises(LedgerStateError, match="never signed a checkpoint"):
        lost_of("sqlite:///x", keys=tmp_path, origin=ORIGIN)


def test_a_log_ahead_of_its_anchor_lost_nothing() -> None:
    assert Loss(ORIGIN, 5, bytes(32), 9).lost == 0


def origin_of(config: Path) -> str:
    return str(yaml.safe_load(config.read_text())["ledger"]["origin"])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return settings(tmp_path)


def test_recover_says_what_is_lost_and_what_to_do(site: Path) -> None:
    asyncio.run(a_restored_log(site.parent, origin_of(site)))
    new = f"sqlite:///{site.parent}/r1.db"
    result = run("recover", "--config", site, "--new-database", new, "--new-origin", NEW, "--actor", "dpo-7", "--yes")
    assert result.exit_code == 0, result.output
    assert "was signed up to 9 entries, the database holds 4: 5 are lost" in result.output
    assert f"{NEW}#2: set ledger.database and ledger.origin" in result.output
    assert run("verify", new).exit_code == 0


async def test_the_doctor_finds_what_is_bad(site: Path) -> None:
    await entries(site.parent, 1, origin_of(site))
    good = run("doctor", "--config", site)
    assert "anchor of 4 entries" in good.output
    assert "take it offline" in good.output
    assert "no witness is asked for" in good.output
    assert "bad  " not in good.output or "free on the ledger" in good.output
    await a_restored_log(site.parent, origin_of(site))
    (site.parent / "ledger.db").chmod(0o644)
    bad = run("doctor", "--config", site, "--json")
    assert bad.exit_code == 1
    said = [json.loads(line)["what"] for line in bad.output.splitlines() if json.loads(line)["level"] == "bad"]
    assert "expected mode 0600 on ledger.db, found 0644" in said
    assert any("the database is behind it" in what for what in said)


async def test_the_doctor_looks_at_postgresql_and_its_triggers(postgres: str, tmp_path: Path) -> None:
    from phigate.store.doctoring import BAD, examine
    from tests.store.test_postgres import administrate

    async with open_ledger(postgres, keys_folder=tmp_path, origin=ORIGIN) as running:
        await running.append(an_intent())
    assert [finding for finding in examine(postgres, keys=tmp_path) if finding.level == BAD] == []
    administrate(postgres, "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_fixed")
    bad = [finding.what for finding in examine(postgres, keys=tmp_path) if finding.level == BAD]
    assert bad == [f"a trigger of ledger_entry{part} is not ENABLE ALWAYS" for part in ("", "_1")]


def test_the_hammer_prints_its_conditions_and_a_verdict() -> None:
    result = run("hammer", "--seconds", "0.5", "--clients", "8", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert said["verdict"] == "VERIFIED"
    assert said["entries"] > 8
    assert said["refused"] == 0


def test_the_hammer_runs_replicas_on_postgresql(postgres: str) -> None:
    result = run("hammer", "--database", postgres, "--seconds", "1", "--clients", "4", "--replicas", "2", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["verdict"] == "VERIFIED"
