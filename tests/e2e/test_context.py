"""Signed contexts at the door of a served gateway with two workers: taken once by all of them together."""

from __future__ import annotations

import concurrent.futures
import time
from collections import Counter
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.e2e.house import house
from tests.e2e.vouched import post, signed, with_ehr

NOW = int(time.time())
FORGED: dict[str, dict[str, object]] = {
    "context_signature": {"key": Ed25519PrivateKey.from_private_bytes(bytes(32))},
    "context_expired": {"iat": NOW - 900, "exp": NOW - 800},
    "context_audience": {"aud": "audit.elsewhere/phigate"},
    "context_app": {"app": "us-clinic"},
    "context_claims": {"admin": True},
    "context_key_unknown": {"iss": "nobody"},
}


def test_what_the_ehr_signs_counts_once_in_all_workers(tmp_path: Path) -> None:
    with house(tmp_path / "site", workers=2, furnish=with_ehr) as home:
        status, headers = post(home, signed("one", tags=["part2"], sub="MRN 48210377", user="dr-house"))
        assert (status, headers["x-phigate-mode"]) == (200, "keep_onprem")
        status, headers = post(home, signed("two", tags=[]), text="How long is amoxicillin given for otitis media?")
        assert (status, headers["x-phigate-mode"]) == (200, "send_scrubbed")
        for code, claims in FORGED.items():
            status, error = post(home, signed(f"bad-{code}", **claims))  # type: ignore[arg-type]
            assert (status, error["code"]) == (401, code)
            assert "ehr" not in error["message"]
        same = signed("three", tags=["part2"])
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = Counter(status for status, _ in pool.map(lambda _: post(home, same), range(24)))
        assert answers == {200: 1, 401: 23}
        entries = home.entries()
        refused = Counter(e["reason"] for e in entries if e["kind"] == "refusal")
        assert refused == {**dict.fromkeys(FORGED, 1), "context_replayed": 23}
        (first, *_) = [e for e in entries if e["kind"] == "intent"]
        assert first["subj"][0][0] == "declared"
        assert first["actor"].startswith("u-")
        assert first["tags"] == ["part2"]
        kept = home.every_byte()
        assert b"48210377" not in kept
        assert b"dr-house" not in kept
        done = home.phigate("ledger", "verify", "--config", str(home.site))
        assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_header_nothing_is_asked_of_it(tmp_path: Path) -> None:
    with house(tmp_path / "site") as home:
        assert post(home, None)[0] == 200
        # No key of the policy signs contexts here: a header that nobody can vouch for is refused, not overlooked.
        status, error = post(home, signed("one"))
        assert (status, error["code"]) == (401, "context_key_unknown")
        assert not (home.site.parent / "state" / "contexts.db").exists()
