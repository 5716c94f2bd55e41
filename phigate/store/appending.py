"""How a command appends to the ledger of a running gateway: through its socket; where none runs, by itself.

`LedgerDoor` is the gateway's side where it has no workers; with workers the process that appends serves the socket.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from phigate.audit.record import Draft, Receipt
from phigate.store.ledger_socket import AppendingLedger, LedgerClient, serve_ledger
from phigate.store.rolling import RollingLedger

SOCKET: Final = "ledger.sock"
_MAX_PATH: Final = 107  # bytes of the path of a file socket


class Appender(Protocol):
    """What a command needs of a ledger."""

    async def append_as(self, draft: Draft, *, eid: str) -> Receipt:
        """Append under an id, once."""
        ...


class LedgerDoor:
    """Lets commands on this host append while the gateway runs. A path that no socket can have is left closed."""

    def __init__(self, ledger: AppendingLedger, state: Path) -> None:
        self._ledger = ledger
        self._path = state / SOCKET
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Listen."""
        if len(os.fsencode(self._path)) <= _MAX_PATH:
            await self._stack.enter_async_context(serve_ledger(self._ledger, self._path))

    async def close(self) -> None:
        """Stop listening."""
        await self._stack.aclose()


@asynccontextmanager
async def appending(
    url: str, *, keys: Path, origin: str, state: Path, now: Callable[[], float] = time.time, **options: Any
) -> AsyncIterator[Appender]:
    """Open the ledger to append. Raises `PhigateError` where neither way leads to it."""
    if await asyncio.to_thread(_answers, state / SOCKET):
        async with LedgerClient(state / SOCKET, deadline_s=5.0) as client:
            yield client
        return
    async with RollingLedger(url, keys_folder=keys, origin=origin, now=now, **options) as ledger:
        yield ledger


def _answers(path: Path) -> bool:
    """Return whether somebody listens: a gateway that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX) as trying:
        trying.settimeout(1.0)
        try:
            trying.connect(str(path))
        except OSError:
            return False
        return True
