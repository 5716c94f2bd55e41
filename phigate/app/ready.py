"""What /readyz says: every part that must work, and in words what is missing where one does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from phigate.finding import ENTITY_TABLE
from phigate.policy.bundle import Bundle, Destination, Regime
from phigate.policy.decision import DestinationKind
from phigate.ports import Analyzer, Bundles, External, Ledger, OnPrem


@dataclass(slots=True)
class Readiness:
    """Asks each part. ``stopping`` turns the answer to not ready while open exchanges end."""

    analyzer: Analyzer
    ledger: Ledger
    onprem: OnPrem
    external: External
    bundles: Bundles
    policy: Callable[[], dict[str, Any]] = dict  # what a reader should know of the policy beside the bundle in force
    now: Callable[[], float] = time.time
    stopping: bool = False
    more: list[Callable[[], str | None]] = field(default_factory=list)
    alarms: dict[str, Callable[[], str | None]] = field(default_factory=dict)  # what people should see to, ready or not

    def report(self) -> dict[str, Any]:
        """Return ``ready``, what is missing, and what a reader should know. Holds no secret and no text."""
        bundle = self.bundles.current()
        missing = {
            "detector": self.analyzer.ready(),
            "ledger": self.ledger.ready(),
            "onprem": self._onprem(bundle),
            "shutdown": "stopping" if self.stopping else None,
        }
        for number, ask in enumerate(self.more):
            missing[f"check_{number}"] = ask()
        not_ready = {name: why for name, why in missing.items() if why is not None}
        return {
            "ready": not not_ready,
            "not_ready": not_ready,
            "alarms": {name: why for name, ask in self.alarms.items() if (why := ask()) is not None},
            "policy": bundle.digest,
            "signed_by": list(bundle.signed_by),
            "regimes": sorted(self._in_force(bundle)) or "none in force: every exchange stays on-prem",
            "regimes_to_come": {r.id: f"{r.effective:%Y-%m-%d}" for r in bundle.regimes.values() if self._waits(r)},
            "onprem_only": self._onprem_only(bundle),
            "destinations": {d.id: self._word(d) for d in bundle.destinations.values()},
            **self.policy(),
            "not_detected": sorted(row.entity_type for row in ENTITY_TABLE.values() if row.recognizer == "none"),
        }

    def _in_force(self, bundle: Bundle) -> list[str]:
        return [regime.id for regime in bundle.regimes.values() if not self._waits(regime)]

    def _waits(self, regime: Regime) -> bool:
        return regime.effective > self._instant()

    def _instant(self) -> datetime:
        """Return the instant at which requests are decided: never before the ledger's newest entry."""
        return datetime.fromtimestamp(max(self.now(), self.ledger.last_at()), UTC)

    def _onprem_only(self, bundle: Bundle) -> str | None:
        """Return why nothing leaves whatever the rules say, if so."""
        if bundle.effective > self._instant():
            return f"the bundle holds from {bundle.effective:%Y-%m-%d}"
        return bundle.onprem_only or None

    def _word(self, destination: Destination) -> str:
        """Return what is known of a destination. Nobody asks a provider outside how it is: the last call tells."""
        if destination.kind is DestinationKind.ONPREM:
            return "answers" if self.onprem.healthy(destination) else "down"
        return "not known to be down" if self.external.healthy(destination) else "down"

    def _onprem(self, bundle: Bundle) -> str | None:
        inside = [d for d in bundle.destinations.values() if d.kind is DestinationKind.ONPREM]
        if any(self.onprem.healthy(d) for d in inside):
            return None
        return "no on-prem model server answers: identifiable requests get 503"
