"""Shadow mode: what a second bundle would have decided, counted and recorded beside the exchange, never obeyed.

The exchange hands over its facts, which hold no text, and goes on; everything else happens in a task of its own. A
shadow that is slower than the traffic loses comparisons, which is counted, and delays nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

from phigate import logs
from phigate.audit.record import Draft, Kind
from phigate.errors import UnavailableError
from phigate.logs import Event
from phigate.metrics import PrometheusMetrics
from phigate.policy.decision import Decision, Facts
from phigate.policy.shadow import Shade, Shadowed, shadowed
from phigate.ports import Ledger
from phigate.store.bundles import BundleArchive
from phigate.store.shadow_folder import ShadowFolder

LOOK_EVERY_S: Final = 2.0
_WAITING: Final = 1000  # exchanges whose comparison may wait
_Handed = tuple[str, Facts, Decision]


class Shadowing:
    """Compares each decision with the shadow's. One entry for each exchange that the shadow would decide otherwise."""

    def __init__(
        self,
        folder: ShadowFolder,
        *,
        ledger: Ledger,
        archive: BundleArchive,
        metrics: PrometheusMetrics,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._archive = archive
        self._metrics = metrics
        self._every_s = every_s
        self._handed: asyncio.Queue[_Handed] = asyncio.Queue(_WAITING)
        self._tasks: list[asyncio.Task[None]] = []

    def note(self, rid: str, facts: Facts, decision: Decision) -> None:
        """Take the facts and the decision of an exchange; return at once."""
        if self._folder.current() is None:
            return
        try:
            self._handed.put_nowait((rid, facts, decision))
        except asyncio.QueueFull:
            self._metrics.count("shadow_decisions", shade="dropped")

    async def start(self) -> None:
        """Keep the shadow's files and begin to compare."""
        await self._keep()
        self._tasks = [
            asyncio.create_task(self._compare(), name="shadow"),
            asyncio.create_task(self._watch(), name="shadow folder"),
        ]

    async def close(self) -> None:
        """Compare what still waits, then stop."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        while not self._handed.empty():
            await self._one(*self._handed.get_nowait())

    def state(self) -> dict[str, Any]:
        """Return what a reader of /readyz should know: the shadow's digest, or why there is none."""
        bundle = self._folder.current()
        return {"shadow": bundle.digest if bundle is not None else f"none: {self._folder.problem()}"}

    async def look(self) -> None:
        """Follow the folder once."""
        if await asyncio.to_thread(self._folder.look):
            await self._keep()

    async def _keep(self) -> None:
        bundle = self._folder.current()
        self._metrics.gauge("shadow_refused", float(bundle is None))
        if bundle is None:
            logs.emit(Event.SHADOW_REFUSED, level=logging.ERROR)
            return
        with contextlib.suppress(OSError):  # its decisions count without its files; only reading them later does not
            await asyncio.to_thread(self._archive.keep, bundle)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def _compare(self) -> None:
        while True:
            handed = await self._handed.get()
            await self._one(*handed)

    async def _one(self, rid: str, facts: Facts, decision: Decision) -> None:
        bundle = self._folder.current()
        if bundle is None:
            return
        try:
            said = shadowed(bundle, facts, decision)
        except Exception as error:  # noqa: BLE001 - whatever a shadow does, it ends here
            self._metrics.count("shadow_decisions", shade="failed")
            logs.emit(Event.INTERNAL_ERROR, level=logging.ERROR, where="shadow", kind=type(error).__name__)
            return
        self._metrics.count("shadow_decisions", shade=said.shade.value)
        if said.shade is Shade.SAME:
            return
        try:
            await self._ledger.append(_draft(rid, said))
        except UnavailableError as error:
            self._metrics.count("ledger_errors", code=error.code)


def _draft(rid: str, said: Shadowed) -> Draft:
    return Draft(
        Kind.SHADOW,
        {
            "app": said.app,
            "policy": said.policy,
            "mode": said.mode.value,
            "shade": said.shade.value,
            "rules": list(said.rules),
            "forms": {name: form.name.lower() for name, form in said.forms.items()},
        },
        rid,
    )
