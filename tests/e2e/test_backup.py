"""The backup and restore steps of deploy/README.md, done to the ledger of a running gateway."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.e2e.house import House

ASKED: Any = [{"role": "user", "content": "How long is amoxicillin given for otitis media in adults?"}]


def ledger_of(home: House) -> Path:
    folder = home.site.parent
    [found] = [file for file in folder.rglob("*.db") if "ledger" in file.name]
    return found


def backed_up(source: Path, to: Path) -> Path:
    """Do what `sqlite3 SOURCE ".backup TO"` does."""
    with sqlite3.connect(source) as running, sqlite3.connect(to) as copy:
        running.backup(copy)
    return to


def test_a_copy_made_while_it_runs_verifies_and_a_short_one_is_found_out(home: House, tmp_path: Path) -> None:
    client = home.client()
    client.chat.completions.create(model="gpt-5", messages=ASKED)
    early = backed_up(ledger_of(home), tmp_path / "early.db")
    assert home.phigate("ledger", "verify", str(early)).returncode == 0
    for _ in range(3):
        client.chat.completions.create(model="gpt-5", messages=ASKED)
    config = ("--config", str(home.site))
    exported = home.phigate("ledger", "export", str(tmp_path / "kept"), *config)
    assert exported.returncode == 0, exported.stderr
    kept = tmp_path / "kept" / "checkpoint"
    late = backed_up(ledger_of(home), tmp_path / "late.db")
    assert home.phigate("ledger", "verify", str(late), "--checkpoint", str(kept)).returncode == 0
    short = home.phigate("ledger", "verify", str(early), "--checkpoint", str(kept))
    assert short.returncode in {1, 3}, short.stdout  # tampered or forked: shorter than what was signed
    assert home.phigate("ledger", "verify", *config).returncode == 0
