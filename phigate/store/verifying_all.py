"""Verify a ledger over all of its segments: each by itself, then what holds between them.

The newest keyring judges them all: it lists the keys of every segment, and what was revoked since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phigate.store.places import Segment
from phigate.store.source import DatabaseSource
from phigate.store.verifying import verify_log
from phigate.tlog.chain import Chain, join
from phigate.tlog.verify import Demand, Progress


def verify_ledger(found: Sequence[Segment], demand: Demand, *, progress: Progress | None = None) -> Chain:
    """Return what can be said about a ledger whose segments these are, oldest first. Raises what reading raises."""
    if demand.keyring is None:
        with DatabaseSource(found[-1].url, origin=found[-1].origin) as source:
            demand = replace(demand, keyring=source.keyring())
    reports = []
    for segment in found:
        newest = segment is found[-1]
        with DatabaseSource(segment.url, origin=segment.origin) as source:
            # A closed segment gets no new cosignature: its age says nothing.
            judged = demand if newest else replace(demand, witnessed_since_s=0)
            reports.append(verify_log(source, _mine(judged, segment.origin), progress=progress))
    return join(reports, whole=True)


def _mine(demand: Demand, origin: str) -> Demand:
    """Return the demand with those of the earlier checkpoints that are of this segment."""
    first = f"{origin}\n".encode()
    return replace(demand, earlier=[note for note in demand.earlier if note.startswith(first)])
