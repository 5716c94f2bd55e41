"""What breaks under a served gateway: each refused exchange has its entry, and no model is called unrecorded."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from phigate.cli.demo import _OPEN
from phigate.cli.init import write_site
from tests.e2e.house import House, free_port, house

NOTE = "Patient: Helena Brandão Moreira, MRN 48210377. Cough for three days, no fever. Please advise."
LONG = f"{NOTE} {'The findings of the day were discussed with the family. ' * 60}"
SECRETS = ("Helena", "Brandão", "Moreira", "48210377")
FAR = {"onprem": "http://127.0.0.1:9", "external": "http://127.0.0.1:9"}  # nobody listens on discard


def post(
    home: House, body: dict[str, Any] | bytes, *, key: str | None = ""
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and JSON of an answer. ``key`` None sends none, "" the app's own."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["authorization"] = f"Bearer {key or home.key}"
    request = Request(f"{home.url}/v1/chat/completions", data=data, headers=headers)
    try:
        with _OPEN(request, timeout=60) as reply:
            return int(reply.status), dict(reply.headers.items()), json.loads(reply.read())
    except HTTPError as error:
        with error:
            return int(error.code), dict(error.headers.items()), json.loads(error.read())


def ask(text: str = NOTE, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": text}], **more}


def is_openai_error(answer: dict[str, Any], code: str) -> None:
    error = answer["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]
    assert [word for word in SECRETS if word in json.dumps(answer, ensure_ascii=False)] == []


def end(home: House) -> list[dict[str, Any]]:
    """Stop the gateway, which writes what it only counted, and return its entries."""
    home.process.terminate()
    home.process.wait(timeout=40)
    return home.entries()


def calls(home: House) -> int:
    return home.total("onprem") + home.total("external")


def reasons(entries: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in entries:
        if entry["kind"] == "refusal":
            found[entry["reason"]] = found.get(entry["reason"], 0) + int(entry["count"])
    return found


BAD: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"{Helena", 400, "invalid_json"),
    "not UTF-8": (b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', 400, "invalid_utf8"),
    "a wrong type": (b'{"model":"m","messages":"Helena"}', 400, "invalid_type"),
    "a lone surrogate": (
        b'{"model":"m","messages":[{"role":"user","content":"Helena \\ud800"}]}',
        400,
        "invalid_unicode",
    ),
    "a depth bomb": (b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 413, "too_deep"),
    "a bomb inside a string": (
        json.dumps({"model": "m" * 65_536, "messages": [{"role": "tool", "content": "[" * 100_000}]}).encode(),
        400,
        "invalid_model",
    ),
    "a 64 KiB model name": (json.dumps(ask(model="Helena! " * 8192)).encode(), 400, "invalid_model"),
}


def strict(site: Path) -> None:
    """Let the app name only models that it knows."""
    change(site, "site.yaml", ("default_alias: clinical", "default_alias: clinical, strict_models: true"))


def change(site: Path, name: str, *changes: tuple[str, str]) -> None:
    """Edit a policy file and sign the folder again."""
    path = site.parent / "policies" / name
    text = path.read_text()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    path.write_text(text)
    command = [sys.executable, "-m", "phigate", "policy", "sign", str(path.parent), "--dev"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_bad_request_has_an_error_an_entry_and_no_call(tmp_path: Path) -> None:
    with house(tmp_path / "site", furnish=strict) as home:
        for name, (body, status, code) in BAD.items():
            found, _, answer = post(home, body)
            assert found == status, name
            is_openai_error(answer, code)
        found, headers, answer = post(home, ask(model="Helena-Moreira-9"))
        assert (found, headers["x-should-retry"]) == (404, "false")
        is_openai_error(answer, "model_not_found")
        for key, code in ((None, "missing_key"), ("pg_wrong", "unknown_key")):
            found, _, answer = post(home, ask(), key=key)
            assert found == 401
            is_openai_error(answer, code)
        assert calls(home) == 0
        entries = end(home)
        told = {code for _, _, code in BAD.values()} | {"model_not_found", "missing_key", "unknown_key"}
        assert told <= set(reasons(entries))
        assert not [entry for entry in entries if entry["kind"] == "intent"]
        kept = home.every_byte().decode("utf-8", "replace")
        assert [word for word in SECRETS if word in kept] == []


@pytest.mark.parametrize("stream", [False, True])
def test_dead_models_are_503_with_every_attempt_recorded(tmp_path: Path, stream: bool) -> None:
    with house(tmp_path / "site", upstreams=FAR) as home:
        found, headers, answer = post(home, ask(stream=stream))
        assert found == 503
        assert headers["retry-after"]
        is_openai_error(answer, "no_destination_available")
        entries = end(home)
        intents = [entry["idx"] for entry in entries if entry["kind"] == "intent"]
        outcomes = {e["intent"]["idx"]: e["status"] for e in entries if e["kind"] == "outcome"}
        assert len(intents) >= 1
        assert set(outcomes) == set(intents)
        assert set(outcomes.values()) <= {"not_sent", "upstream_error", "unknown"}
        assert reasons(entries)["no_destination_available"] == 1


@contextmanager
def fault(home: House, kind: str, name: str) -> Iterator[None]:
    """Let one stand-in fail in a way of its own."""

    def tell(word: str) -> None:
        request = Request(f"{home.upstreams[kind]}/fault", data=word.encode(), method="PUT")
        with _OPEN(request, timeout=10):
            pass

    tell(name)
    try:
        yield
    finally:
        tell("none")


@pytest.mark.parametrize("name", ["error", "garbage", "close_midway", "redirect", "busy"])
def test_a_failing_outside_model_shows_no_value_and_loosens_nothing(home: House, name: str) -> None:
    before = {kind: home.total(kind) for kind in ("onprem", "external")}
    with fault(home, "external", name):
        found, headers, answer = post(home, ask(f"{NOTE} ({name})"))
    sent = "".join(home.since("external", before["external"]))
    assert [word for word in SECRETS if word in sent] == []
    if found == 200:
        assert headers["x-phigate-mode"] in {"onprem", "keep_onprem"}
        return
    assert found in {429, 500, 502, 503}
    assert [word for word in SECRETS if word in json.dumps(answer, ensure_ascii=False)] == []


def test_no_model_was_called_more_often_than_entries_say(home: House) -> None:
    post(home, ask())
    intents = [entry for entry in home.entries() if entry["kind"] == "intent"]
    assert calls(home) <= len(intents)


def test_an_expired_contract_closes_its_destination_and_stops_nobody(tmp_path: Path) -> None:
    gone = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()

    def expire(site: Path) -> None:
        path = site.parent / "policies" / "destinations.yaml"
        lines = path.read_text().splitlines(keepends=True)
        changed = [_expired(line, gone) for line in lines]
        assert changed != lines
        path.write_text("".join(changed))
        # The tests of the policies run at their own clock, when the contracts still held.
        today = datetime.now(UTC).date()
        change(site, "site.yaml", (f'test_clock: "{today}"', f'test_clock: "{today - timedelta(days=30)}"'))

    with house(tmp_path / "site", furnish=expire) as home:
        found, headers, _ = post(home, ask())
        assert found == 200
        assert headers["x-phigate-mode"] in {"onprem", "keep_onprem"}
        assert headers["x-phigate-destination"] == "medgemma"
        assert home.total("external") == 0
        assert home.total("onprem") == 1
        (intent,) = [entry for entry in home.entries() if entry["kind"] == "intent"]
        assert intent["mode"] == headers["x-phigate-mode"]


def _expired(line: str, day: str) -> str:
    head, mark, tail = line.partition('expires: "')
    return f"{head}{mark}{day}{tail[10:]}" if mark else line


def _never_ready(tmp_path: Path, furnish: Callable[[Path], None]) -> str:
    """Return what a gateway that must not start says, once it ended by itself."""
    site = write_site(
        tmp_path / "site",
        port=free_port(),
        endpoints={"medgemma": "http://127.0.0.1:9/v1", "eu-cloud": "http://127.0.0.1:9/v1"},
        external_key="test-key",
        development=True,
    )
    furnish(site)
    command = [sys.executable, "-m", "phigate", "serve", "--config", str(site), "--dev"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def _write(name: str, text: str) -> Callable[[Path], None]:
    def furnish(site: Path) -> None:
        (site.parent / name).write_text(text)

    return furnish


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def furnish(site: Path) -> None:
        text = site.read_text()
        assert old in text
        site.write_text(text.replace(old, new))

    return furnish


@pytest.mark.parametrize(
    ("furnish", "said"),
    [
        (_write("policies/site.yaml", "apps: [\n"), "site.yaml:"),
        (_write("policies/destinations.yaml", "phigate: nonsense/v9\n"), "destinations.yaml:"),
        (_write("policies/regimes/broken.yaml", "phigate: regime/v1\nrulez: []\n"), "broken.yaml:"),
        (_write("policies/policy.lock", "{}"), "policy.lock"),
        (_replace("sqlite:///ledger.db", "sqlite:///:memory:"), "write sqlite:///ledger.db"),
        (_replace("sqlite:///ledger.db", "sqlite:///none/ledger.db"), "no folder"),
        (_replace("depth: 64", "depth: 1000"), "from 8 to 128"),
    ],
)
def test_a_file_that_cannot_be_used_stops_start_up_and_says_where(
    tmp_path: Path, furnish: Callable[[Path], None], said: str
) -> None:
    assert said in _never_ready(tmp_path, furnish)


def test_a_dead_detector_refuses_records_and_sends_nothing(tmp_path: Path) -> None:
    with house(tmp_path / "site", program="tests.e2e.threadless") as home:
        assert post(home, ask(LONG))[0] == 200
        before = calls(home)
        (home.site.parent / "no-threads").touch()
        for n in range(2):
            found, headers, answer = post(home, ask(f"{LONG} {n} more words, so that none of it was read before."))
            assert found == 503
            assert headers["retry-after"]
            is_openai_error(answer, "detector_unavailable")
        with pytest.raises(HTTPError) as caught:
            home.get("/readyz")
        with caught.value as not_ready:
            assert not_ready.code == 503
        assert calls(home) == before
        (home.site.parent / "no-threads").unlink()
        assert post(home, ask(f"{LONG} again"))[0] == 200
        assert reasons(end(home))["detector_unavailable"] == 2


def test_a_disk_that_takes_no_more_refuses_sends_nothing_and_recovers(tmp_path: Path) -> None:
    with house(tmp_path / "site") as home:
        assert post(home, ask())[0] == 200
        before = calls(home)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(home.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for stream in (False, True):
            found, headers, answer = post(home, ask(stream=stream))
            assert found == 503
            assert headers["retry-after"]
            assert answer["error"]["code"] in {
                "ledger_full",
                "ledger_unavailable",
                "state_unavailable",
                "vault_unavailable",
            }
            is_openai_error(answer, answer["error"]["code"])
        assert calls(home) == before
        resource.prlimit(home.process.pid, resource.RLIMIT_FSIZE, unlimited)
        for _ in range(100):
            if post(home, ask())[0] == 200:
                break
            time.sleep(0.2)
        else:
            raise AssertionError("the gateway did not recover")
        done = home.phigate("ledger", "verify", "--config", str(home.site))
        assert done.returncode == 0, done.stdout + done.stderr
