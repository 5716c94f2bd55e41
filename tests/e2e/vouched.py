"""Furnishing a house with an EHR: its key in the signed site file, and contexts as it would sign them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.cli.demo import _OPEN
from phigate.policy.context import seal
from tests.e2e.house import House

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AUDIENCE = "audit.phigate.example/demo"  # the log's origin, where phigate.yaml names no other audience
NOTE = "Patient: Helena Brandão Moreira, MRN 48210377, phone (617) 555-0148. Cough for three days. Please advise."


def resign(site: Path) -> None:
    """Sign the policies of a site with the development key."""
    folder = str(site.parent / "policies")
    done = subprocess.run(
        [sys.executable, "-m", "phigate", "policy", "sign", folder, "--dev"], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def with_ehr(site: Path) -> None:
    """Add the EHR's key to the site file, for every app of it, and sign."""
    path = site.parent / "policies" / "site.yaml"
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    row = f'context_keys:\n  - {{kid: k1, key: "ed25519:{public}", issuer: ehr, apps: [demo, pediatrics, us-clinic]}}\n'
    path.write_text(path.read_text().replace("max_stale_hours:", f"{row}max_stale_hours:", 1))
    resign(site)


def signed(jti: str, app: str = "demo", *, key: Ed25519PrivateKey = KEY, **claims: Any) -> str:
    now = int(time.time())
    whole = {"iss": "ehr", "aud": AUDIENCE, "iat": now, "exp": now + 120, "jti": jti, "app": app, **claims}
    return seal({name: value for name, value in whole.items() if value is not ...}, kid="k1", key=key)


def post(home: House, context: str | None, *, text: str = NOTE, key: str | None = None) -> tuple[int, dict[str, Any]]:
    """Ask as an app would; return status, and headers or the error's code."""
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": text}]}).encode()
    headers = {"authorization": f"Bearer {key or home.key}", "content-type": "application/json"}
    if context is not None:
        headers["X-Phigate-Context"] = context
    try:
        with _OPEN(Request(f"{home.url}/v1/chat/completions", body, headers), timeout=60) as reply:
            return reply.status, dict(reply.headers)
    except HTTPError as error:
        return error.code, dict(json.loads(error.read())["error"])


def key_for(home: House, app: str) -> str:
    made = home.phigate("keys", "create", "--app", app, "--config", str(home.site))
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()
