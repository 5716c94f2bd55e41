"""``make bench``: the gateway beside its upstream called directly, in one run on this machine. See --help."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from phigate.cli.init import write_site
from tests.bench.bodies import bodies
from tests.bench.load import Figures, load
from tests.e2e.house import free_port

KINDS = ("short", "note", "conversation")


@contextmanager
def upstream() -> Iterator[int]:
    """Run the stand-in that answers at once in a process of its own."""
    port = free_port()
    code = (
        "import uvicorn; from phigate.app.standin import ConstantStandIn;"
        f"uvicorn.run(ConstantStandIn('medgemma-27b-it'), host='127.0.0.1', port={port}, log_config=None,"
        "access_log=False, loop='uvloop', http='httptools', date_header=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def gateway(folder: Path, *, upstream_port: int, workers: int) -> Iterator[tuple[int, str, int]]:
    """Run ``phigate serve``; yield its port, an app key, and its process id."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{upstream_port}/v1"
    endpoints = {"medgemma": endpoint, "eu-cloud": endpoint}
    site = write_site(folder, port=port, endpoints=endpoints, external_key="bench", development=True, workers=workers)
    _lift_limits(site.parent)
    made = subprocess.run(
        [sys.executable, "-m", "phigate", "keys", "create", "--app", "in-house", "--config", str(site)],
        check=True,
        capture_output=True,
        text=True,
    )
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "phigate", "serve", "--config", str(site), "--dev"], stdout=log, stderr=log
        )
        try:
            _wait(port)
            time.sleep(1)
            yield port, made.stdout.strip(), process.pid
        finally:
            process.terminate()
            process.wait()


def _lift_limits(folder: Path) -> None:
    """Give the bench's app a rate that the bench cannot reach, and sign again: limits are not what is measured."""
    from datetime import UTC, datetime

    from phigate.policy import lock as locks
    from phigate.store.bundles import load_folder, make_lock

    site = folder / "policies" / "site.yaml"
    text = site.read_text(encoding="utf-8")
    text = text.replace(
        "in-house: {tenant: demo,", "in-house: {limits: {requests_per_minute: 1000000, concurrent: 256}, tenant: demo,"
    )
    site.write_text(text, encoding="utf-8")
    files = load_folder(folder / "policies")
    lock = locks.sign(
        make_lock(files, effective=datetime.now(UTC).date().isoformat()),
        role=locks.DEVELOPMENT,
        key=locks.development_key(),
    )
    (folder / "policies" / locks.FILE).write_bytes(locks.write_lock(lock))


def _wait(port: int) -> None:
    import socket

    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("a server did not start")


def _peak_mb(pid: int) -> list[int]:
    """Return the peak resident memory of a process and its children, in MB, largest first."""
    tree = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            if parent == pid:
                tree.append(int(entry.name))
    peaks = []
    for each in tree:
        status = Path(f"/proc/{each}/status").read_text().splitlines()
        peaks += [int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")]
    return sorted(peaks, reverse=True)


async def measure(port: int, key: str, *, clients: int, seconds: float) -> dict[str, Figures]:
    """Warm up, then measure each kind of body."""
    out = {}
    for kind in KINDS:
        source = bodies(kind, seed=clients)
        await load(port, path="/v1/chat/completions", key=key, source=source, clients=clients, seconds=1.0)
        out[kind] = await load(
            port, path="/v1/chat/completions", key=key, source=source, clients=clients, seconds=seconds
        )
    return out


def conditions(folder: Path) -> str:
    """Return what these figures depend on: machine, disk, Python."""
    probe = folder / "fsync"
    times = []
    with probe.open("wb") as out:
        for _ in range(100):
            out.write(b"x" * 4096)
            out.flush()
            began = time.perf_counter()
            os.fdatasync(out.fileno())
            times.append((time.perf_counter() - began) * 1000)
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    times.sort()
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model}, Python {platform.python_version()}; fdatasync p50 "
        f"{times[50]:.2f} ms, p99 {times[99]:.2f} ms; load generator and upstream share the cores; on-prem road, "
        "PHI detection on, two durable entries an exchange, every body different"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="per figure")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(width=140, highlight=False)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name, upstream() as direct:
        folder = Path(name)
        console.print(conditions(folder))
        beside: dict[tuple[int, str], Figures] = {}
        for clients in options.clients:
            for kind, figures in asyncio.run(measure(direct, "x", clients=clients, seconds=options.seconds)).items():
                beside[clients, kind] = figures
                rows.append(_row("upstream alone", clients, kind, figures, None))
        for workers in options.workers:
            with gateway(folder / f"w{workers}", upstream_port=direct, workers=workers) as (port, key, pid):
                for clients in options.clients:
                    measured = asyncio.run(measure(port, key, clients=clients, seconds=options.seconds))
                    for kind, figures in measured.items():
                        rows.append(_row(f"phigate --workers {workers}", clients, kind, figures, beside[clients, kind]))
                console.print(f"peak memory with --workers {workers}: {_peak_mb(pid)} MB a process")
    if options.json:
        console.print_json(json.dumps(rows))
    else:
        _print(console, rows)


def _row(what: str, clients: int, kind: str, figures: Figures, beside: Figures | None) -> dict[str, Any]:
    return {
        "what": what,
        "clients": clients,
        "body": kind,
        "p50_ms": round(figures.at(0.5), 2),
        "p95_ms": round(figures.at(0.95), 2),
        "p99_ms": round(figures.at(0.99), 2),
        "added_p50_ms": round(figures.at(0.5) - beside.at(0.5), 2) if beside else "",
        "per_second": round(figures.per_second),
    }


def _print(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table()
    for column in rows[0]:
        table.add_column(column, justify="left" if column in {"what", "body"} else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)


if __name__ == "__main__":
    main()
