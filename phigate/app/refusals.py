"""Refusals that anybody can cause are counted, and written as one entry per minute and reason (decisions 20).

Without this, a caller without a key could fill the ledger's disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from phigate import logs
from phigate.audit.exchange import refusal
from phigate.errors import UnavailableError
from phigate.logs import Event
from phigate.ports import Ledger, Metrics


class RefusalTally:
    """Counts now, writes later. What a crash loses is at most a minute of counts, never an exchange."""

    def __init__(self, ledger: Ledger, metrics: Metrics, *, every_s: float = 60.0) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._every_s = every_s
        self._counts: Counter[tuple[str, str]] = Counter()
        self._task: asyncio.Task[None] | None = None

    def count(self, app: str, reason: str) -> None:
        """Count one refusal. ``app`` is "" for a caller without a key; ``reason`` is an error code of ours."""
        self._counts[app, reason] += 1
        self._metrics.count("refusals", reason=reason)

    async def start(self) -> None:
        """Begin to write once every interval."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop, and write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def flush(self) -> None:
        """Write one entry per app and reason; keep the counts of those that could not be written."""
        counts, self._counts = self._counts, Counter()
        for (app, reason), number in counts.items():
            try:
                await self._ledger.append(
                    refusal(rid="", app=app, reason=reason, decision=None, analysis=None, count=number)
                )
            except UnavailableError as error:
                self._counts[app, reason] += number
                logs.emit(Event.LEDGER_FAILED, code=error.code)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.flush()
