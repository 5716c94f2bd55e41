"""What in a bundle ends some day: papers, widenings, approvals of flags, expert opinions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from phigate.policy.bundle import Bundle


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One end, and what it is the end of."""

    at: datetime
    what: str


def ends(bundle: Bundle) -> tuple[End, ...]:
    """Return every end of a bundle, the next one first."""
    found = [
        End(paper.expires, f"{destination.id}: {paper.kind}{' (revoked)' if paper.revoked else ''}")
        for destination in bundle.destinations.values()
        for paper in destination.attest
    ]
    found += [End(o.expires, f"override {o.id}") for o in bundle.site.overrides if o.expires is not None]
    found += [End(f.expires, f"flag {f.flag}") for f in bundle.site.flag_approvals]
    found += [
        End(r.expert_expires, f"{r.id}: expert opinion")
        for r in bundle.regimes.values()
        if r.expert_expires is not None
    ]
    return tuple(sorted(found))
