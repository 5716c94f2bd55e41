"""The policy commands on a real ledger: explain an exchange, replay the past under a change, run texts for real."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.house import House, house
from tests.e2e.test_reload import KEEP, KEEPS, SENDS

NOTE = (
    "Patient: Helena Brandão Moreira, aged 93, MRN 48210377, phone (617) 555-0148, admitted 02/11/2026. Please advise."
)
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/x8AAwMCAO+ip1sAAAAASUVORK5CYII="
)
IMAGE = [{"type": "text", "text": "What is on this film?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that served six exchanges: four notes and a question went out scrubbed, an image stayed."""
    with house(tmp_path_factory.mktemp("commands") / "site") as made:
        client = made.client()
        for content in (*[f"{NOTE} ({n})" for n in range(4)], "How long is amoxicillin given for otitis media?", IMAGE):
            messages: Any = [{"role": "user", "content": content}]
            client.chat.completions.create(model="gpt-5", messages=messages)
        with pytest.raises(openai.BadRequestError):
            client.post("/chat/completions", body={"model": "x", "messages": "x"}, cast_to=object)
        yield made


@pytest.fixture(scope="module")
def stricter(home: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changed") / "policies"
    shutil.copytree(home.site.parent / "policies", folder)
    text = (folder / "site.yaml").read_text()
    (folder / "site.yaml").write_text(text.replace("overrides: []", KEEP).replace(SENDS, KEEPS))
    return folder


def told(home: House, *arguments: str) -> Any:
    done = home.phigate("policy", *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def intents(home: House) -> list[dict[str, Any]]:
    return [e for e in home.entries() if e["kind"] == "intent"]


def test_replay_under_the_same_policy_moves_nothing_and_is_certain(home: House) -> None:
    folder = str(home.site.parent / "policies")
    total = told(home, "replay", folder, "--config", str(home.site))
    assert (total["exchanges"], total["loosened"], total["tightened"], total["uncertain"]) == (6, 0, 0, 0)
    assert {(m["before"], m["after"], m["exchanges"]) for m in total["moves"]} == {
        ("eu-cloud scrubbed", "eu-cloud scrubbed", 5),
        ("medgemma raw", "medgemma raw", 1),
    }


def test_replay_under_a_change_counts_what_would_have_stayed(home: House, stricter: Path) -> None:
    total = told(home, "replay", str(stricter), "--config", str(home.site), "--since", "1h")
    assert (total["tightened"], total["loosened"], total["uncertain"]) == (5, 0, 0)
    assert {"before": "eu-cloud scrubbed", "after": "medgemma raw", "exchanges": 5} in total["moves"]
    assert {row["app"] for row in total["by_app"]} == {"demo"}
    assert "PERSON" in {row["type"] for row in total["by_type"]}
    # The other way round every note would find a door more open.
    back = home.phigate(
        "policy", "replay", str(home.site.parent / "policies"), "--config", str(home.site), "--fail-if-looser"
    )
    assert back.returncode == 0, back.stdout


def test_without_the_bundle_of_then_a_reading_may_be_uncertain_and_with_it_is_not(home: House, tmp_path: Path) -> None:
    folder = home.site.parent / "policies"
    database = f"sqlite:///{home.site.parent / 'ledger.db'}"
    blind = told(home, "replay", str(folder), "--ledger", database)
    assert blind["uncertain"] == 4  # an age: nobody knows whether the operator would have left it alone
    named = told(home, "replay", str(folder), "--ledger", database, "--before", str(folder))
    assert named["uncertain"] == 0


def test_replay_of_json_lines_is_that_of_the_database(home: House, stricter: Path, tmp_path: Path) -> None:
    lines = tmp_path / "ledger.jsonl"
    lines.write_text("\n".join(json.dumps(entry) for entry in home.entries()))
    folder = str(stricter)
    from_lines = told(home, "replay", folder, "--ledger", str(lines))
    from_file = told(home, "replay", folder, "--ledger", str(home.site.parent / "ledger.db"))
    assert from_lines == from_file


def test_explain_of_an_entry_says_what_was_decided_then(home: House, stricter: Path) -> None:
    for entry in intents(home):
        said = told(home, "explain", "--rid", entry["rid"], "--config", str(home.site))
        assert said["decision"]["bundle"] == entry["policy"]
        assert {name: form.lower() for name, form in said["decision"]["forms"].items()} == entry["forms"]
        assert said["decision"]["rules"] == entry["rules"]
    sent = next(e for e in intents(home) if e["mode"] == "send_scrubbed")
    now = told(home, "explain", str(stricter), "--rid", sent["rid"], "--config", str(home.site))
    assert now["decision"]["mode"] == "keep_onprem"
    for_people = home.phigate("policy", "explain", "--rid", sent["rid"], "--config", str(home.site))
    assert "What each regime demands" in for_people.stdout
    assert "45 CFR" in for_people.stdout


def test_explain_after_the_policy_changed_still_reads_the_one_of_then(home: House) -> None:
    entry = intents(home)[0]
    kept = home.phigate(
        "policy", "show-bundle", entry["policy"][:19], "--file", "site.yaml", "--config", str(home.site)
    )
    assert kept.stdout == (home.site.parent / "policies" / "site.yaml").read_text()
    listed = told(home, "bundles", "--config", str(home.site))
    assert [row["bundle"] for row in listed] == [entry["policy"]]
    unknown = home.phigate("policy", "show-bundle", "sha256:00", "--config", str(home.site))
    assert (unknown.returncode, "expected one kept bundle" in unknown.stderr) == (1, True)


def test_explain_of_a_request_runs_the_detector_and_prints_no_text(home: House, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": NOTE}]}), "utf-8")
    folder = str(home.site.parent / "policies")
    done = home.phigate("policy", "explain", folder, "--app", "demo", "--request", str(body))
    assert done.returncode == 0, done.stderr
    for word in ("PERSON", "AGE", "PHONE", "send_scrubbed", "hipaa.scrub-baa"):
        assert word in done.stdout
    for word in ("Helena", "Moreira", "48210377", "555-0148"):
        assert word not in done.stdout + done.stderr
    said = told(home, "explain", folder, "--app", "demo", "--request", str(body))
    sent = next(e for e in intents(home) if e["mode"] == "send_scrubbed")
    assert said["decision"]["rules"] == sent["rules"]
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    refused = home.phigate("policy", "explain", folder, "--app", "demo", "--request", str(broken))
    assert refused.returncode == 1


PORTUGUESE = "Paciente Helena Brandão Moreira, tosse há três dias, sem febre. Qual a conduta?"
TEXTS = (
    f'  - {{name: a note leaves without its names, app: demo, text: "{PORTUGUESE}", '
    "expect: {mode: send_scrubbed, finds: [PERSON]}}\n"
    '  - {name: a question names nobody, app: demo, text: "What is the first-line antibiotic for cystitis in adults?", '
    "expect: {mode: send_scrubbed}}\n"
    '  - {name: this one fails, app: demo, text: "Patient John Smith has a cough.", '
    "expect: {mode: block, finds: [IBAN]}}\n"
)


def test_texts_run_the_real_detector(home: House, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(home.site.parent / "policies", folder)
    with (folder / "site.yaml").open("a") as file:
        file.write(TEXTS)
    quick = json.loads(home.phigate("policy", "test", str(folder), "--json").stdout)
    assert quick["failed"] == 0
    assert [r["outcome"] for r in quick["results"]].count("skipped") == 3
    slow = home.phigate("policy", "test", str(folder), "--text", "--json")
    assert slow.returncode == 1
    by_name = {r["name"]: r for r in json.loads(slow.stdout)["results"]}
    assert by_name["a note leaves without its names"]["outcome"] == "passed"
    assert by_name["a question names nobody"]["outcome"] == "passed"
    failed = by_name["this one fails"]
    assert failed["outcome"] == "failed"
    assert "mode: expected block, found send_scrubbed" in failed["problems"]
    assert any("IBAN" in problem for problem in failed["problems"])
    assert "Smith" not in slow.stdout


def test_a_long_replay_shows_how_far_it_is_on_a_terminal(home: House) -> None:
    master, slave = pty.openpty()
    folder = str(home.site.parent / "policies")
    arguments = ["policy", "replay", folder, "--config", str(home.site)]
    done = subprocess.Popen(
        [sys.executable, "-m", "phigate", *arguments],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    out, _ = done.communicate(timeout=60)
    os.close(master)
    assert done.returncode == 0
    assert b"deciding again" in shown
    assert b"100%" in shown
    assert b"6 exchanges" in out


def test_a_database_that_is_no_ledger_is_told(home: House, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as made:
        made.execute("CREATE TABLE t (x)")
    done = home.phigate("policy", "replay", str(home.site.parent / "policies"), "--ledger", str(tmp_path / "x.db"))
    assert done.returncode == 2
    assert "expected a ledger" in done.stderr
