"""Serves ASGI apps and scripted sockets on loopback ports for the length of a test."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from phigate.policy.bundle import Destination, Model
from phigate.policy.decision import DestinationKind


@contextlib.contextmanager
def served(app: Any, *, keep_alive_s: int = 5) -> Iterator[str]:
    """Serve an ASGI app in a thread of its own; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", timeout_keep_alive=keep_alive_s, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@dataclass
class Wire:
    """A server made of a script: each accepted connection is handed to ``serve``; what came in is kept."""

    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def scripted(serve: Callable[[socket.socket, Wire], None]) -> Iterator[Wire]:
    """Run ``serve(connection, wire)`` in a thread for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            serve(connection, wire)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            wire.connections += 1
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def read_request(connection: socket.socket, wire: Wire) -> bytes:
    """Read one HTTP request with a content length; keep it; return b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65_536)
    wire.requests.append(head + b"\r\n\r\n" + body)
    return wire.requests[-1]


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def onprem(url: str, **changes: Any) -> Destination:
    """Return an on-prem destination at this URL."""
    row: dict[str, Any] = {
        "id": "ward",
        "kind": DestinationKind.ONPREM,
        "endpoint": url,
        "provider": "openai",
        "models": (Model("m"),),
        "country": "BR",
    }
    return Destination(**(row | changes))
