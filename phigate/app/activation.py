"""Every activation of a bundle is an entry, so that an auditor knows which policy was in force when."""

from __future__ import annotations

from phigate.audit.record import Draft, Kind
from phigate.policy.bundle import Bundle
from phigate.ports import Ledger


class Activation:
    """Writes the `config` entry of a bundle."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def record(self, bundle: Bundle, *, software: str) -> None:
        """Append the entry. Raises `UnavailableError`: a gateway that cannot record does not serve."""
        await self._ledger.append(
            Draft(
                Kind.CONFIG,
                {
                    "policy": bundle.digest,
                    "signed_by": list(bundle.signed_by),
                    "files": len(bundle.files),
                    "software": software,
                },
            )
        )
