"""Which bundle is in force: at the start, and whenever the folder changes while the gateway runs.

A change is read, verified, linted and tested beside the bundle in force; kept in the archive; entered in the ledger;
and only then obeyed, by every exchange that begins from then on. A change that is refused changes nothing but the
alarm. Each process looks for itself, every few seconds and on SIGHUP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from phigate import logs
from phigate.audit.record import JSON, Draft, Kind
from phigate.errors import SettingsError, UnavailableError
from phigate.logs import Event
from phigate.metrics import PrometheusMetrics
from phigate.policy.bundle import Bundle
from phigate.policy.gate import Refusal
from phigate.ports import Ledger
from phigate.store.bundles import BundleArchive, FolderBundles

LOOK_EVERY_S: Final = 2.0


class Activation:
    """Puts bundles in force, one entry each, so that an auditor knows which policy held when, and can read it.

    ``usable`` raises `SettingsError` for a bundle that this program cannot run, off the event loop.
    """

    def __init__(
        self,
        bundles: FolderBundles,
        *,
        ledger: Ledger,
        archive: BundleArchive,
        metrics: PrometheusMetrics,
        software: str,
        usable: Callable[[Bundle], None] = lambda _: None,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._bundles = bundles
        self._ledger = ledger
        self._archive = archive
        self._metrics = metrics
        self._software = software
        self._usable = usable
        self._every_s = every_s
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Record the bundle of the start, then watch the folder.

        Raises `UnavailableError`: a gateway that cannot record does not serve. Raises `SettingsError` as ``usable``.
        """
        bundle = self._bundles.current()
        await asyncio.to_thread(self._usable, bundle)
        await self._record(bundle, previous=None)
        self._tell()
        # Only the main thread takes signals; a test's loop may run in another.
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        self._task = asyncio.create_task(self._watch(), name="policy folder")

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def look(self) -> None:
        """Look at the folder once, and do what its files ask for. Trouble leaves the bundle in force as it is."""
        prepared = await asyncio.to_thread(self._prepared)
        if isinstance(prepared, Bundle):
            old = self._bundles.current()
            try:
                await self._record(prepared, previous=old)
            except UnavailableError as error:
                self._metrics.count("ledger_errors", code=error.code)
                logs.emit(Event.LEDGER_FAILED, code=error.code)
                return
            # From here on the entry is durable. A crash before this line leaves an entry for a bundle that no
            # exchange began with; the other order could leave an exchange under a bundle without an entry.
            self._bundles.activate(prepared)
            self._metrics.count("policy_changes", result="activated")
            logs.emit(Event.BUNDLE_ACTIVATED, policy=prepared.digest, was=old.digest)
        elif prepared is not None:
            self._metrics.count("policy_changes", result="refused")
            codes = "+".join(sorted({problem.code for problem in prepared.problems})) or "tests"
            logs.emit(Event.BUNDLE_REFUSED, level=logging.ERROR, codes=codes, policy=self._bundles.current().digest)
            sys.stderr.write(_report(prepared))  # words of policy files and our own, safe to show
        self._tell()

    def state(self) -> dict[str, Any]:
        """Return what a reader of /readyz should know of the policy: refused files, since when, and what follows."""
        refusal = self._bundles.refusal()
        if refusal is None:
            return {}
        since, stale = self._bundles.refused_since(), self._bundles.stale_from()
        return {
            "policy_refused": {
                "why": refusal.says(),
                "problems": len(refusal.problems) + len(refusal.failed),
                "since": _time(since),
                "nothing_leaves_from": _time(stale),
            }
        }

    def _prepared(self) -> Bundle | Refusal | None:
        """Return what the folder holds now, ready to be obeyed. Runs beside the event loop: up to a second of work."""
        prepared = self._bundles.prepare()
        if not isinstance(prepared, Bundle):
            return prepared
        try:
            self._usable(prepared)
        except SettingsError as error:
            return self._bundles.reject(prepared, str(error))
        return prepared

    async def _record(self, bundle: Bundle, *, previous: Bundle | None) -> None:
        await asyncio.to_thread(self._archive.keep, bundle)
        fields: dict[str, JSON] = {
            "policy": bundle.digest,
            "signed_by": list(bundle.signed_by),
            "files": len(bundle.files),
            "software": self._software,
        }
        if previous is not None:
            fields["previous"] = previous.digest
        await self._ledger.append(Draft(Kind.CONFIG, fields))

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._every_s)
            self._asked.clear()
            try:
                await self.look()
            except OSError as error:  # the archive's disk is full or gone: the bundle in force stays
                self._metrics.count("policy_changes", result="failed")
                logs.emit(Event.BUNDLE_REFUSED, level=logging.ERROR, codes=f"errno-{error.errno}")

    def _tell(self) -> None:
        self._metrics.gauge("policy_refused", float(self._bundles.refusal() is not None))
        self._metrics.gauge("policy_stale", float(self._bundles.current().onprem_only == "stale"))


def _report(refusal: Refusal) -> str:
    lines = [f"{p.file}:{p.line}: {p.code} {p.problem}; {p.mend}" for p in refusal.problems]
    lines += [f"test failed: {name}" for name in refusal.failed]
    head = "phigate keeps the policy in force; the changed files were refused:"
    return "".join(f"{line}\n" for line in (head, *(f"  {line}" for line in lines)))


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
