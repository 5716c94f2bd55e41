"""Break-glass through a served gateway whose own models are down: one step, recorded, alarmed, reviewed by another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from phigate.cli.demo import stand_ins
from tests.e2e.house import free_port, house
from tests.e2e.vouched import key_for, post, signed, with_ehr

GLASS: dict[str, Any] = {"user": "dave", "role": "attending", "glass": {"reason": "life_threat"}}


def furnish(site: Path) -> None:
    """Add the EHR's key, and two people who may review, one of whom will break the glass."""
    with_ehr(site)
    rows = []
    for name, role in (("carol", "dpo"), ("dave", "security")):
        path = site.parent / f"{name}.key"
        made = subprocess.run(
            [sys.executable, "-m", "phigate", "policy", "keygen", str(path), "--role", role],
            check=True,
            capture_output=True,
            text=True,
        )
        public = made.stdout.split('"')[1]
        rows.append(f'  - {{role: {role}, name: {name}, key: "{public}"}}')
    text = site.read_text()
    assert "policy_keys: []" in text
    site.write_text(text.replace("policy_keys: []", "policy_keys:\n" + "\n".join(rows)))


def test_an_emergency_opens_one_step_and_a_second_person_reviews_it(tmp_path: Path) -> None:
    with stand_ins() as urls:
        nobody = f"http://127.0.0.1:{free_port()}"
        with house(tmp_path / "site", upstreams={**urls, "onprem": nobody}, furnish=furnish) as home:
            key = key_for(home, "pediatrics")
            status, error = post(home, signed("one", "pediatrics"), key=key)
            assert (status, error["code"]) == (503, "no_destination_available")
            status, error = post(home, signed("two", "pediatrics", **{**GLASS, "role": "porter"}), key=key)
            assert status == 503
            status, headers = post(home, signed("three", "pediatrics", **GLASS), key=key)
            assert (status, headers["x-phigate-mode"]) == (200, "send_scrubbed")
            assert "Helena" not in "".join(home.received("external"))
            metrics = home.get("/metrics")
            assert 'phigate_break_glass_total{result="granted"} 1.0' in metrics
            assert 'phigate_break_glass_total{result="refused"} 1.0' in metrics
            assert '"event":"break_glass"' in home.log.read_text()

            entries = home.entries()
            (rid,) = [e["rid"] for e in entries if e["kind"] == "break_glass"]
            assert [e["kind"] for e in entries if e.get("rid") == rid] == ["break_glass", "intent", "outcome"]
            listed = home.phigate("glass", "list", "--config", str(home.site), "--json")
            assert listed.returncode == 0, listed.stderr
            (call,) = json.loads(listed.stdout)
            assert (call["state"], call["sent"], call["role"]) == ("open", ["eu-cloud scrubbed"], "attending")

            def review(name: str) -> Any:
                where = str(home.site.parent / f"{name}.key")
                wanted = ["--verdict", "justified", "--key", where, "--config", str(home.site)]
                return home.phigate("glass", "review", call["record"], *wanted)

            own = review("dave")
            assert (own.returncode, "a second person does" in own.stderr) == (1, True)
            done = review("carol")
            assert done.returncode == 0, done.stderr
            assert "carol finds audit.phigate.example/demo" in done.stdout
            again = review("carol")
            assert "you reviewed audit." in again.stderr
            (call,) = json.loads(home.phigate("glass", "list", "--config", str(home.site), "--json").stdout)
            assert (call["state"], call["reviews"][0]["role"]) == ("reviewed", "dpo")
            shown = home.phigate("glass", "list", "--config", str(home.site)).stdout
            assert "dpo u-" in shown
            assert "1 calls, 0 overdue" in shown
            assert "0 calls" in home.phigate("glass", "list", "--open", "--config", str(home.site)).stdout
            verified = home.phigate("ledger", "verify", "--config", str(home.site))
            assert verified.returncode == 0, verified.stdout + verified.stderr
            assert b"dave" not in b"".join(json.dumps(e).encode() for e in home.entries())
