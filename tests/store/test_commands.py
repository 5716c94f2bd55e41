"""The commands over a ledger: what they print, what they exit with, and that evidence checks without the database."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from phigate.cli.keys import keys
from phigate.cli.ledger import ledger
from phigate.store.evidence import prove
from phigate.store.source import DatabaseSource
from phigate.tlog.errors import IncompleteError
from phigate.tlog.report import Verdict
from phigate.tlog.single import Proven, verify_entry
from phigate.tlog.verify import Demand
from tests.store.drafts import ORIGIN, an_intent, an_outcome
from tests.store.test_ledger import a_ledger, tamper

pytestmark = pytest.mark.anyio


def run(*arguments: object, group: Any = ledger) -> Result:
    return CliRunner().invoke(group, [str(each) for each in arguments])


@pytest.fixture
async def log(tmp_path: Path, anyio_backend: str) -> Path:
    """A log of 605 entries: tiles of two levels, a partial one, an exchange, a refusal to show."""
    async with a_ledger(tmp_path) as running:
        draft = an_intent()
        intent = await running.append(draft)
        await running.append(an_outcome(draft.rid, intent))
        for _ in range(600):
            await running.append(an_intent())
    return tmp_path / "ledger.db"


async def test_verify_says_what_holds_and_exits_so(log: Path) -> None:
    result = run("verify", log)
    assert result.exit_code == 0, result.output
    assert "VERIFIED" in result.output
    assert "KEY NOT PINNED" in result.output
    said = json.loads(run("verify", f"sqlite:///{log}", "--json").output)
    assert (said["verdict"], said["size"], said["origin"]) == ("verified", 605, ORIGIN)
    pinned = run("verify", log, "--key", said["key"]["fingerprint"])
    assert pinned.exit_code == 0
    assert "NOT PINNED" not in pinned.output
    assert run("verify", log, "--key", "sha256:" + "0" * 64).exit_code == 1


async def test_verify_names_the_first_bad_entry(log: Path) -> None:
    tamper(log.parent, "UPDATE ledger_entry SET entry = x'00' WHERE idx = 300")
    result = run("verify", log)
    assert result.exit_code == 1
    assert "first bad entry: 300" in result.output


async def test_a_log_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    result = run("verify", tmp_path / "none.db")
    assert result.exit_code == 64
    assert "expected a database file" in result.output
    (tmp_path / "junk.db").write_bytes(b"junk" * 1000)
    assert run("verify", tmp_path / "junk.db").exit_code == 2
    assert run("show", tmp_path / "junk.db").exit_code == 2
    assert run("verify", "mysql://x").exit_code == 64


async def test_show_and_tail_read_entries(log: Path) -> None:
    lines = run("show", log, "--count", "4").output.splitlines()
    assert [line.split()[2] for line in lines] == ["genesis", "key", "intent", "outcome"]
    assert "to eu-cloud scrubbed  found MRN:1,PERSON:3" in lines[2]
    assert "ok  of #2" in lines[3]
    rid = json.loads(run("show", log, "--from", "2", "--count", "1", "--json").output)["rid"]
    both = run("show", log, "--rid", rid, "--json").output.splitlines()
    assert [json.loads(line)["kind"] for line in both] == ["intent", "outcome"]
    assert len(run("show", log, "--kind", "key").output.splitlines()) == 2
    newest = run("tail", log, "--once", "--count", "2", "--json").output.splitlines()
    assert [json.loads(line)["idx"] for line in newest] == [603, 604]


async def test_an_export_verifies_by_itself_and_is_the_same_twice(log: Path, tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar", "folder"):
        result = run("export", tmp_path / name, log)
        assert result.exit_code == 0, result.output
        assert f"605 entries of {ORIGIN}" in result.output
        assert run("verify", tmp_path / name).exit_code == 0
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        names = archive.getnames()
        assert names[-1] == "checkpoint", "an export that was cut short has none"
        assert all((tmp_path / "folder" / name).is_file() for name in names)
    again = run("export", tmp_path / "folder", log)
    assert again.exit_code == 64
    assert "an export is never overwritten" in again.output


async def test_a_rotten_byte_in_an_export_is_found(log: Path, tmp_path: Path) -> None:
    run("export", tmp_path / "folder", log)
    bundle = tmp_path / "folder" / "tile" / "entries" / "001"
    data = bytearray(bundle.read_bytes())
    data[5000] ^= 1
    bundle.write_bytes(bytes(data))
    result = run("verify", tmp_path / "folder")
    assert result.exit_code == 1
    assert "first bad entry: 2" in result.output  # in the second bundle, entries 256 to 511


async def test_a_log_without_its_entries_makes_no_export(log: Path, tmp_path: Path) -> None:
    tamper(log.parent, "UPDATE ledger_entry SET entry = x'00' WHERE idx = 300")
    result = run("export", tmp_path / "folder", log)
    assert result.exit_code == 2
    assert "not to the checkpoint" in result.output
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("index", [0, 1, 2, 255, 256, 511, 512, 603, 604])
async def test_a_proof_checks_without_the_database(log: Path, tmp_path: Path, index: int) -> None:
    result = run("prove", index, log, "--out", tmp_path / "proof", "--json")
    assert result.exit_code == 0, result.output
    files = {name: (tmp_path / "proof" / name).read_bytes() for name in json.loads(result.output)}
    demand = Demand(keyring=files["keyring.note"])
    proven = Proven(files[f"{index}.entry"], files[f"{index}.tlog-proof"])
    first = Proven(files["1.entry"], files["1.tlog-proof"]) if index > 1 and index != 604 else None
    report = verify_entry(proven, demand, introduction=first)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    other = Proven(proven.entry.replace(b'"v":1', b'"v":2'), proven.proof)
    assert verify_entry(other, demand, introduction=first).verdict is Verdict.TAMPERED


async def test_what_is_not_signed_yet_has_no_proof(log: Path, tmp_path: Path) -> None:
    for index in (605, -1, 10**9):
        result = run("prove", "--out", tmp_path, "--", index, log)
        assert result.exit_code == 2
        assert "expected an index below the 605 entries" in result.output


async def test_a_rotten_database_hands_out_no_proof(log: Path) -> None:
    tamper(log.parent, "UPDATE ledger_entry SET leaf = zeroblob(32) WHERE idx = 600")
    with DatabaseSource(f"sqlite:///{log}") as source, pytest.raises(Exception, match="root"):
        prove(source, 604)
    tamper(log.parent, "DELETE FROM ledger_checkpoint")
    with DatabaseSource(f"sqlite:///{log}") as source, pytest.raises(IncompleteError, match="none yet"):
        prove(source, 1)


async def test_a_ledger_on_postgresql_answers_the_same_commands(postgres: str, tmp_path: Path) -> None:
    from phigate.store.open import open_ledger

    async with open_ledger(postgres, keys_folder=tmp_path / "keys", origin=ORIGIN, replica="gw") as running:
        for _ in range(300):
            await running.append(an_intent())
    assert run("verify", postgres).exit_code == 0
    assert len(run("show", postgres, "--count", "3").output.splitlines()) == 3
    assert run("export", tmp_path / "x.tar", postgres).exit_code == 0
    assert run("verify", tmp_path / "x.tar").exit_code == 0
    assert run("prove", 299, postgres, "--out", tmp_path / "p").exit_code == 0


def settings(folder: Path) -> Path:
    from phigate.cli.init import write_site

    return write_site(folder / "site")


def test_keys_are_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    config = settings(tmp_path)
    made = run("create", "--app", "triage", "--config", config, group=keys)
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    assert key.startswith("pg_")
    listed = run("list", "--config", config, group=keys)
    assert key not in listed.output
    assert "triage" in listed.output
    assert "in force" in listed.output
    key_id = listed.output.split()[0]
    assert run("revoke", key_id, "--config", config, group=keys).exit_code == 0
    assert "revoked" in run("list", "--config", config, group=keys).output
    assert json.loads(run("list", "--json", "--config", config, group=keys).output)[0]["app"] == "triage"
    again = run("revoke", key_id, "--config", config, group=keys)
    assert again.exit_code == 1
    assert "expected the id of a key that is not revoked" in again.output


def test_a_key_needs_the_name_of_an_app(tmp_path: Path) -> None:
    config = settings(tmp_path)
    assert "no keys yet" in run("list", "--config", config, group=keys).output
    result = run("create", "--app", "Maria da Silva", "--config", config, group=keys)
    assert result.exit_code == 1
    assert "Maria" not in result.output


async def test_scope_counts_what_left_and_proves_the_ends(log: Path, tmp_path: Path) -> None:
    said = json.loads(run("scope", log, "--destination", "eu-cloud", "--types", "MRN", "--json").output)
    assert (said["requests"], said["without_outcome"], said["first"], said["last"]) == (601, 600, 2, 603)
    shown = run("scope", log, "--form", "raw,scrubbed", "--group-by", "app,destination", "--proofs", tmp_path / "p")
    assert shown.exit_code == 0, shown.output
    assert "601  triage  eu-cloud" in shown.output
    assert "what no recognizer found is in no entry" in shown.output
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "2.entry",
        "2.tlog-proof",
        "603.entry",
        "603.tlog-proof",
    ]
    assert "0 requests left" in run("scope", log, "--destination", "us-cloud", "--proofs", tmp_path / "q").output
    assert run("scope", log, "--group-by", "patient").exit_code == 2
