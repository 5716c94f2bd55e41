"""One exchange while it lasts: what was asked, what was found, what was decided, what was tried. Memory only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Final

from phigate.analysis import Analysis
from phigate.audit.exchange import ResidualSummary
from phigate.audit.record import Receipt
from phigate.deid.deidentify import Scrubbed
from phigate.deid.release import Release
from phigate.deid.subjects import Reference
from phigate.policy.bundle import App, Bundle, Destination
from phigate.policy.decide import mode_for
from phigate.policy.decision import Candidate, Decision, DestinationKind, Facts, Glass, Hold, Mode
from phigate.wire.chat import ChatRequest


@dataclass(frozen=True, slots=True)
class Said:
    """What a signed context said of one request. None and empty: nothing, so only the app's registration speaks."""

    purpose: str | None = None
    tags: frozenset[str] | None = None
    glass: Glass | None = None
    actor: str = ""  # pseudonym of who asks
    subject: Reference | None = None  # the patient whom the EHR names
    subject_key: bytes = field(default=b"", repr=False)  # of the patient whose dates move alike; never recorded


UNSAID: Final = Said()


@dataclass(slots=True)
class Exchange:
    """The state of one exchange. Owned by the task that serves it; nothing of it outlives the reply."""

    rid: str
    app: App
    bundle: Bundle
    request: ChatRequest
    analysis: Analysis
    facts: Facts
    decision: Decision
    prints: tuple[bytes, ...]  # keyed digests of its long parts
    started: float  # monotonic seconds
    holds: frozenset[Hold]  # what a later turn that contains this one inherits
    kept_home: bool = False  # the outgoing copy was not clean, or could not be made
    tried: list[Candidate] = field(default_factory=list)
    tagging: Awaitable[tuple[tuple[str, str], ...]] | None = None  # the vault at work, begun before the copy is made
    subjects: tuple[tuple[str, str], ...] | None = None  # source and tag of each patient, once the vault gave them
    said: Said = UNSAID

    def mode(self, candidate: Candidate) -> Mode:
        """Return the headline for what is really done: a fallback to on-prem is said as such."""
        if self.kept_home and candidate.kind is DestinationKind.ONPREM:
            return Mode.KEEP_ONPREM
        return mode_for(self.decision, candidate)


@dataclass(frozen=True, slots=True)
class Outbound:
    """What is about to be sent to one candidate. ``release`` is set for external ones alone."""

    candidate: Candidate
    destination: Destination
    body: bytes  # the exact body, for the intent's MAC; for an external one its canonical serialisation
    release: Release | None
    scrubbed: Scrubbed | None  # None where the form is raw
    residual: ResidualSummary | None
    dropped: tuple[str, ...] = ()
    tables: tuple[tuple[str, str, str], ...] = ()  # kind, vintage and digest of what generalised values


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt whose intent is durable."""

    exchange: Exchange
    outbound: Outbound
    intent: Receipt
    attempt: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What the app gets: whole, or as a stream of server-sent events ready for the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None = None
    stream: AsyncIterator[bytes] | None = None
