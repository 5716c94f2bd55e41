"""What the gateway needs from the world, as promises. Adapters live on floor 4, twins in tests/fakes.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phigate.analysis import Analysis
from phigate.audit.record import Draft, Receipt
from phigate.deid.release import Release
from phigate.deid.subjects import Lookups, Reference
from phigate.policy.bundle import Bundle, Destination
from phigate.policy.decision import Hold, Thresholds
from phigate.wire.parts import Part


class Analyzer(Protocol):
    """Finds PHI. Runs off the event loop and touches no network."""

    async def analyze(self, parts: Sequence[Part], *, bundle: Bundle) -> Analysis:
        """Return findings at or above the lowest threshold of the bundle for every part, in order.

        A part that times out or raises is reported as unread, never skipped. Raises `UnavailableError` with code
        ``detector_unavailable`` when the detector cannot run at all.
        """
        ...

    async def rescan(self, parts: Sequence[Part], *, bundle: Bundle, thresholds: Thresholds) -> Analysis:
        """Look again at an outgoing copy with the second set of recognizers, recall first."""
        ...

    def ready(self) -> str | None:
        """Return None when analysis is possible, else what is missing."""
        ...


class Ledger(Protocol):
    """The append-only log. One process appends; others reach it through a socket behind this same port."""

    async def append(self, draft: Draft) -> Receipt:
        """Give the entry its index. Once this returns it survives a crash; it raises rather than drop one.

        Raises `UnavailableError` with code ``ledger_unavailable`` or ``ledger_full`` when durability was not reached
        within its deadline (2 s); the entry may then still appear, and is never appended twice.
        """
        ...

    def last_at(self) -> float:
        """Return the POSIX time of the newest entry: no clock of this gateway runs behind it."""
        ...

    def ready(self) -> str | None:
        """Return None when appending is possible, else what is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """What an upstream answered. Exactly one of ``body`` and ``events`` is set.

    ``events`` yields the payload of each SSE ``data:`` line, without ``[DONE]``; it raises `BadReplyError` where the
    stream breaks before ``[DONE]``. Closing the iterator cancels the upstream call.
    """

    status: int
    body: bytes | None
    events: AsyncIterator[bytes] | None
    provider_request_id: str = ""
    sent: tuple[int, bytes] | None = None  # external: size of the bytes really sent, and their MAC


class OnPrem(Protocol):
    """Model servers inside the house, spoken to in OpenAI's API over HTTP; the body is not touched."""

    def healthy(self, destination: Destination) -> bool:
        """Return whether the last word from this server was a good one. Never sends a byte of an app."""
        ...

    async def send(self, destination: Destination, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        """Post the body. Raises `UnavailableError` when no byte of an answer came, `BadReplyError` later."""
        ...


class External(Protocol):
    """Models outside. Takes a `Release` alone, which only de-identification or a decision of form raw can make."""

    def healthy(self, destination: Destination) -> bool:
        """Return whether the last word from this provider was a good one. Probes carry no byte of an app."""
        ...

    async def send(self, destination: Destination, release: Release, *, stream: bool) -> UpstreamReply:
        """Send the release once: no retry, no other host, no redirect. Raises as `OnPrem.send` does."""
        ...


class HeldParts(Protocol):
    """Memory of what was once kept at home, by keyed digests of parts; holds no text; forgets after 24 hours."""

    async def limits(self, app: str, digests: Sequence[bytes]) -> frozenset[Hold]:
        """Return the reasons for which any of these parts was held back before."""
        ...

    async def hold(self, app: str, digests: Sequence[bytes], holds: frozenset[Hold]) -> None:
        """Remember that these parts were held back. Durable before it returns."""
        ...


class Replays(Protocol):
    """Memory of signed contexts already taken, by all workers, until they expire. Holds keyed digests alone."""

    async def take(self, issuer: str, jti: str, *, until: datetime) -> bool:
        """Remember a context; return False when it was taken before. Durable before it returns.

        Raises `UnavailableError` when it cannot be remembered: such a context is not taken.
        """
        ...


class Subjects(Protocol):
    """Who an exchange is about, as tags that only a patient's own key connects; that key can be destroyed."""

    @property
    def lookups(self) -> Lookups:
        """What turns a patient's number into an opaque reference."""
        ...

    async def tags(self, rid: str, references: Sequence[Reference]) -> tuple[tuple[str, str], ...]:
        """Return source and tag of each patient in an exchange, 64 at most. What they stand on is durable before.

        Raises `UnavailableError` with code ``vault_unavailable``: a disclosure that nobody could account for later
        must not be made.
        """
        ...


class AppKeys(Protocol):
    """Who calls. Stores only hashes of keys."""

    async def app_of(self, key: str) -> str | None:
        """Return the name of the app that owns this key, or None. Takes the same time for any unknown key."""
        ...


class Bundles(Protocol):
    """The signed policy in force."""

    def current(self) -> Bundle:
        """Return the bundle for an exchange that begins now; the exchange keeps it to its end."""
        ...


class Metrics(Protocol):
    """Counters and timings by fixed names. Labels come from closed lists, never from a request."""

    def count(self, name: str, amount: int = 1, /, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Record a duration in seconds."""
        ...


Headers = Mapping[str, str]
