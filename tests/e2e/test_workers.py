"""Two workers that serve, one process that appends; a worker that dies is replaced and no entry is lost."""

import concurrent.futures
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.house import House, house

NOTE = "Patient: Helena Brandão Moreira, MRN 48210377, phone (617) 555-0148. Cough for three days. Please advise."


def children(pid: int) -> list[int]:
    out = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                out.append(int(entry.name))
    return out


def ask(home: House, number: int) -> str:
    messages: Any = [{"role": "user", "content": f"{NOTE} ({number})"}]
    raw = home.client().chat.completions.with_raw_response.create(model="gpt-5", messages=messages)
    assert "Helena Brandão Moreira" in (raw.parse().choices[0].message.content or "")
    return str(raw.headers["x-phigate-record"])


def counted(home: House) -> float:
    """Return the exchanges that /metrics tells of."""
    with urllib.request.urlopen(f"http://127.0.0.1:{home.port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    assert any(line.startswith("phigate_open_exchanges 0") for line in lines), "gauges of the dead are gone"
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("phigate_exchanges_total{"))


def test_two_workers_share_one_log_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with house(tmp_path / "site", workers=2) as home:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            records = list(pool.map(lambda n: ask(home, n), range(24)))
        assert len(set(records)) == 24
        first = children(home.process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        for _ in range(300):
            time.sleep(0.1)
            now = children(home.process.pid)
            if len(now) == 2 and first[0] not in now:
                break
        assert len(now) == 2
        for number in range(100, 108):
            ask(home, number)
        entries = home.entries()
        assert [e["kind"] for e in entries].count("intent") == 32
        for _ in range(4):  # whichever worker answers, it speaks for both, and for the dead one
            assert counted(home) == 32
        done = home.phigate("ledger", "verify", "--config", str(home.site))
        assert done.returncode == 0, done.stdout + done.stderr
