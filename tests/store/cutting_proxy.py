"""A proxy in front of PostgreSQL's file socket that, when told, lets one COMMIT through and cuts before its answer."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit


class CuttingProxy:
    """Listens on a file socket of its own. One thread per connection and direction."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._folder = Path(tempfile.mkdtemp(prefix="cut-", dir="/tmp"))
        self.url = urlunsplit(parts._replace(query=f"host={quote(str(self._folder))}"))
        self.cuts = 0
        self._armed = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._half: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def cut_next_commit(self) -> None:
        self._armed.set()

    def __enter__(self) -> Self:
        self._listening.bind(str(self._folder / ".s.PGSQL.5432"))
        self._listening.listen(16)
        self._start(self._accept)
        return self

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        self._listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            cutting = threading.Event()
            self._start(self._up, client, server, cutting)
            self._start(self._down, server, client, cutting)

    def _up(self, client: socket.socket, server: socket.socket, cutting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT" in data and self._armed.is_set():
                    self._armed.clear()
                    cutting.set()
                    self.cuts += 1
                server.sendall(data)
        self._end(client, server)

    def _down(self, server: socket.socket, client: socket.socket, cutting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if cutting.is_set():  # the server has committed: this would have been its answer
                    break
                client.sendall(data)
        self._end(client, server)

    def _end(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:  # both directions end; the second one closes
            for each in sockets:
                if each in self._half:
                    self._half.discard(each)
                    each.close()
                else:
                    self._half.add(each)
