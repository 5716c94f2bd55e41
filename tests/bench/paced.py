"""``make bench-paced``: streams through the gateway beside the same paced upstream called directly, in one run.

The upstream writes 30 tokens a second to each of 32 streams, as a model server with room does. Printed: tokens a second
both ways, the time to the first token both ways, and the gateway's own CPU time a request and a token (user and system,
all its processes), which other load on the machine does not change. See --help.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.__main__ import _wait, gateway
from tests.bench.bodies import note
from tests.e2e.house import free_port

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    shown = {
        "id": "chatcmpl-5f2d6c1e9b7a4d0c8e3f",
        "object": "chat.completion.chunk",
        "created": 1795473951,
        "model": "medgemma-27b-it",
        "choices": [choice],
    }
    return _chunk(b"data: " + json.dumps(shown).encode() + b"\n\n")


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tokens: int, pace_s: float) -> None:
    """Answer requests on one connection: a list of models, or a paced stream whose clock never slips."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                body = b'{"object":"list","data":[{"id":"medgemma-27b-it"}]}'
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
                continue
            lowered = head.lower()
            at = lowered.index(b"content-length:") + 15
            await reader.readexactly(int(lowered[at : lowered.index(b"\r", at)]))
            began = loop.time()
            writer.write(_HEAD)
            for number in range(tokens):
                await asyncio.sleep(max(0.0, began + (number + 1) * pace_s - loop.time()))
                writer.write(_event({"content": " oedema"}))
            writer.write(_event({}, "stop") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(port: int, tokens: int, rate: float) -> None:
    """Serve the paced upstream for ever."""
    server = await asyncio.start_server(
        lambda r, w: _serve_one(r, w, tokens, 1 / rate), "127.0.0.1", port, limit=1 << 22
    )
    await server.serve_forever()


@contextmanager
def upstream(tokens: int, rate: float) -> Iterator[int]:
    """Run the paced upstream in a process of its own; yield its port."""
    port = free_port()
    code = f"import asyncio; from tests.bench.paced import serve; asyncio.run(serve({port}, {tokens}, {rate}))"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@dataclass
class Paced:
    """What one way gave: the time to each first token in milliseconds, tokens received, requests made."""

    first_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    requests: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds

    def first_at(self, share: float) -> float:
        ordered = sorted(self.first_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _stream(port: int, key: str, body: bytes, out: Paced, until: float) -> None:
    """Read one stream on a new connection; count what comes before ``until``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    began, seen = time.perf_counter(), 0
    writer.write(head.encode() + body)
    status = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in status[:16]:
        raise RuntimeError(f"expected 200, found {status[:40]!r}")
    out.requests += 1
    while line := await reader.readline():
        if b'"content"' in line:
            if not seen:
                out.first_ms.append((time.perf_counter() - began) * 1000)
            seen += 1
            if time.perf_counter() < until:
                out.tokens += 1
        if line.startswith(b"data: [DONE]"):
            break
    writer.close()


async def load(port: int, key: str, *, streams: int, seconds: float, life_s: float, seed: int) -> Paced:
    """Keep ``streams`` streams open for ``seconds``, begun one after the other over the life of one."""
    out, dice = Paced(), random.Random(seed)
    began = time.perf_counter()
    until = began + life_s + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(life_s * number / streams)
        while time.perf_counter() < until:
            asked = {"model": "local", "stream": True, "messages": [{"role": "user", "content": note(dice)}]}
            await _stream(port, key, json.dumps(asked).encode(), out, until)

    await asyncio.gather(*(one(number) for number in range(streams)))
    out.seconds = until - began
    return out


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children so far."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(entry.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--rate", type=float, default=30.0, help="tokens a second of one stream")
    parser.add_argument("--tokens", type=int, default=150, help="of one answer")
    parser.add_argument("--seconds", type=float, default=10.0, help="per way and round, beyond one answer")
    parser.add_argument("--rounds", type=int, default=2, help="the ways take turns")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    life_s = given.tokens / given.rate
    direct, through, spent = Paced(), Paced(), 0.0
    with (
        tempfile.TemporaryDirectory() as name,
        upstream(given.tokens, given.rate) as there,
        gateway(Path(name) / "paced", upstream_port=there, workers=given.workers) as (port, key, pid),
    ):
        asyncio.run(load(port, key, streams=4, seconds=0.5, life_s=0.1, seed=0))  # warm
        for number in range(given.rounds):
            for out, at in ((direct, there), (through, port)):
                before = cpu_s(pid)
                more = asyncio.run(
                    load(at, key, streams=given.streams, seconds=given.seconds, life_s=life_s, seed=number)
                )
                out.first_ms += more.first_ms
                out.tokens, out.requests = out.tokens + more.tokens, out.requests + more.requests
                out.seconds += more.seconds
                spent += cpu_s(pid) - before if out is through else 0.0
    report(direct, through, spent, given.tokens)


def report(direct: Paced, through: Paced, spent_s: float, tokens: int) -> None:
    """Print both ways and the aims."""
    share = through.per_second / direct.per_second
    added = through.first_at(0.5) - direct.first_at(0.5)
    for name, way in (("upstream alone", direct), ("through phigate", through)):
        print(
            f"{name:16} {way.per_second:8.1f} tokens/s  first token p50 {way.first_at(0.5):6.1f} ms  "
            f"p95 {way.first_at(0.95):6.1f} ms  {way.requests} requests"
        )
    print(f"throughput {share * 100:.1f} % (aim: at least 97 %): {'met' if share >= 0.97 else 'MISSED'}")
    print(f"added to the first token, p50: {added:.1f} ms (aim: at most 10 ms): {'met' if added <= 10 else 'MISSED'}")
    written = through.requests * tokens
    print(
        f"CPU of the gateway: {spent_s:.2f} s for {through.requests} requests of {tokens} tokens: "
        f"{spent_s / written * 1e6:.0f} us a token, all of a request's work included"
    )


if __name__ == "__main__":
    main()
