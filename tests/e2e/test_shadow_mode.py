"""A shadow bundle beside the enforced one, through the served gateway: counted, recorded, never obeyed."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from tests.e2e.house import house
from tests.e2e.test_reload import KEEP, KEEPS, SENDS, ask, ready


def furnish(site: Path) -> None:
    """Put an unsigned, stricter copy of the policies beside them."""
    shadow = site.parent / "tomorrow"
    shutil.copytree(site.parent / "policies", shadow)
    (shadow / "policy.lock").unlink()
    text = (shadow / "site.yaml").read_text()
    (shadow / "site.yaml").write_text(text.replace("overrides: []", KEEP).replace(SENDS, KEEPS))
    site.write_text(site.read_text() + "\nshadow: tomorrow\n")


def test_a_stricter_shadow_is_recorded_and_changes_nothing(tmp_path: Path) -> None:
    with house(tmp_path / "site", furnish=furnish) as home:
        shadow = ready(home)["shadow"]
        assert shadow.startswith("sha256:")
        assert shadow != ready(home)["policy"]
        assert ask(home)["mode"] == "send_scrubbed"
        for _ in range(100):
            if 'phigate_shadow_decisions_total{shade="stricter"} 1.0' in home.get("/metrics"):
                break
            time.sleep(0.05)
        entries = home.entries()
        (said,) = [entry for entry in entries if entry["kind"] == "shadow"]
        (intent,) = [entry for entry in entries if entry["kind"] == "intent"]
        assert (said["rid"], said["policy"], said["mode"]) == (intent["rid"], shadow, "keep_onprem")
        assert intent["mode"] == "send_scrubbed"
        kept = home.phigate("policy", "show-bundle", shadow, "--config", str(home.site), "--json")
        assert "site.stay" in json.loads(kept.stdout)["files"]["site.yaml"]
        done = home.phigate("ledger", "verify", "--config", str(home.site))
        assert done.returncode == 0, done.stdout + done.stderr
