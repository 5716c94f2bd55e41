"""What /readyz says: every part that must work, and in words what is missing where one does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from phigate.finding import ENTITY_TABLE
from phigate.policy.bundle import Bundle
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
    stopping: bool = False
    more: list[Callable[[], str | None]] = field(default_factory=list)

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
            "policy": bundle.digest,
            "signed_by": list(bundle.signed_by),
            "regimes": sorted(bundle.regimes) or "none: every exchange stays on-prem",
            "destinations": {
                d.id: "answers"
                if (self.onprem if d.kind is DestinationKind.ONPREM else self.external).healthy(d)
                else "down"
                for d in bundle.destinations.values()
            },
            "not_detected": sorted(row.entity_type for row in ENTITY_TABLE.values() if row.recognizer == "none"),
        }

    def _onprem(self, bundle: Bundle) -> str | None:
        inside = [d for d in bundle.destinations.values() if d.kind is DestinationKind.ONPREM]
        if any(self.onprem.healthy(d) for d in inside):
            return None
        return "no on-prem model server answers: identifiable requests get 503"
