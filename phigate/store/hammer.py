"""Load on a real ledger, with readers that check proofs while it runs: how fast it is here, and whether it holds.

Each replica is a process of its own where there are several. What is printed says under which conditions, since a
figure without its disk says nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phigate.audit.record import JSON, Draft, Kind
from phigate.errors import SettingsError, UnavailableError
from phigate.store.evidence import prove
from phigate.store.key_folder import ledger_keys
from phigate.store.open import new_id, open_ledger
from phigate.store.source import DatabaseSource
from phigate.tlog.errors import TlogError
from phigate.tlog.merkle import leaf_hash

_FIELDS: Final[dict[str, JSON]] = {
    "app": "hammer",
    "tenant": "site",
    "detector": "presidio@2.2,layers@1",
    "complete": True,
    "lang": ["en"],
    "found": {"PERSON": [3, 9], "MRN": [1, 10], "DATE": [4, 8]},
    "attachments": "none",
    "policy": "sha256:" + "a" * 64,
    "regimes": [["us.hipaa", "2026.1"]],
    "rules": ["hipaa.scrub-baa"],
    "obligations": ["min_necessary", "reidentify_response"],
    "mode": "send_scrubbed",
    "forms": {"medgemma": "raw", "eu-cloud": "scrubbed", "us-cloud": "no"},
    "destination": {"id": "eu-cloud", "kind": "external", "form": "scrubbed", "model": "gpt-5", "country": "DE"},
    "operators": {"PERSON": {"token": 3}, "MRN": {"token": 1}, "DATE": {"token": 4}},
    "residual": {"clean": True, "passes": 1, "types_left": []},
    "purpose": "treatment",
    "in": {"n": 1234, "mac": "b" * 64},
}


@dataclass(frozen=True, slots=True)
class Blow:
    """What one replica did. Latencies in milliseconds, sorted."""

    entries: int
    refused: int
    seconds: float
    latencies_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """All replicas together, and what the readers saw."""

    entries: int
    refused: int
    per_second: float
    p50_ms: float
    p99_ms: float
    proofs: int
    proof_ms: float
    fsync_ms: float


def hammer(
    url: str, *, keys: Path, origin: str, seconds: float, clients: int, replicas: int, rate: float = 0.0
) -> Result:
    """Write for a while and read at the same time. Raises `TlogError` when a proof does not check.

    With ``rate`` each client waits, so that all of them together append so many entries a second.
    """
    ledger_keys(keys, origin=origin, now=time.time())
    pause_s = clients * replicas / rate if rate else 0.0
    with ProcessPoolExecutor(replicas + 1, mp_context=multiprocessing.get_context("spawn")) as pool:
        blows = [
            pool.submit(_replica, url, keys, origin, f"hammer-{n}", seconds, clients, pause_s) for n in range(replicas)
        ]
        reader = pool.submit(_reader, url, origin, seconds)
        done = [blow.result() for blow in blows]
        proofs, proof_ms = reader.result()
    latencies = sorted(ms for blow in done for ms in blow.latencies_ms) or [0.0]
    return Result(
        entries=sum(blow.entries for blow in done),
        refused=sum(blow.refused for blow in done),
        per_second=sum(blow.entries / blow.seconds for blow in done),
        p50_ms=statistics.median(latencies),
        p99_ms=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)],
        proofs=proofs,
        proof_ms=proof_ms,
        fsync_ms=fsync_ms(keys),
    )


def fsync_ms(folder: Path, *, times: int = 50) -> float:
    """Return the median time of writing 4 kB and syncing it, in milliseconds."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def _replica(url: str, keys: Path, origin: str, name: str, seconds: float, clients: int, pause_s: float) -> Blow:
    return asyncio.run(_strike(url, keys, origin, name, seconds, clients, pause_s))


async def _strike(url: str, keys: Path, origin: str, name: str, seconds: float, clients: int, pause_s: float) -> Blow:
    latencies: list[float] = []
    refused = 0
    async with open_ledger(url, keys_folder=keys, origin=origin, replica=name) as ledger:
        began = time.perf_counter()

        async def client(number: int) -> None:
            nonlocal refused
            await asyncio.sleep(pause_s * number / clients)
            while time.perf_counter() - began < seconds:
                start = time.perf_counter()
                try:
                    await ledger.append(Draft(Kind.INTENT, _FIELDS, new_id(), 1))
                except UnavailableError:
                    refused += 1
                    await asyncio.sleep(0.05)
                else:
                    latencies.append((time.perf_counter() - start) * 1e3)
                await asyncio.sleep(pause_s)

        await asyncio.gather(*(client(number) for number in range(clients)))
        took = time.perf_counter() - began
    return Blow(len(latencies), refused, took, tuple(latencies))


def _reader(url: str, origin: str, seconds: float) -> tuple[int, float]:
    """Prove entries of the newest head again and again; the proof is checked by `prove` itself."""
    end, count, took = time.monotonic() + seconds, 0, 0.0
    at = 0
    while time.monotonic() < end:
        time.sleep(0.02)
        try:
            with DatabaseSource(url, origin=origin) as source:
                size = source.signed_size
                if size < 1:
                    continue
                at = (at * 31 + 7) % size
                began = time.perf_counter()
                proven = prove(source, at)
                took += time.perf_counter() - began
        except (TlogError, SettingsError):
            if count:  # before the first head there is nothing to prove
                raise
            continue
        assert leaf_hash(proven.entry)
        count += 1
    return count, took / count * 1e3 if count else 0.0
