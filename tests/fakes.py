"""A twin of every port, in memory. They keep what they were given, so that a test can look."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.audit import schema
from phigate.audit.record import Draft, Receipt
from phigate.deid.release import Release
from phigate.deid.subjects import Lookups, Reference, capped, tag
from phigate.errors import UnavailableError
from phigate.finding import EntityType, Finding
from phigate.policy.bundle import Bundle, Destination
from phigate.policy.decision import Hold, Thresholds
from phigate.ports import UpstreamReply
from phigate.wire.parts import Part


@dataclass
class FakeAnalyzer:
    """Finds the planted words, wherever they stand, and nothing else."""

    words: dict[str, EntityType] = field(default_factory=dict)
    missed: frozenset[str] = frozenset()  # words that only the re-scan finds
    unread: dict[str, Unread] = field(default_factory=dict)  # pointer -> why
    down: str | None = None
    seen: list[str] = field(default_factory=list)

    def _analyze(self, parts: Sequence[Part], skip: frozenset[str]) -> Analysis:
        if self.down is not None:
            raise UnavailableError("the detector is not running", code="detector_unavailable")
        results = []
        for part in parts:
            text = part.text.reveal()
            self.seen.append(text)
            found = sorted(
                Finding(at, at + len(word), kind, 0.9, "fake")
                for word, kind in self.words.items()
                if word not in skip
                for at in _places(text, word)
            )
            why = self.unread.get(part.pointer)
            results.append(PartAnalysis(tuple(found), "en", frozenset({why} if why else ())))
        return Analysis(tuple(results), "fake@1")

    async def analyze(self, parts: Sequence[Part], *, bundle: Bundle) -> Analysis:
        return self._analyze(parts, self.missed)

    async def rescan(self, parts: Sequence[Part], *, bundle: Bundle, thresholds: Thresholds) -> Analysis:
        return self._analyze(parts, frozenset())

    def ready(self) -> str | None:
        return self.down


def _places(text: str, word: str) -> Iterable[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


@dataclass
class FakeLedger:
    """Appends to a list; fails when told to."""

    drafts: list[Draft] = field(default_factory=list)
    fail_from: int | None = None  # index from which appends fail

    async def append(self, draft: Draft) -> Receipt:
        if self.fail_from is not None and len(self.drafts) >= self.fail_from:
            raise UnavailableError("the ledger cannot be written", code="ledger_unavailable")
        schema.check(draft)  # as the real one does: an entry that it refuses is an entry that is missing
        self.drafts.append(draft)
        index = len(self.drafts) - 1
        leaf = hashlib.sha256(repr(draft).encode()).digest()
        return Receipt("audit.test/phigate", index, leaf, index + 1, leaf)

    def last_at(self) -> float:
        return 0.0

    def ready(self) -> str | None:
        return None if self.fail_from is None else "the ledger cannot be written"


@dataclass
class FakeUpstream:
    """Answers what the test put there; both kinds of upstream in one."""

    reply_body: bytes | None = b'{"id":"x","object":"chat.completion","model":"m","choices":[]}'
    reply_events: list[bytes] | None = None
    status: int = 200
    up: bool = True
    error: Exception | None = None
    break_after: int | None = None
    calls: list[tuple[str, object]] = field(default_factory=list)
    closed: int = 0

    def healthy(self, destination: Destination) -> bool:
        return self.up

    async def _reply(self, *, stream: bool) -> UpstreamReply:
        if self.error is not None:
            raise self.error
        if stream and self.reply_events is not None:
            return UpstreamReply(self.status, None, self._events())
        return UpstreamReply(self.status, self.reply_body, None)

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            for n, event in enumerate(self.reply_events or []):
                if self.break_after is not None and n >= self.break_after:
                    raise UnavailableError("the stream broke", code="upstream_broke")
                yield event
        finally:
            self.closed += 1


class FakeOnPrem(FakeUpstream):
    async def send(self, destination: Destination, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        self.calls.append((destination.id, body))
        return await self._reply(stream=stream)


class FakeExternal(FakeUpstream):
    async def send(self, destination: Destination, release: Release, *, stream: bool) -> UpstreamReply:
        self.calls.append((destination.id, dict(release.fields)))
        return await self._reply(stream=stream)


@dataclass
class FakeHeldParts:
    held: dict[tuple[str, bytes], frozenset[Hold]] = field(default_factory=dict)

    async def limits(self, app: str, digests: Sequence[bytes]) -> frozenset[Hold]:
        return frozenset().union(*(self.held.get((app, d), frozenset()) for d in digests))

    async def hold(self, app: str, digests: Sequence[bytes], holds: frozenset[Hold]) -> None:
        for digest in digests:
            self.held[app, digest] = self.held.get((app, digest), frozenset()) | holds


@dataclass
class FakeReplays:
    taken: set[tuple[str, str]] = field(default_factory=set)
    down: bool = False

    async def take(self, issuer: str, jti: str, *, until: datetime) -> bool:
        if self.down:
            raise UnavailableError("the database of app keys and held parts fails", code="state_unavailable")
        fresh = (issuer, jti) not in self.taken
        self.taken.add((issuer, jti))
        return fresh


@dataclass
class FakeAppKeys:
    keys: dict[str, str] = field(default_factory=dict)

    async def app_of(self, key: str) -> str | None:
        return self.keys.get(key)


@dataclass
class FakeBundles:
    bundle: Bundle

    def current(self) -> Bundle:
        return self.bundle


@dataclass
class FakeMetrics:
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=Counter)
    observed: list[str] = field(default_factory=list)

    def count(self, name: str, amount: int = 1, /, **labels: str) -> None:
        self.counts[name, tuple(sorted(labels.items()))] += amount

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        self.observed.append(name)


@dataclass
class FakeSubjects:
    """A vault in memory: one key a patient, made on first use."""

    lookups: Lookups = field(default_factory=lambda: Lookups(b"v" * 32))
    keys: dict[bytes, bytes] = field(default_factory=dict)
    down: bool = False

    async def tags(self, rid: str, references: Sequence[Reference]) -> tuple[tuple[str, str], ...]:
        if self.down:
            raise UnavailableError("the vault of patients' keys cannot be used", code="vault_unavailable")
        return tuple(
            (each.source, tag(self.keys.setdefault(each.lookup, each.lookup[::-1]), rid)) for each in capped(references)
        )
