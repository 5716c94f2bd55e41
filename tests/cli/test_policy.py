"""``phigate policy``: each command over a folder, with JSON, a useful message and an exit status."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from phigate.cli.main import main
from phigate.store.bundles import shipped_folder, write_site
from tests.policy.test_replay import INTENT

SHIPPED = str(shipped_folder())


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["policy", *arguments], input=stdin, catch_exceptions=False)


def told(*arguments: str, status: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_site(tmp_path / "p", endpoints={}, today=date(2026, 12, 1))
    return tmp_path / "p"


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")


def test_check_finds_nothing_wrong_with_what_ships() -> None:
    assert told("check", SHIPPED, "--at", "test-clock", "--dev", "--signed")["errors"] == 0
    assert run("check", SHIPPED, "--at", "test-clock", "--strict").exit_code == 1  # warnings


def test_check_tells_where_why_and_how(folder: Path) -> None:
    change(folder, "regimes/hipaa.yaml", "transform: age90", "transform: keep")
    result = run("check", str(folder), "--at", "test-clock")
    assert result.exit_code == 1
    for word in (
        "error PG014",
        "regimes/hipaa.yaml:",
        "AGE: keep is no removal",
        "why:",
        "mend:",
        "transform: keep",
        "PG003",
    ):
        assert word in result.output
    change(folder, "regimes/hipaa.yaml", "tables:", "tabels:")
    found = told("check", str(folder), status=1)
    assert found["findings"][0]["code"] == "PG001"
    assert "did you mean 'tables'?" in found["findings"][0]["problem"]


def test_check_knows_calibration_languages_and_shadow(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"PERSON": {"en": 0.2}}')
    measured = ("--languages", "en", "--calibration", str(tmp_path / "c.json"))
    beside = ("--shadow", str(folder), "--against", str(folder))
    found = told("check", str(folder), "--at", "2027-06-01", *measured, *beside)
    assert {"PG016", "PG061"} <= {finding["code"] for finding in found["findings"]}


def test_signatures_are_an_error_only_when_asked(folder: Path) -> None:
    assert "PG002" in told("check", str(folder), "--at", "test-clock")["signatures"]
    assert told("check", str(folder), "--at", "test-clock", "--signed", status=1)["errors"] == 1


def test_test_runs_the_inline_tests(folder: Path) -> None:
    assert told("test", SHIPPED)["failed"] == 0
    assert told("test", SHIPPED)["uncovered"] == []
    change(folder, "regimes/hipaa.yaml", "expect: {mode: send_raw", "expect: {mode: block")
    result = run("test", str(folder), "--quiet")
    assert result.exit_code == 1
    assert "raw only with the site flag" in result.output
    assert "mode: expected block, found send_raw" in result.output


def test_explain_reads_stubs_and_entries(tmp_path: Path) -> None:
    result = run("explain", SHIPPED, "--app", "demo", "--findings", "PERSON,AGE", "--at", "test-clock")
    assert result.exit_code == 0
    for word in ("send_scrubbed", "hipaa.scrub-baa", "What each regime demands", "Legal basis", "eu-cloud"):
        assert word in result.output
    said = told(
        "explain", SHIPPED, "--app", "demo", "--tags", "ai_refused", "--purpose", "treatment", "--at", "test-clock"
    )
    assert said["decision"]["mode"] == "block"
    kept = told(
        "explain", SHIPPED, "--app", "demo", "--attachment", "--unread", "--model", "local", "--at", "test-clock"
    )
    assert (kept["decision"]["mode"], kept["decision"]["alias"]) == ("keep_onprem", "local")
    (tmp_path / "l.jsonl").write_text(json.dumps({"idx": 0, **INTENT}) + "\n\n")
    entry = ("explain", SHIPPED, "--app", "x", "--ledger", str(tmp_path / "l.jsonl"), "--at", "test-clock")
    assert told(*entry, "--rid", INTENT["rid"])["decision"]["tenant"] == "us-clinic"
    assert run(*entry).exit_code == 2
    assert "holds no decision" in run(*entry, "--rid", "other").output


def test_explain_refuses_an_unknown_app() -> None:
    result = run("explain", SHIPPED, "--app", "nobody")
    assert (result.exit_code, "registers no app" in result.output) == (1, True)


def test_diff_prints_what_became_looser(folder: Path, tmp_path: Path) -> None:
    write_site(tmp_path / "q", endpoints={}, today=date(2026, 12, 1))
    change(tmp_path / "q", "destinations.yaml", "      baa:  ", "      bcr:  ")
    assert told("diff", str(folder), str(folder), "--at", "test-clock")["looser"] is False
    result = run("diff", str(tmp_path / "q"), str(folder), "--at", "test-clock")
    assert result.exit_code == 1
    assert "eu-cloud no -> scrubbed" in result.output
    assert "something became less strict" in result.output
    tighter = told("diff", str(folder), str(tmp_path / "q"), "--at", "test-clock", status=1)
    assert tighter["loosened"] == []  # a paper more, bcr, is told as looser all the same


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
    )


def test_diff_reads_git_revisions(folder: Path) -> None:
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", "p")
    git(folder.parent, "commit", "-qm", "one")
    change(folder, "site.yaml", "max_stale_hours: 24", "max_stale_hours: 48")
    found = told("diff", "HEAD", str(folder), "--at", "test-clock", status=1)
    assert [c["where"] for c in found["changes"]] == ["max_stale_hours"]
    assert told("diff", f"HEAD:{folder}", f"HEAD:{folder}", "--at", "test-clock")["looser"] is False


def test_a_revision_that_is_none_is_told(folder: Path) -> None:
    git(folder.parent, "init", "-q")
    assert run("diff", "nowhere", str(folder)).exit_code == 1
    assert run("diff", "-x", str(folder)).exit_code == 2
    assert run("diff", "HEAD", "HEAD").exit_code == 1


def test_replay_counts_where_exchanges_would_go(folder: Path, tmp_path: Path) -> None:
    ts = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = [{**INTENT, "ts": ts, "rid": str(n)} for n in range(3)] + [{**INTENT, "ts": "2000-01-01T00:00:00.000000Z"}]
    (tmp_path / "l.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    change(folder, "destinations.yaml", "      baa:  ", "      bcr:  ")
    ledger = ("--ledger", str(tmp_path / "l.jsonl"), "--at", "test-clock")
    total = told("replay", str(folder), *ledger)
    assert total["moves"] == [{"before": "eu-cloud scrubbed", "after": "medgemma raw", "exchanges": 3}]
    result = run("replay", str(folder), *ledger, "--before", str(folder))
    assert result.exit_code == 0
    assert "3 exchanges" in result.output
    assert run("replay", SHIPPED, *ledger, "--fail-if-looser").exit_code == 0
    assert run("replay", SHIPPED, *ledger, "--since", "soon").exit_code == 2
    assert run("replay", SHIPPED, "--ledger", "nothing.db").exit_code == 2
    (tmp_path / "l.jsonl").write_text("{broken")
    assert "expected one JSON object a line" in run("replay", SHIPPED, *ledger).output


def test_expiring_lists_ends(folder: Path) -> None:
    assert told("expiring", str(folder), "--days", "30", "--at", "2026-12-01") == []
    rows = told("expiring", str(folder), "--days", "60", "--at", "2027-11-01", status=1)
    assert {row["what"] for row in rows} >= {"eu-cloud: baa"}
    assert "ended" in run("expiring", str(folder), "--at", "2029-01-01").output


def test_two_people_sign_and_a_gateway_would_load(folder: Path, tmp_path: Path) -> None:
    lines = {}
    for role in ("security", "dpo"):
        made = run("keygen", str(tmp_path / role), "--role", role)
        assert made.exit_code == 0
        lines[role] = made.output.partition('key: "')[2].partition('"')[0]
    first = run(
        "sign", str(folder), "--role", "security", "--key", str(tmp_path / "security"), "--effective", "2026-12-02"
    )
    assert "one more role must sign" in first.output
    trust = [f"--trust={role}={key}" for role, key in lines.items()]
    assert run("verify", str(folder), *trust).exit_code == 1
    both = told("sign", str(folder), "--role", "dpo", "--key", str(tmp_path / "dpo"))
    assert both["roles"] == ["security", "dpo"]
    assert told("verify", str(folder), *trust)["signed_by"] == ["dpo", "security"]
    assert "good: bundle sha256:" in run("verify", str(folder), *trust).output
    change(folder, "site.yaml", "max_stale_hours: 24", "max_stale_hours: 12")
    refused = run("verify", str(folder), *trust)
    assert (refused.exit_code, "changed after signing" in refused.output) == (1, True)
    again = told("sign", str(folder), "--role", "dpo", "--key", str(tmp_path / "dpo"))
    assert again["roles"] == ["dpo"]  # what others signed were other files
    assert run("keygen", str(tmp_path / "dpo"), "--role", "dpo").exit_code == 1
    (tmp_path / "bad").write_text("no key")
    (tmp_path / "bad").chmod(0o600)
    assert run("sign", str(folder), "--role", "dpo", "--key", str(tmp_path / "bad")).exit_code == 1


def test_a_development_signature_says_what_it_is(folder: Path) -> None:
    (folder / "policy.lock").unlink()
    assert "counts only under --dev" in run("sign", str(folder), "--dev").output
    assert run("verify", str(folder), "--dev").exit_code == 0
    assert run("sign", str(folder)).exit_code == 2
    assert run("verify", str(folder), "--trust", "friend=AA==").exit_code == 2


def test_schema_is_printed_or_written(tmp_path: Path) -> None:
    assert json.loads(run("schema", "regime").output)["title"] == "phigate regime file"
    assert run("schema").exit_code == 2
    assert "5 schemas" in run("schema", "--write", str(tmp_path)).output
    assert (tmp_path / "site.json").is_file()


@pytest.mark.parametrize(
    "command", ["check", "test", "explain", "diff", "replay", "expiring", "schema", "sign", "verify", "keygen"]
)
def test_every_command_has_help(command: str) -> None:
    assert len(run(command, "--help").output) > 200
