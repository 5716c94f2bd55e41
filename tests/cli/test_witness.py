from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from phigate.cli.witness import witness
from phigate.tlog.export import policy
from phigate.tlog.note import KeyType, VerifierKey
from phigate.tlog.witness import merge_answer
from tests.tlog.logs import ORIGIN, keyring
from tests.tlog.test_witness import head, request

NAME = "compliance.hospital.example"


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(witness, [str(each) for each in arguments])
    return done.exit_code, done.output


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder with the key, the policy and no state yet."""
    assert run("key", tmp_path / "w.key", "--name", NAME)[0] == 0
    (tmp_path / "policy").write_bytes(policy(keyring(), ORIGIN))
    return tmp_path


def test_a_key_is_made_once_and_named(site: Path) -> None:
    status, text = run("vkey", "--key", f"file:{site / 'w.key'}", "--name", NAME)
    key = VerifierKey.from_text(text.strip())
    assert (status, key.name, key.type) == (0, NAME, KeyType.COSIGNATURE)
    assert (site / "w.key").stat().st_mode & 0o777 == 0o600
    status, text = run("key", site / "w.key", "--name", NAME)
    assert (status, "a key is never overwritten" in text) == (1, True)


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"--host": "0.0.0.0"}, 2, "expected TLS or --behind-proxy on 0.0.0.0"),
        ({"--host": "witness.example"}, 2, "expected TLS or --behind-proxy on witness.example"),
        ({"--tls-key": "KEY"}, 2, "--tls-certificate and --tls-key together"),
        ({"--policy": "KEY"}, 1, "expected lines log, witness, group and quorum"),
        ({"--key": "file:/nowhere"}, 1, "expected a readable key file"),
        ({"--key": "hsm:1"}, 1, "a key URI that begins with"),
        ({"--name": "a b"}, 1, "a key name without space"),
        ({"--state": "/nowhere/x"}, 1, "a SQLite file that can be written"),
        ({"--port": "0"}, 2, "0 is not in the range"),
    ],
)
def test_a_start_that_cannot_be_is_refused_with_its_reason(
    site: Path, changes: dict[str, str], status: int, message: str
) -> None:
    options = {
        "--state": str(site / "w.db"),
        "--key": f"file:{site / 'w.key'}",
        "--name": NAME,
        "--policy": str(site / "policy"),
    } | {name: value.replace("KEY", str(site / "w.key")) for name, value in changes.items()}
    found, text = run("serve", *(word for pair in options.items() for word in pair))
    assert (found, message in text) == (status, True), text


def test_nothing_is_shown_of_a_witness_that_never_ran(site: Path) -> None:
    status, text = run("show", "--state", site / "w.db")
    assert (status, "expected a state file" in text) == (1, True)
    (site / "w.db").write_bytes(b"rubbish" * 1000)
    status, text = run("show", "--state", site / "w.db")
    assert (status, "a SQLite file that can be written" in text) == (1, True)


def test_a_served_witness_vouches_over_http(site: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "phigate", "witness", "serve", "--state", str(site / "w.db")]
    command += ["--key", f"file:{site / 'w.key'}", "--name", NAME, "--policy", str(site / "policy")]
    served = subprocess.Popen([*command, "--port", str(port)], env={**os.environ, "PYTHONWARNINGS": "ignore"})
    try:
        key = VerifierKey.from_text(fetch(f"http://127.0.0.1:{port}/vkey").decode().strip())
        body = fetch(f"http://127.0.0.1:{port}/add-checkpoint", request(0, 20).to_bytes())
        merged = merge_answer(head(20), body, [key])
        assert len(merged.note.signatures) == 2
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(10)
    status, text = run("show", "--state", site / "w.db")
    row = json.loads(text)
    assert (status, row["origin"], row["size"], row["contradicted_by"]) == (0, ORIGIN, 20, [])


def fetch(url: str, data: bytes | None = None) -> bytes:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, data=data, timeout=5) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no answer from {url}")
