"""Years of a ledger by its commands: segments, archive, hold, drop, erasure, keys; and it verifies after each."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from phigate.app.settings import load
from phigate.cli.ledger import ledger
from phigate.deid.subjects import DECLARED
from phigate.errors import SettingsError
from phigate.store.open import new_id
from phigate.store.places import segments
from phigate.store.retention import Kept, kept, why_not
from phigate.store.rolling import RollingLedger
from phigate.store.vault import Vault
from tests.store.drafts import FIELDS, an_intent, an_outcome

NAME = "audit.test/phigate"
OLD, NEW = f"{NAME}/2019h1", f"{NAME}/2019h2"
PATIENT = "MRN 48-210-377"
TENANT = "us-north"


def at(year: int, month: int = 3) -> float:
    return datetime(year, month, 1, tzinfo=UTC).timestamp()


def a_site(folder: Path, database: str = "sqlite:///ledger.db") -> Path:
    (folder / "policies").mkdir()
    config = folder / "phigate.yaml"
    config.write_text(
        "phigate: settings/v1\nlisten: {host: 127.0.0.1, port: 8080}\npolicies: policies\n"
        f'ledger: {{database: "{database}", origin: {NAME}, keys: keys, state: state}}\n'
    )
    (folder / "state").mkdir()
    return config


async def two_years(config: Path) -> tuple[str, int]:
    """Write a segment of 2019 with one exchange about the patient, and the segment after it. Returns rid and index."""
    settings, clock = load(config), [at(2019)]
    vault = Vault(settings.state / "vault.db", keys=settings.keys)
    rid = new_id()
    tags = await vault.tags(rid, [vault.lookups.declared(TENANT, PATIENT)])
    vault.close()
    draft = an_intent(rid)
    subjects: dict[str, Any] = {"subj": [list(each) for each in tags]}
    draft = type(draft)(draft.kind, {**FIELDS, **subjects}, rid, 1)
    options: dict[str, Any] = {"keys_folder": settings.keys, "origin": NAME, "min_free_bytes": 0}
    async with RollingLedger(settings.database, now=lambda: clock[0], look_every_s=60, **options) as running:
        receipt = await running.append(draft)
        await running.append(an_outcome(rid, receipt))
        clock[0] = at(2019, 8)
        await running.look()
        assert running.origin == NEW
    return rid, receipt.index


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, int]:
    database = "sqlite:///ledger.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres"))
    config = a_site(tmp_path, database)
    return config, *asyncio.run(two_years(config))


def run(config: Path, *arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(ledger, [*arguments, "--config", str(config)], input=said)


def ok(config: Path, *arguments: str, said: str = "") -> str:
    result = run(config, *arguments, said=said)
    assert result.exit_code == 0, result.output
    return result.output


def rows_of(config: Path) -> dict[str, dict[str, Any]]:
    return {row["origin"]: row for row in map(json.loads, ok(config, "segments", "--json").splitlines())}


def test_a_segment_lives_six_years_and_what_happens_to_it_is_on_record(site: tuple[Path, str, int]) -> None:
    """Faults 33 and 35."""
    config, _, index = site
    folder = config.parent
    before = [ok(config, "prove", str(index), "--origin", OLD, "--out", str(folder / "proof")) for _ in range(1)]
    assert before
    proof = (folder / "proof" / f"{index}.tlog-proof").read_bytes()
    assert (
        rows_of(config)[OLD]["kept_because"]
        == f"{OLD} has no archive on record: write one first, with phigate ledger archive"
    )
    drop = ("drop", "--origin", OLD, "--actor", "dpo", "--yes")
    assert "no archive on record" in run(config, *drop).output

    ok(config, "archive", str(folder / "old.tar"), "--origin", OLD, "--actor", "dpo")
    assert "VERIFIED" in CliRunner().invoke(ledger, ["verify", str(folder / "old.tar")]).output
    ok(config, "hold", "case-2025-7", "--origin", OLD, "--actor", "legal")
    assert rows_of(config)[OLD]["held_for"] == ["case-2025-7"]
    held = run(config, *drop)
    assert (held.exit_code, f"{OLD} is held for case-2025-7" in held.output) == (1, True), "the hold wins"
    assert "found none" in run(config, "hold", "other", "--origin", OLD, "--actor", "legal", "--release").output
    ok(config, "hold", "case-2025-7", "--origin", OLD, "--actor", "legal", "--release")

    ok(config, "prove", str(index), "--origin", OLD, "--out", str(folder / "again"))
    assert (folder / "again" / f"{index}.tlog-proof").read_bytes() == proof, "a proof stays what it was"
    assert "was destroyed" in ok(config, *drop)
    assert OLD not in rows_of(config)
    told = json.loads(ok(config, "verify", "--json"))
    assert (told["verdict"], told["problems"]) == ("verified", [])
    assert told["notes"][0].startswith(f"{OLD}, ")
    assert "was destroyed on record" in told["notes"][0]
    (note,) = (folder / "keys").glob("dropped-*.note")
    assert note.read_text().startswith(f"{OLD}\n")
    assert "VERIFIED" in CliRunner().invoke(ledger, ["verify", str(folder / "old.tar")]).output, "the archive stays"
    assert run(config, *drop).exit_code == 1


def test_an_erased_patient_can_no_longer_be_connected_and_every_proof_stays(site: tuple[Path, str, int]) -> None:
    """Fault 31."""
    config, _, index = site
    folder = config.parent
    listed = ok(config, "disclosures", "--tenant", TENANT, "--json", said="mrn 48210377\n")
    assert [json.loads(line)["record"] for line in listed.splitlines()] == [f"{OLD}#{index}"]
    ok(config, "prove", str(index), "--origin", OLD, "--out", str(folder / "a"))
    root = json.loads(ok(config, "verify", "--json"))["segments"][0]["root"]

    erasing = ("erase", "--tenant", TENANT, "--request", "erasure-7")
    assert "1 exchanges can no longer be connected" in ok(config, *erasing, said=PATIENT + "\n")
    assert "0 disclosures" in ok(config, "disclosures", "--tenant", TENANT, said=PATIENT)
    assert "0 exchanges" in ok(config, *erasing, said=PATIENT)
    ok(config, "prove", str(index), "--origin", OLD, "--out", str(folder / "b"))
    for name in (f"{index}.tlog-proof", f"{index}.entry"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()
    left = json.loads(ok(config, "scope", "--json", "--proofs", str(folder / "scope")))
    assert (left["requests"], left["first"], left["indexes"]) == (1, f"{OLD}#{index}", [f"{OLD}#{index}"])
    assert (folder / "scope" / OLD.replace("/", "_") / f"{index}.entry").exists()
    told = json.loads(ok(config, "verify", "--json"))
    assert told["segments"][0]["root"] == root
    entries = ok(
        config, "show", "--kind", "erasure", "--json", "--count", "100", "--origin", told["segments"][-1]["origin"]
    )
    assert [json.loads(line)["count"] for line in entries.splitlines()] == [1, 0]
    assert "48210377" not in entries
    assert PATIENT not in entries


def test_an_erasure_asks_for_numbers_and_ids(tmp_path: Path) -> None:
    config = a_site(tmp_path)
    assert "on standard input" in run(config, "erase", "--tenant", "t", "--request", "r-1").output
    assert "expected ids" in run(config, "erase", "--tenant", "t", "--request", "José 1", said="x").output
    assert DECLARED == "declared"


def test_a_command_rolls_and_keys_are_prepared_and_revoked(site: tuple[Path, str, int]) -> None:
    config = site[0]
    prepared = ok(config, "keys", "prepare").strip()
    assert f"{prepared} follows" in ok(config, "roll", "--why", "emergency")
    newest = list(rows_of(config))[-1]
    assert newest == prepared
    listed = [json.loads(line) for line in ok(config, "keys", "list", "--json").splitlines()]
    stolen = next(row for row in listed if row["role"] == "checkpoint" and row["origin"] == OLD)
    size = rows_of(config)[OLD]["size"]
    assert f"counts up to {size}" in ok(config, "keys", "revoke", stolen["vkey"], "--origin", OLD, "--until", str(size))
    ok(config, "roll")  # the next start has the new keyring in the database
    assert json.loads(ok(config, "verify", "--json"))["verdict"] == "verified"
    again = run(config, "keys", "revoke", stolen["vkey"], "--origin", OLD, "--until", str(size + 1))
    assert "never taken back" in again.output
    assert f"until {size}" in ok(config, "keys", "list")
    ok(config, "keys", "revoke", stolen["vkey"], "--origin", OLD, "--until", str(size - 1))
    ok(config, "roll")
    told = json.loads(run(config, "verify", "--json").output)
    assert told["verdict"] == "tampered", "what the key signed beyond that size is void"
    assert "expected a key" in run(config, "keys", "revoke", "nonsense", "--origin", OLD, "--until", "1").output


def test_whatever_is_no_closed_old_archived_segment_is_kept(tmp_path: Path) -> None:
    config = a_site(tmp_path)
    asyncio.run(two_years(config))
    old, new = kept(segments(load(config).database))
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert "is open" in str(why_not(new, now=now))
    archived = Kept(old.segment, old.until, frozenset(), "sha256:" + "0" * 64)
    assert why_not(archived, now=now) is None
    assert "is kept until 2025-" in str(why_not(archived, now=old.until - timedelta(seconds=1)))
    assert "expected a closed segment" in run(config, "archive", "x.tar", "--origin", NEW, "--actor", "a").output
    assert "ends in .tar" in run(config, "archive", "x.zip", "--origin", OLD, "--actor", "a").output
    assert "see phigate ledger segments" in run(config, "hold", "c", "--origin", "audit.test/x", "--actor", "a").output
    assert "expected an id" in run(config, "hold", "c", "--origin", OLD, "--actor", "José").output


def test_a_leap_day_has_an_end_as_well(tmp_path: Path) -> None:
    config = a_site(tmp_path)
    asyncio.run(two_years(config))
    segment = segments(load(config).database)[0]
    leap = type(segment)(**{**{n: getattr(segment, n) for n in segment.__slots__}, "last_ts": int(at(2020, 2) * 1e6)})
    leap = type(segment)(
        **{**{n: getattr(leap, n) for n in leap.__slots__}, "last_ts": int((at(2020, 2) + 28 * 86400) * 1e6)}
    )
    (row,) = kept([leap], margin=timedelta(0))
    assert f"{row.until:%Y-%m-%d}" == "2026-02-28"


def test_only_the_owner_of_the_tables_drops_on_postgresql(postgres: str, tmp_path: Path) -> None:
    from phigate.errors import LedgerStateError
    from phigate.store.retention import destroy

    config = a_site(tmp_path, postgres)
    asyncio.run(two_years(config))
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    role = f"w{new_id()[-12:]}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    segment = segments(postgres)[0]
    poor = type(segment)(
        **{**{n: getattr(segment, n) for n in segment.__slots__}, "url": postgres.replace("//postgres", f"//{role}", 1)}
    )
    with pytest.raises(LedgerStateError, match="only the owner"):
        destroy(poor, keep=tmp_path, note=b"x")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    assert len(segments(postgres)) == 2


def test_a_missing_database_is_said(tmp_path: Path) -> None:
    config = a_site(tmp_path)
    assert "expected a database file" in run(config, "segments").output
    with pytest.raises(SettingsError):
        segments(load(config).database)
