"""A scripted exchange: the real gateway and the real shipped policies over fakes of every port."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phigate.audit.mac import BodyMAC, body_mac
from phigate.audit.pseudonyms import Pseudonyms
from phigate.audit.record import Draft, Kind
from phigate.exchange import Reply
from phigate.finding import EntityType
from phigate.gateway import Gateway, Ports
from phigate.policy.bundle import Bundle
from phigate.policy.decision import Decision, Facts
from phigate.store.bundles import FolderBundles, write_site
from phigate.vouching import Vouching
from phigate.wire.parts import Limits
from tests.fakes import (
    FakeAnalyzer,
    FakeExternal,
    FakeHeldParts,
    FakeLedger,
    FakeMetrics,
    FakeOnPrem,
    FakeReplays,
    FakeSubjects,
)

NOW = datetime(2026, 12, 20, tzinfo=UTC)
AUDIENCE = "audit.test/phigate"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
ENDPOINTS = {"medgemma": "http://127.0.0.1:1/v1", "eu-cloud": "https://llm.example/v1"}


def demo_bundle(folder: Path) -> Bundle:
    """Return the shipped policies as a site would have them."""
    write_site(folder / "policies", endpoints=ENDPOINTS, today=NOW.date())
    return FolderBundles(folder / "policies", dev=True).current()


@dataclass
class Script:
    """The world of one test. Change a port, then `say`."""

    bundle: Bundle
    app: str = "demo"
    analyzer: FakeAnalyzer = field(default_factory=lambda: FakeAnalyzer({"Maria Souza": EntityType.PERSON}))
    ledger: FakeLedger = field(default_factory=FakeLedger)
    onprem: FakeOnPrem = field(default_factory=FakeOnPrem)
    external: FakeExternal = field(default_factory=FakeExternal)
    held: FakeHeldParts = field(default_factory=FakeHeldParts)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    subjects: FakeSubjects = field(default_factory=FakeSubjects)
    replays: FakeReplays = field(default_factory=FakeReplays)
    shadow: Callable[[str, Facts, Decision], None] | None = None
    tallied: list[tuple[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))
    limits: Limits = field(default_factory=Limits)

    def gateway(self) -> Gateway:
        numbers = self.numbers
        pseudonyms = Pseudonyms(b"s" * 32)
        ports = Ports(
            analyzer=self.analyzer,
            ledger=self.ledger,
            onprem=self.onprem,
            external=self.external,
            held=self.held,
            metrics=self.metrics,
            mac=lambda body: body_mac(b"k" * 32, body),
            running_mac=lambda: BodyMAC(b"k" * 32),
            tally=lambda app, reason: self.tallied.append((app, reason)),
            print_key=b"p" * 32,
            new_rid=lambda: f"0197a2b4-0000-7000-8000-{next(numbers):012x}",
            vouching=Vouching(
                replays=self.replays,
                pseudonyms=pseudonyms,
                lookups=self.subjects.lookups,
                audience=AUDIENCE,
                ledger=self.ledger,
                metrics=self.metrics,
            ),
            subjects=self.subjects,
            pseudonyms=pseudonyms,
            shadow=self.shadow,
            now=NOW.timestamp,
        )
        return Gateway(ports, limits=self.limits)

    async def send(self, body: dict[str, Any] | bytes, context: str | None = None) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.last = self.gateway()
        return await self.last.chat(self.bundle.apps[self.app], self.bundle, raw, context)

    async def say(self, text: str, context: str | None = None, **more: Any) -> Reply:
        return await self.send({"model": "gpt-5", "messages": [{"role": "user", "content": text}], **more}, context)

    @property
    def kinds(self) -> list[Kind]:
        return [draft.kind for draft in self.ledger.drafts]

    def entry(self, kind: Kind) -> Draft:
        return next(draft for draft in self.ledger.drafts if draft.kind is kind)

    def answers(self, text: str) -> None:
        """Make both upstreams answer with this content."""
        message = {"role": "assistant", "content": text}
        body = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        self.onprem.reply_body = self.external.reply_body = json.dumps(body).encode()

    def streams(self, *deltas: str, finish: bool = True) -> None:
        """Make both upstreams stream these pieces of content."""
        events = [chunk({"content": delta}) for delta in deltas]
        if finish:
            events.append(chunk({}, "stop"))
        self.onprem.reply_events = self.external.reply_events = events


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return json.dumps(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    ).encode()


async def drain(stream: AsyncIterator[bytes]) -> list[bytes]:
    return [event async for event in stream]


def content(events: list[bytes]) -> str:
    """Return the text that an OpenAI client would show of a stream."""
    text = ""
    for line in b"".join(events).decode().splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:]).get("choices", []):
                text += choice["delta"].get("content") or ""
    return text


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
