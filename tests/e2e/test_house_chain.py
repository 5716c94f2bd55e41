"""Servers of the house die under load, and a request that another could answer is not lost; nothing goes outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from phigate.cli.demo import _until_ready
from phigate.cli.init import write_site
from phigate.policy import lock as locks
from phigate.store.bundles import load_folder, make_lock
from tests.e2e.house import free_port

NOTE = "Patient John Carter, MRN 4482913, has had a cough since 03/04/2026. What should be done?"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
MODELS = {"large": "medgemma-27b-it", "small": "medgemma-4b-it", "text": "meditron3-8b"}


@contextlib.contextmanager
def model_server(name: str, port: int, *, pace_s: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """Run a stand-in of one model in a process of its own, so that it can be killed."""
    code = (
        "import uvicorn; from phigate.app.standin import stand_in;"
        f"uvicorn.run(stand_in('{name}', '{name}', record=0, pace_s={pace_s}), host='127.0.0.1', port={port},"
        "log_config=None, access_log=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()


def _destinations(ports: dict[str, list[int]]) -> str:
    """Return the shipped destinations with a chain of three in the house; the cloud stands where nobody listens."""
    can = {"large": "tools, vision, logprobs, json_schema", "small": "tools, vision", "text": "tools"}
    context = {"large": 4000, "small": 32_000, "text": 8000}
    rows = []
    for name, model in MODELS.items():
        first, *others = (f"http://127.0.0.1:{port}/v1" for port in ports[name])
        replicas = f"    replicas: [{', '.join(json.dumps(each) for each in others)}]\n" if others else ""
        rows.append(
            f'  {name}:\n    kind: onprem\n    endpoint: "{first}"\n{replicas}    country: BR\n    models:\n'
            f"      - {{name: {model}, can: [{can[name]}], context: {context[name]}}}\n"
        )
    return "".join(rows)


@contextlib.contextmanager
def chained(folder: Path, ports: dict[str, list[int]]) -> Iterator[tuple[openai.OpenAI, Path]]:
    """Serve a gateway whose house has three destinations; yield a client of an app that stays there."""
    port = free_port()
    site = write_site(
        folder,
        port=port,
        endpoints={"medgemma": "http://127.0.0.1:1/v1", "eu-cloud": "http://127.0.0.1:1/v1"},
        external_key="k",
        development=True,
    )
    policies = site.parent / "policies"
    file = policies / "destinations.yaml"
    text = file.read_text(encoding="utf-8")
    head, rest = text.split("  medgemma:\n")
    file.write_text(head + _destinations(ports) + rest[rest.index("  eu-cloud:\n") :], encoding="utf-8")
    rules = policies / "site.yaml"
    chain = ", ".join(f"{name}/{model}" for name, model in MODELS.items())
    rules.write_text(
        rules.read_text(encoding="utf-8")
        .replace("medgemma/medgemma-27b-it", chain)
        .replace(
            "in-house: {tenant: demo,",
            "in-house: {limits: {requests_per_minute: 100000, concurrent: 256}, tenant: demo,",
        ),
        encoding="utf-8",
    )
    lock = locks.sign(
        make_lock(load_folder(policies), effective="2026-01-01"), role=locks.DEVELOPMENT, key=locks.development_key()
    )
    (policies / locks.FILE).write_bytes(locks.write_lock(lock))
    phigate = [sys.executable, "-m", "phigate"]
    made = subprocess.run(
        [*phigate, "keys", "create", "--app", "in-house", "--config", str(site)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    log = folder.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen([*phigate, "serve", "--config", str(site), "--dev"], stdout=out, stderr=out)
        try:
            _until_ready(process, port, log)
            url = f"http://127.0.0.1:{port}/v1"
            yield openai.OpenAI(base_url=url, api_key=made.stdout.strip(), max_retries=0, timeout=60), site
        finally:
            process.terminate()
            process.wait(60)


def ask(client: openai.OpenAI, content: Any = NOTE, **more: Any) -> tuple[str, str]:
    """Return who answered and what."""
    messages: Any = [{"role": "user", "content": content}]
    raw = client.chat.completions.with_raw_response.create(model="local", messages=messages, **more)
    return raw.headers["x-phigate-destination"], raw.parse().choices[0].message.content or ""


def test_the_model_of_the_house_is_chosen_by_what_the_request_needs(tmp_path: Path) -> None:
    ports = {name: [free_port()] for name in MODELS}
    image = [{"type": "text", "text": NOTE}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    tool: Any = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}]
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(model_server(MODELS[name], ports[name][0])) for name in MODELS}
        client, site = stack.enter_context(chained(tmp_path / "site", ports))
        assert ask(client)[0] == "large"
        assert ask(client, "Ward round. " * 1500)[0] == "small"  # 6 000 tokens have no room in 4 000
        servers["large"].kill()
        assert ask(client)[0] == "small"
        assert ask(client, image)[0] == "small"
        servers["small"].kill()
        assert ask(client, tools=tool)[0] == "text"
        with pytest.raises(openai.InternalServerError) as caught:  # nobody left can see
            ask(client, image)
        assert caught.value.status_code == 503
        assert "nothing was sent elsewhere" in str(caught.value)
        assert ask(client)[0] == "text"
    shown = subprocess.run(
        [sys.executable, "-m", "phigate", "ledger", "show", "--count", "999", "--json", "--config", str(site)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    entries = [json.loads(line) for line in shown.stdout.splitlines()]
    kinds = {e["destination"]["kind"] for e in entries if e["kind"] == "intent"}
    assert kinds == {"onprem"}
    assert "refusal" in {e["kind"] for e in entries}


def test_one_of_two_servers_is_killed_under_load_and_no_request_is_lost(tmp_path: Path) -> None:
    ports = {"large": [free_port(), free_port()], "small": [1], "text": [1]}
    lost: list[str] = []
    answered = 0
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(model_server(MODELS["large"], ports["large"][0]))
        stack.enter_context(model_server(MODELS["large"], ports["large"][1]))
        client, _ = stack.enter_context(chained(tmp_path / "site", ports))
        stop = threading.Event()

        def load(number: int) -> int:
            done = 0
            while not stop.is_set():
                try:
                    place, text = ask(client, f"{NOTE} {number}/{done}")
                    assert place == "large"
                    assert text
                    done += 1
                except openai.APIStatusError as error:
                    lost.append(str(error))
            return done

        with ThreadPoolExecutor(16) as pool:
            runs = [pool.submit(load, number) for number in range(16)]
            time.sleep(2)
            first.kill()
            time.sleep(3)
            stop.set()
            answered = sum(run.result() for run in runs)
    assert lost == []
    assert answered > 50
