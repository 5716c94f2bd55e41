"""Processes: one that serves and appends, or N that serve and one that appends (decisions 21).

With several workers the first process owns the ledger and the listening socket; the workers inherit the socket and
reach the ledger through a file socket of mode 0600. A worker that dies is started again; a signal ends all of them
after their open exchanges.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import uvicorn
from prometheus_client.multiprocess import mark_process_dead

from phigate import logs
from phigate.app.build import build, ledger_of, shared_metrics
from phigate.app.settings import Settings
from phigate.errors import SettingsError
from phigate.logs import Event
from phigate.metrics import SHARED_BY
from phigate.store.ledger_socket import serve_ledger

_GRACE_S: Final = 30  # open exchanges may take this long to end after a signal
_BACKLOG: Final = 1024


def serve(settings: Settings, config: Path, *, dev: bool) -> None:
    """Serve until a signal. Raises `SettingsError` when the address is taken."""
    logs.configure()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # one that comes before anybody listens must not end the gateway
    if settings.workers == 1:
        _serve_one(settings, dev=dev, listening=_listen(settings), ledger_socket=None)
    else:
        asyncio.run(_supervise(settings, config, dev=dev))


def serve_worker(settings: Settings, *, dev: bool, fd: int) -> None:
    """Serve as one of several workers, on the socket inherited as ``fd``."""
    logs.configure()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listening = socket.socket(fileno=fd)
    _serve_one(settings, dev=dev, listening=listening, ledger_socket=ledger_socket_path(settings))


def ledger_socket_path(settings: Settings) -> Path:
    """Return where the workers find the process that appends."""
    return settings.state / "ledger.sock"


def _serve_one(settings: Settings, *, dev: bool, listening: socket.socket, ledger_socket: Path | None) -> None:
    app = build(settings, dev=dev, ledger_socket=ledger_socket)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            proxy_headers=False,  # nothing here asks where a caller comes from: the app key says who it is
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="on",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=str(settings.tls_key) if settings.tls_key else None,
        )
    )
    server.run(sockets=[listening])
    if not server.started:
        sys.exit(3)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "end what listens there, or set another listen.port in phigate.yaml"
        ) from error
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


async def _supervise(settings: Settings, config: Path, *, dev: bool) -> None:
    stop = asyncio.Event()
    workers: set[asyncio.subprocess.Process] = set()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    counts = _emptied(shared_metrics(settings))
    with contextlib.closing(_listen(settings)) as listening:
        async with ledger_of(settings) as ledger, serve_ledger(ledger, ledger_socket_path(settings)):
            loop.add_signal_handler(signal.SIGHUP, _pass_on, workers)
            keepers = [
                asyncio.create_task(_keep(config, listening, stop, workers, counts, dev=dev))
                for _ in range(settings.workers)
            ]
            await stop.wait()
            await asyncio.gather(*keepers)


def _pass_on(workers: set[asyncio.subprocess.Process]) -> None:
    """Have every worker look at the policy folder now."""
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.send_signal(signal.SIGHUP)


def _emptied(folder: Path) -> Path:
    """Return the folder where the workers will count, without what those of an earlier start counted."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    return folder


async def _keep(
    config: Path,
    listening: socket.socket,
    stop: asyncio.Event,
    workers: set[asyncio.subprocess.Process],
    counts: Path,
    *,
    dev: bool,
) -> None:
    """Keep one worker running until told to stop; wait a little longer each time it dies at once."""
    pause_s = 0.1
    while not stop.is_set():
        fd = os.dup(listening.fileno())
        arguments = ["serve-worker", "--config", str(config), "--fd", str(fd), *(["--dev"] if dev else [])]
        began = asyncio.get_running_loop().time()
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "phigate", *arguments, pass_fds=(fd,), env={**os.environ, SHARED_BY: str(counts)}
        )
        os.close(fd)
        workers.add(worker)
        ended, asked = asyncio.create_task(worker.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        workers.discard(worker)
        if stop.is_set():
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)
            await ended
            return
        mark_process_dead(worker.pid, path=str(counts))  # type: ignore[no-untyped-call]  # its gauges end with it; what it counted stays counted
        logs.emit(Event.STOPPED, worker=worker.pid, status=worker.returncode or 0)
        pause_s = 0.1 if asyncio.get_running_loop().time() - began > 10 else min(5.0, pause_s * 2)
        await asyncio.sleep(pause_s)
