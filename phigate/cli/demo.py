"""``phigate demo``: the whole road on one machine, with loopback stand-ins for the two models, shown step by step.

Everything is real but the models: the gateway is ``phigate serve`` in a process of its own, requests go through its
HTTP door, the ledger is verified as an auditor would. The exit status says whether what left and what was recorded is
what the decisions said.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import click

_OPEN: Final = build_opener(ProxyHandler({})).open  # loopback only, whatever proxy the shell names
# One white pixel: what a scan looks like to a gateway that cannot read it.
_PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/x8AAwMCAO+ip1sAAAAASUVORK5CYII="
)
_NOTE: Final = (
    "Summarise for the referring physician. Patient: Helena Brandão Moreira, DOB 14/03/1968, MRN 48210377, "
    "phone (617) 555-0148. Mrs. Moreira was admitted on 02/11/2026 with community-acquired pneumonia; "
    "troponin 0.02 ng/mL, creatinine 1.1 mg/dL, given ceftriaxone 1 g daily. Her son Paulo Moreira will collect her."
)
_SCAN: Final = "Describe this chest film of Jonathan Ferreira, MRN 77120345, admitted 21/10/2026."
_QUESTION: Final = "What is the first-line antibiotic for uncomplicated cystitis in adults, and for how many days?"


@dataclass(frozen=True, slots=True)
class Example:
    """One request of the demo and what must come of it."""

    title: str
    why: str
    body: dict[str, Any]
    mode: str
    phi: tuple[str, ...] = ()  # must never reach the outside
    restored: tuple[str, ...] = ()  # must stand in the answer


EXAMPLES: Final = (
    Example(
        "a question without PHI",
        "nothing was found; the copy that leaves is scrubbed all the same, with an empty map",
        {"model": "gpt-5", "messages": [{"role": "user", "content": _QUESTION}]},
        "send_scrubbed",
    ),
    Example(
        "a film with a name on it",
        "an image cannot be read by any recognizer, so policy keeps it in the house",
        {
            "model": "gpt-5",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": _SCAN},
                        {"type": "image_url", "image_url": {"url": _PIXEL}},
                    ],
                }
            ],
        },
        "keep_onprem",
        phi=("Jonathan", "Ferreira", "77120345"),
    ),
    Example(
        "a note that may leave scrubbed (streamed)",
        "purpose and contracts allow a scrubbed copy; the answer comes back with the names put in again",
        {"model": "gpt-5", "stream": True, "messages": [{"role": "user", "content": _NOTE}]},
        "send_scrubbed",
        phi=("Helena", "Brandão", "Moreira", "14/03/1968", "48210377", "555-0148", "Paulo"),
        restored=("Helena Brandão Moreira",),
    ),
)


@dataclass
class Check:
    """Collects what did not come out as the decision said."""

    wrong: list[str] = field(default_factory=list)

    def that(self, *, holds: bool, otherwise: str) -> None:
        """Note ``otherwise`` unless it holds."""
        if not holds:
            self.wrong.append(otherwise)


@click.command()
@click.option("--once", is_flag=True, help="End after the examples; status 0 only if all came out as decided.")
@click.option("--port", default=8080, show_default=True, help="Where the gateway listens on 127.0.0.1.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("demo-site"), show_default=True, help="Its files."
)
def demo(*, once: bool, port: int, folder: Path) -> None:
    """Show the whole road: three requests, what each model received, what the app got, the signed entries."""
    from phigate.cli import demo_show as show

    with stand_ins() as upstreams:
        site = _site(folder, port=port, upstreams=upstreams)
        key = _app_key(site)
        with _gateway(site, port=port):
            show.opening(site, port=port)
            check = Check()
            for number, example in enumerate(EXAMPLES, 1):
                before = {name: len(_received(url)) for name, url in upstreams.items()}
                answer = ask(port, key, example.body)
                got = {name: _received(url)[before[name] :] for name, url in upstreams.items()}
                show.example(number, example, answer, got, site)
                judge(check, example, answer, got)
            show.verification(site, check)
            if not once:
                show.invitation(port, key, upstreams)
                _wait()
    show.verdict(check)
    sys.exit(1 if check.wrong else 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app got."""

    status: int
    headers: dict[str, str]
    text: str  # what a person reads
    raw: str


def ask(port: int, key: str, body: dict[str, Any]) -> Answer:
    """Send one request through the real door, and read the answer whole or as a stream."""
    request = Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with _OPEN(request, timeout=60) as reply:
            raw = reply.read().decode()
            return Answer(reply.status, dict(reply.headers.items()), _readable(raw), raw)
    except HTTPError as error:
        raw = error.read().decode()
        return Answer(error.code, dict(error.headers.items()), raw, raw)


def _readable(raw: str) -> str:
    if raw.startswith("{"):
        return str(json.loads(raw)["choices"][0]["message"]["content"])
    chunks = (json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: {"))
    return "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk.get("choices", []))


def judge(check: Check, example: Example, answer: Answer, got: dict[str, list[str]]) -> None:
    """Compare what happened with what the decision had to be."""
    title = example.title
    mode = answer.headers.get("x-phigate-mode", "none")
    check.that(holds=answer.status == 200, otherwise=f"{title}: expected status 200, found {answer.status}")
    check.that(holds=mode == example.mode, otherwise=f"{title}: expected mode {example.mode}, found {mode}")
    where = "onprem" if example.mode == "keep_onprem" else "external"
    other = "external" if where == "onprem" else "onprem"
    check.that(holds=len(got[where]) == 1, otherwise=f"{title}: expected one request {where}, found {len(got[where])}")
    check.that(holds=not got[other], otherwise=f"{title}: expected nothing {other}, found {len(got[other])}")
    outside = "".join(got["external"])
    for value in example.phi:
        check.that(holds=value not in outside, otherwise=f"{title}: an identifier reached the outside")
    for value in example.restored:
        check.that(holds=value in answer.text, otherwise=f"{title}: the answer lacks a restored name")


@contextmanager
def stand_ins() -> Iterator[dict[str, str]]:
    """Run the two models in threads of this process; yield their base URLs by kind."""
    import uvicorn

    from phigate.app.standin import stand_in

    servers: dict[str, uvicorn.Server] = {}
    threads: list[threading.Thread] = []
    urls: dict[str, str] = {}
    for kind, model in (("onprem", "medgemma-27b-it"), ("external", "gpt-eu")):
        config = uvicorn.Config(
            stand_in(kind, model, record=1024), host="127.0.0.1", port=0, log_config=None, access_log=False
        )
        server = servers[kind] = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
        thread.start()
        threads.append(thread)
        while not server.started:
            time.sleep(0.01)
        urls[kind] = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield urls
    finally:
        for server in servers.values():
            server.should_exit = True
        for thread in threads:
            thread.join(timeout=5)


def _received(url: str) -> list[str]:
    with _OPEN(f"{url}/received", timeout=5) as reply:
        return [str(row["body"]) for row in json.loads(reply.read())["requests"]]


def _site(folder: Path, *, port: int, upstreams: dict[str, str]) -> Path:
    """Make the site anew: its endpoints are this run's, its contracts are written relative to today."""
    from phigate.cli.init import write_site

    return write_site(
        folder / time.strftime("%Y%m%d-%H%M%S"),
        port=port,
        endpoints={"medgemma": f"{upstreams['onprem']}/v1", "eu-cloud": f"{upstreams['external']}/v1"},
        external_key=secrets.token_urlsafe(16),
        development=True,
    )


def _app_key(site: Path) -> str:
    made = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "phigate", "keys", "create", "--app", "demo", "--config", str(site)],
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout.strip()


@contextmanager
def _gateway(site: Path, *, port: int) -> Iterator[None]:
    """Run ``phigate serve`` until the block ends; wait until it says that it is ready."""
    log = site.parent / "gateway.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "phigate", "serve", "--config", str(site), "--dev"], stdout=out, stderr=out
        )
        try:
            _until_ready(process, port, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()


def _until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise click.ClickException(f"the gateway did not start:\n{log.read_text(encoding='utf-8')}")
        try:
            with _OPEN(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (HTTPError, URLError, OSError):
            time.sleep(0.1)
    raise click.ClickException(f"the gateway is not ready after a minute; its log is {log}")


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        os.write(1, b"\n")
