"""An auditor with one key verifies a served gateway; a witness process cosigns; silence and forks are seen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from phigate.store.key_folder import ledger_keys, read_keyring
from phigate.store.source import DatabaseSource
from phigate.tlog.export import policy
from tests.e2e.house import House, free_port, house

ORIGIN = "audit.phigate.example/demo"
NAME = "compliance.hospital.example"
NOTE = "Patient: Helena Brandão Moreira, MRN 48210377. Cough for three days. Please advise."
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def phigate(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "phigate", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def a_witness(folder: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "phigate", "witness", "serve", "--state", str(folder / "witness.db")),
            *("--key", f"file:{folder / 'witness.key'}", "--name", NAME),
            *("--policy", str(folder / "policy"), "--port", str(port)),
        ]
    )
    try:
        for _ in range(200):
            try:
                _OPEN(f"http://127.0.0.1:{port}/vkey", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def furnish(folder: Path, port: int, when_stale: str) -> Callable[[Path], None]:
    """Return what lists a witness in the keyring, and its address in the settings."""

    def furnished(site: Path) -> None:
        keys = site.parent / "keys"
        ledger_keys(keys, origin=ORIGIN, now=time.time())
        vkey = phigate("witness", "key", str(folder / "witness.key"), "--name", NAME)
        assert "quorum 1" in phigate("witness", "trust", vkey, "--config", str(site))
        found = read_keyring(keys)
        assert found is not None
        (folder / "policy").write_bytes(policy(found[0], ORIGIN))
        witnesses = (
            f'{{at: [{{name: {NAME}, url: "http://127.0.0.1:{port}"}}], every_s: 1, stale_s: 5,'
            f" when_stale: {when_stale}}}"
        )
        text = site.read_text(encoding="utf-8")
        site.write_text(text.replace("state: state}", f"state: state, witnesses: {witnesses}}}"), encoding="utf-8")

    return furnished


def ask(home: House) -> Any:
    messages: Any = [{"role": "user", "content": NOTE}]
    return home.client().chat.completions.with_raw_response.create(model="gpt-5", messages=messages)


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"expected it within {seconds} s"
        time.sleep(0.1)


def heads(port: int) -> Any:
    with _OPEN(f"http://127.0.0.1:{port}/heads", timeout=5) as reply:
        return json.loads(reply.read())


def ready(home: House) -> Any:
    try:
        return json.loads(home.get("/readyz"))
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def gauge(home: House, name: str) -> float:
    line = next(line for line in home.get("/metrics").splitlines() if line.startswith(f"phigate_{name} "))
    return float(line.split(" ")[1])


def test_an_auditor_verifies_over_http_and_a_witness_process_cosigns(tmp_path: Path) -> None:
    port = free_port()
    with house(tmp_path / "site", workers=2, furnish=furnish(tmp_path, port, "alarm")) as home:
        config = ("--config", str(home.site))
        index = int(ask(home).headers["x-phigate-record"].rpartition("#")[2])
        until(lambda: "ledger" in ready(home)["alarms"], 30)  # no witness yet: said, and served all the same
        assert ready(home)["ready"]
        with a_witness(tmp_path, port):
            until(lambda: bool(heads(port)) and heads(port)[0]["size"] > index)
            until(lambda: ready(home)["alarms"] == {})
            until(lambda: gauge(home, "ledger_witness_age_seconds") < 5)
            key = phigate("keys", "create", "--auditor", "inspector-1", *config)
            url = f"{home.url}/ledger"
            environment = os.environ | {"PHIGATE_AUDITOR_KEY": key}
            verify = [sys.executable, "-m", "phigate", "ledger", "verify", url, "--json"]
            done = subprocess.run(verify, capture_output=True, text=True, check=False, env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
            report = json.loads(done.stdout)
            assert report["size"] > index
            assert report["witnessed_head"]["witnesses"] == 1
            request = urllib.request.Request(f"{url}/checkpoint", headers={"authorization": f"Bearer {key}"})
            with _OPEN(request, timeout=5) as reply:
                kept = tmp_path / "kept"
                kept.write_bytes(reply.read())
            assert f"\u2014 {NAME} ".encode() in kept.read_bytes(), "the served checkpoint carries the cosignature"
            ask(home)
            until(lambda: heads(port)[0]["size"] > report["size"])
            later = subprocess.run(
                [*verify, "--checkpoint", str(kept)], capture_output=True, text=True, check=False, env=environment
            )
            assert later.returncode == 0, later.stdout + later.stderr
        for wrong in (home.key, "pgaudit_" + "A" * 43):
            refused = subprocess.run(
                verify, capture_output=True, text=True, check=False, env=environment | {"PHIGATE_AUDITOR_KEY": wrong}
            )
            assert refused.returncode == 2
            assert "takes another key" in refused.stderr
        until(lambda: "ledger" in ready(home)["alarms"], 30)
        assert '"event":"witness_stale"' in home.log.read_text(encoding="utf-8")
        ask(home)
    with DatabaseSource(f"sqlite:///{tmp_path}/site/ledger.db") as source:
        entries = [json.loads(bytes(row.entry).split(b"\n")[1]) for row in source.rows(0, source.size)]
    assert {entry["actor"] for entry in entries if entry["kind"] == "access"} == {"inspector-1"}


def test_a_silent_witness_stops_egress_where_the_site_says_refuse(tmp_path: Path) -> None:
    import openai

    port = free_port()
    furnished = furnish(tmp_path, port, "refuse")

    def with_witness(site: Path) -> None:
        furnished(site)
        running.__enter__()

    running = a_witness(tmp_path, port)
    with house(tmp_path / "site", furnish=with_witness) as home:
        ask(home)
        before = home.total("external")
        running.__exit__(None, None, None)
        until(lambda: not ready(home)["ready"], 30)
        assert "expected cosignatures of 1 witnesses" in ready(home)["not_ready"]["ledger"]
        with pytest.raises(openai.APIStatusError) as raised:
            ask(home)
        assert raised.value.status_code == 503
        assert home.total("external") == before, "nothing left"
        with a_witness(tmp_path, port):
            until(lambda: ready(home)["ready"], 30)
            ask(home)
        assert home.total("external") == before + 1


def test_a_witness_process_catches_a_gateway_that_was_rolled_back_with_its_keys(tmp_path: Path) -> None:
    port, site = free_port(), tmp_path / "site"
    furnished = furnish(tmp_path, port, "alarm")

    def with_witness(config: Path) -> None:
        furnished(config)
        running.__enter__()

    running = a_witness(tmp_path, port)
    with house(site, furnish=with_witness):
        until(lambda: bool(heads(port)))
    shutil.copytree(site, tmp_path / "backup")
    try:
        log = tmp_path / "again.log"
        serve = [sys.executable, "-m", "phigate", "serve", "--config", str(site / "phigate.yaml"), "--dev"]
        with log.open("wb") as out:
            size = heads(port)[0]["size"]
            process = subprocess.Popen(serve, stdout=out, stderr=out)
            until(lambda: heads(port)[0]["size"] > size + 1, 40)
            process.terminate()
            process.wait(timeout=40)
        shutil.rmtree(site)
        shutil.copytree(tmp_path / "backup", site)  # database, keys and anchor: only the witness remembers
        done = subprocess.run(serve, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode != 0
        assert f"phigate cannot start: the witness {NAME} cosigned a" in done.stderr
        assert "rolled back or forked" in done.stderr
    finally:
        running.__exit__(None, None, None)
