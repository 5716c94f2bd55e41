"""The outgoing copy of a request: raw for the house, de-identified and re-scanned for anything else.

Nothing here decides who may receive it; it only makes what the decision asked for, or says that it cannot.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from phigate.analysis import Analysis
from phigate.audit.exchange import ResidualSummary
from phigate.audit.pseudonyms import Pseudonyms
from phigate.deid.deidentify import Scrubbed, deidentify
from phigate.deid.generalise import Params
from phigate.deid.release import raw_release, scrubbed_release
from phigate.deid.residual import Residue, redact_more, residual
from phigate.deid.seams import seams, stitched
from phigate.deid.zip3 import DIGESTS, UNION, VINTAGE
from phigate.exchange import Exchange, Outbound
from phigate.finding import EntityType
from phigate.policy.bundle import Destination
from phigate.policy.decision import Candidate, DestinationKind, Form, Operator
from phigate.ports import Analyzer, Metrics
from phigate.reading import SecondReader
from phigate.wire import chat
from phigate.wire.parts import Part

_MESSAGE: Final = re.compile(r"/messages/[0-9*]+")
_PASSES = 2  # decisions 11: once, and once more after redacting what was found


class Egress:
    """Makes the copy that one candidate may receive."""

    def __init__(self, *, analyzer: Analyzer, metrics: Metrics, pseudonyms: Pseudonyms, reader: SecondReader) -> None:
        self._reader = reader
        self._analyzer = analyzer
        self._pseudonyms = pseudonyms
        self._metrics = metrics

    async def prepare(self, exchange: Exchange, candidate: Candidate) -> Outbound | None:
        """Return what to send, or None when the copy cannot be made clean: then the exchange stays at home.

        Raises `InvalidRequestError` when the request asks an outside provider for something its papers do not cover.
        """
        destination = exchange.bundle.destinations[candidate.destination]
        inside = candidate.kind is DestinationKind.ONPREM
        if candidate.form is Form.RAW:
            return _inside(exchange, candidate, destination) if inside else _raw(exchange, candidate, destination)
        return await self._scrubbed(exchange, candidate, destination, inside=inside)

    async def _scrubbed(
        self, exchange: Exchange, candidate: Candidate, destination: Destination, *, inside: bool
    ) -> Outbound | None:
        request, decision = exchange.request, exchange.decision
        params = _params(exchange, self._pseudonyms)
        scrubbed = deidentify(request.parts, exchange.analysis, decision, params=params)
        if scrubbed.unfit:
            return None
        allow = chat.PASSABLE if inside else destination.fields
        covers = frozenset(chat.uncovered(request, frozenset())) if inside else destination.covers
        for number in range(1, _PASSES + 1):
            made = chat.render_scrubbed(request, scrubbed.edits, model=candidate.model, allow=allow, covers=covers)
            if any(_MESSAGE.fullmatch(name) for name in made.dropped):
                return None  # a message would be missing: the model would answer something else
            after = chat.outgoing_parts(request, scrubbed.edits, allow=allow)
            residue = await self._look_again(exchange, scrubbed, after, made.body, inside=inside)
            if residue is None:
                return None
            if residue.clean:
                readers = () if inside else tuple(sorted(decision.residual.readers))
                summary = ResidualSummary(True, number, residue.types_left, readers)
                release = None
                if not inside:
                    release = scrubbed_release(made.fields, dropped=made.dropped, forbidden=residue.forbidden)
                tables = _tables(scrubbed, params)
                return Outbound(candidate, destination, made.body, release, scrubbed, summary, made.dropped, tables)
            self._metrics.count("residual_dirty", then="redacted" if number < _PASSES else "kept_onprem")
            scrubbed = redact_more(request.parts, scrubbed, residue)
        return None

    async def _look_again(
        self, exchange: Exchange, scrubbed: Scrubbed, after: Sequence[Part], body: bytes, *, inside: bool
    ) -> Residue | None:
        """Re-scan what leaves with the second set of recognizers, and search it for every value of the map.

        What comes out clean is shown to the second reader, where policy asks for one. None: it could not read.
        """
        began = time.monotonic()
        decision = exchange.decision
        second = await self._rescan(exchange, after)
        if edges := seams(after):
            joined = await self._rescan(exchange, [edge.joined for edge in edges])
            second = stitched(second, edges, joined, crossing=True)
        self._metrics.observe("rescan_seconds", time.monotonic() - began)
        residue = residual(after, second, scrubbed, decision, body)
        if inside or not residue.clean or not decision.residual.readers:
            return residue
        read = await self._reader.look(exchange, after, second)
        return None if read is None else residual(after, read, scrubbed, decision, body)

    async def _rescan(self, exchange: Exchange, parts: Sequence[Part]) -> Analysis:
        return await self._analyzer.rescan(parts, bundle=exchange.bundle, thresholds=exchange.decision.thresholds)


def _params(exchange: Exchange, pseudonyms: Pseudonyms) -> Params:
    """Return what operators need beside a value: keys of tenant and patient, and what all bound regimes agree on."""
    regimes = [exchange.bundle.regimes[name] for name, _ in exchange.decision.regimes]
    params = Params(
        today=exchange.facts.now.date(),
        zip3=UNION if any(regime.zip3 == UNION for regime in regimes) else VINTAGE,
        hash_key=pseudonyms.hash_key(exchange.app.tenant),
    )
    shifts = [regime.date_shift for regime in regimes if regime.date_shift is not None]
    if not shifts:
        return params
    return replace(
        params,
        subject=exchange.said.subject_key,
        shift_key=pseudonyms.shift_key(exchange.app.tenant) if exchange.said.subject_key else b"",
        shift_days=min(shift.days for shift in shifts),
        shift_weeks=all(shift.weekday for shift in shifts),
        shift_or_year=all(shift.or_year for shift in shifts),
    )


def _tables(scrubbed: Scrubbed, params: Params) -> tuple[tuple[str, str, str], ...]:
    """Return kind, vintage and digest of the tables by which values of this copy were generalised."""
    if EntityType.ZIP not in scrubbed.counts or Operator.POSTAL3 not in scrubbed.counts[EntityType.ZIP]:
        return ()
    return (("zip3", params.zip3, DIGESTS[params.zip3]),)


def _inside(exchange: Exchange, candidate: Candidate, destination: Destination) -> Outbound:
    body = chat.render_onprem(exchange.request, model=candidate.model)
    return Outbound(candidate, destination, body, None, None, None)


def _raw(exchange: Exchange, candidate: Candidate, destination: Destination) -> Outbound:
    """Make the copy that only a rule naming PHI allows to leave as it is (decisions 4)."""
    made = chat.render_scrubbed(
        exchange.request, {}, model=candidate.model, allow=destination.fields, covers=destination.covers, exact=True
    )
    release = raw_release(
        made.fields, dropped=made.dropped, decision=exchange.decision, destination=candidate.destination
    )
    return Outbound(candidate, destination, made.body, release, None, None, made.dropped)
