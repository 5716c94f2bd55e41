"""What an outside model writes is scanned while it streams, sentence by sentence, and judged before the last byte.

A *proven miss* is a direct identifier in the reply that stands in the request and not in the map: the detector
overlooked it and the model repeats it. An *invented identifier* is one in a tool call that nobody gave the model
(decisions 9 and 17). Scanning never delays the stream; only its end waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from phigate.analysis import Analysis
from phigate.deid.answers import invented_identifiers, proven_misses
from phigate.deid.residual import outgoing
from phigate.errors import UnavailableError
from phigate.exchange import Sent
from phigate.finding import EntityType
from phigate.policy.decision import DestinationKind
from phigate.ports import Analyzer
from phigate.wire.parts import Part


@dataclass(slots=True)
class Seen:
    """What was found in a reply: counts by type, and whether a tool call holds an identifier nobody gave."""

    found: Counter[EntityType] = field(default_factory=Counter)
    misses: Counter[EntityType] = field(default_factory=Counter)
    invented: bool = False


class Watch:
    """Scans the reply of one attempt. Does nothing for a model in the house, which was given the text itself."""

    def __init__(self, analyzer: Analyzer, sent: Sent) -> None:
        self._analyzer = analyzer
        self._sent = sent
        self._outside = sent.outbound.candidate.kind is DestinationKind.EXTERNAL
        self._parts: list[Part] = []
        self._scans: list[asyncio.Task[Analysis]] = []

    def take(self, parts: Sequence[Part]) -> None:
        """Begin to scan what the model wrote."""
        if self._outside and parts:
            self._parts += parts
            scan = self._analyzer.analyze(parts, bundle=self._sent.exchange.bundle)
            self._scans.append(asyncio.ensure_future(scan))

    def drop(self) -> None:
        """Stop scanning: the reply goes no further."""
        for scan in self._scans:
            scan.cancel()

    async def finish(self) -> Seen:
        """Wait for the scans and judge. A reply that cannot be scanned withholds tool calls, not text."""
        seen = Seen()
        if not self._scans:
            return seen
        try:
            analyses = await asyncio.gather(*self._scans)
        except UnavailableError:
            seen.invented = any(part.role == "tool" for part in self._parts)
            return seen
        whole = Analysis(tuple(result for each in analyses for result in each.parts), analyses[0].detector)
        for result in whole.parts:
            seen.found.update(finding.entity_type for finding in result.findings)
        scrubbed, exchange = self._sent.outbound.scrubbed, self._sent.exchange
        if scrubbed is not None:
            raw, decision = exchange.request.parts, exchange.decision
            seen.misses = proven_misses(self._parts, whole, scrubbed, decision=decision, raw=raw)
            given = outgoing(raw, scrubbed)
            strangers = invented_identifiers(self._parts, whole, scrubbed, decision=decision, sent=given)
            unread = any(p.role == "tool" and r.unread for p, r in zip(self._parts, whole.parts, strict=True))
            seen.invented = unread or strangers.total() > 0
        return seen
