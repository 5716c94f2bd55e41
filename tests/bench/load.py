"""A load generator that costs little: raw HTTP/1.1 on kept-alive loopback connections, one request at a time each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies in milliseconds, sorted, and requests per second."""

    latencies_ms: list[float]
    per_second: float

    def at(self, share: float) -> float:
        """Return the latency below which ``share`` of the requests stayed."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(len(self.latencies_ms) * share))]


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> int:
    writer.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    status = int(answer[9:12])
    lowered = answer.lower()
    at = lowered.index(b"content-length:") + 15
    await reader.readexactly(int(lowered[at : lowered.index(b"\r", at)]))
    return status


async def _client(port: int, head: bytes, source: Iterator[bytes], until: float, out: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    while time.perf_counter() < until:
        body = next(source)
        began = time.perf_counter()
        status = await _one(reader, writer, head, body)
        out.append((time.perf_counter() - began) * 1000)
        if status != 200:
            raise RuntimeError(f"expected 200, found {status}")
    writer.close()


async def load(port: int, *, path: str, key: str, source: Iterator[bytes], clients: int, seconds: float) -> Figures:
    """Send from ``clients`` connections for ``seconds``; every answer must be 200."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()
    out: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, head, source, began + seconds, out) for _ in range(clients)))
    took = time.perf_counter() - began
    return Figures(sorted(out), len(out) / took)
