"""A whole gateway for a test: `phigate serve` in its own process, stand-ins for the models, its files in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from phigate.cli.demo import _OPEN, _until_ready, stand_ins
from phigate.cli.init import write_site


@dataclass(frozen=True)
class House:
    """Where everything is."""

    site: Path  # phigate.yaml
    port: int
    key: str
    upstreams: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str | None = None) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key or self.key, max_retries=0, timeout=60)

    def received(self, kind: str, last: int = 64) -> list[str]:
        """Return the newest bodies that a model received, oldest first."""
        with _OPEN(f"{self.upstreams[kind]}/received?last={last}", timeout=10) as reply:
            return [str(row["body"]) for row in json.loads(reply.read())["requests"]]

    def total(self, kind: str) -> int:
        """Return how many requests a model ever received."""
        with _OPEN(f"{self.upstreams[kind]}/received?last=0", timeout=10) as reply:
            return int(json.loads(reply.read())["total"])

    def since(self, kind: str, total: int) -> list[str]:
        """Return the bodies that a model received after it had received ``total``."""
        new = self.total(kind) - total
        return self.received(kind, new) if new else []

    def get(self, path: str) -> str:
        with _OPEN(f"{self.url}{path}", timeout=10) as reply:
            return str(reply.read().decode())

    def phigate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "phigate", *arguments], check=False, capture_output=True, text=True, timeout=120
        )

    def entries(self) -> list[dict[str, Any]]:
        done = self.phigate("ledger", "show", "--count", "1000000", "--json", "--config", str(self.site))
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def every_byte(self) -> bytes:
        """Return everything that this gateway wrote anywhere: database, WAL, state, log."""
        files = [p for p in self.site.parent.rglob("*") if p.is_file() and "policies" not in p.parts]
        return b"".join(p.read_bytes() for p in files) + self.log.read_bytes()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def house(
    folder: Path,
    *,
    workers: int = 1,
    upstreams: dict[str, str] | None = None,
    furnish: Callable[[Path], None] = lambda _: None,
    program: str = "phigate",
) -> Iterator[House]:
    """Start one, yield it, end it as an operator would: with SIGTERM.

    ``furnish`` may change its files before; ``program`` is the module to run in the place of phigate's own.
    """
    with stand_ins() as own:
        urls = upstreams or own
        port = free_port()
        site = write_site(
            folder,
            port=port,
            endpoints={"medgemma": f"{urls['onprem']}/v1", "eu-cloud": f"{urls['external']}/v1"},
            external_key="test-key",
            development=True,
            workers=workers,
        )
        furnish(site)
        made = subprocess.run(
            [sys.executable, "-m", "phigate", "keys", "create", "--app", "demo", "--config", str(site)],
            check=True,
            capture_output=True,
            text=True,
        )
        key = made.stdout.strip()
        log = folder.with_suffix(".log")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", program, "serve", "--config", str(site), "--dev"], stdout=out, stderr=out
            )
            try:
                _until_ready(process, port, log)
                yield House(site, port, key, urls, process, log)
            finally:
                process.terminate()
                try:
                    process.wait(timeout=40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
