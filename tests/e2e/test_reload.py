"""A policy that changes while the gateway serves: every worker follows, and a bad change changes nothing."""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.house import House, house

NOTE = "Patient: Helena Brandão Moreira, MRN 48210377, phone (617) 555-0148. Cough for three days. Please advise."
TEST = "app: demo, given: {findings: [PERSON, MRN]}, expect: {mode: %s}}"
SENDS, KEEPS = TEST % "send_scrubbed, to: [eu-cloud]", TEST % "keep_onprem"
KEEP = 'overrides:\n  - {id: site.stay, match: {app: demo}, limit: keep_onprem, reason: "a test"}\n'


def edit(home: House, *changes: tuple[str, str], sign: bool = True) -> None:
    """Edit a copy, sign it, and put its files in the place of those in force, the lock last."""
    folder = home.site.parent / "policies"
    copy = home.site.parent / "draft"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    text = (copy / "site.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (copy / "site.yaml").write_text(text)
    if sign:
        done = home.phigate("policy", "sign", str(copy), "--dev")
        assert done.returncode == 0, done.stderr
    for name in ("site.yaml", "policy.lock"):
        (copy / name).replace(folder / name)


def until(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")


def ready(home: House) -> dict[str, Any]:
    return dict(json.loads(home.get("/readyz")))


def ask(home: House, number: int = 0) -> dict[str, str]:
    messages: Any = [{"role": "user", "content": f"{NOTE} ({number})"}]
    raw = home.client().chat.completions.with_raw_response.create(model="gpt-5", messages=messages)
    return {"mode": raw.headers["x-phigate-mode"], "record": raw.headers["x-phigate-record"]}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_worker_follows_a_change_and_every_entry_names_its_bundle(tmp_path: Path, workers: int) -> None:
    with house(tmp_path / "site", workers=workers) as home:
        first = ready(home)["policy"]
        assert ask(home)["mode"] == "send_scrubbed"
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, home, number) for number in range(40)]
            edit(home, ("overrides: []", KEEP), (SENDS, KEEPS))
            os.kill(home.process.pid, signal.SIGHUP)
            during = [each.result()["mode"] for each in asking]
        assert set(during) <= {"send_scrubbed", "keep_onprem"}
        until(lambda: all(ready(home)["policy"] != first for _ in range(8)))
        until(lambda: all(ask(home, number)["mode"] == "keep_onprem" for number in range(8)))
        second = ready(home)["policy"]
        entries = home.entries()
        configs = [(e["policy"], e.get("previous")) for e in entries if e["kind"] == "config"]
        assert configs == [(first, None)] * workers + [(second, first)] * workers
        # What an entry says it was decided under is what decided it.
        for entry in entries:
            if entry["kind"] == "intent":
                assert (entry["mode"], entry["policy"]) in {("send_scrubbed", first), ("keep_onprem", second)}
                assert ("site.stay" in entry.get("overrides", [])) == (entry["policy"] == second)
        kept = home.phigate("policy", "show-bundle", first, "--config", str(home.site))
        assert kept.returncode == 0, kept.stderr
        assert "overrides: []" in kept.stdout
        done = home.phigate("ledger", "verify", "--config", str(home.site))
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_refused_change_is_an_alarm_and_nothing_else(tmp_path: Path) -> None:
    with house(tmp_path / "site") as home:
        first = ready(home)["policy"]
        edit(home, ("overrides: []", KEEP), sign=False)
        until(lambda: "policy_refused" in ready(home))
        told = ready(home)
        assert (told["ready"], told["policy"]) == (True, first)
        assert "PG003" in told["policy_refused"]["why"]
        assert "phigate_policy_refused 1.0" in home.get("/metrics")
        assert '"event":"bundle_refused"' in home.log.read_text()
        assert "sign again" in home.log.read_text()
        assert ask(home)["mode"] == "send_scrubbed"
        edit(home, (KEEP, "overrides: []"), sign=False)
        until(lambda: "policy_refused" not in ready(home))
        assert "phigate_policy_refused 0.0" in home.get("/metrics")
        assert [e["kind"] for e in home.entries()].count("config") == 1
