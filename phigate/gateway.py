"""One exchange, on one screen: read, find, decide, make the copy, record, send, restore, record, answer.

Nothing leaves before its intent is durable, and the last byte of a reply waits for its outcome. Every error path ends
in a refusal or on-prem; none ends in a looser route.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from phigate.analysis import Analysis, PartAnalysis, Unread
from phigate.audit import exchange as entries
from phigate.audit.mac import BodyMAC
from phigate.audit.pseudonyms import Pseudonyms
from phigate.deid.fingerprint import fingerprints
from phigate.deid.found import found
from phigate.deid.seams import seams, stitched
from phigate.egress import Egress
from phigate.errors import CallerError, PeerError, PhigateError, RefusedError, UnavailableError
from phigate.exchange import UNSAID, Exchange, Outbound, Reply, Said, Sent
from phigate.policy.bundle import App, Bundle
from phigate.policy.decide import decide
from phigate.policy.decision import Candidate, Decision, DestinationKind, Facts, Hold, Mode
from phigate.policy.room import with_room
from phigate.ports import Analyzer, External, HeldParts, Ledger, Metrics, OnPrem, Subjects, UpstreamReply
from phigate.reading import SecondReader
from phigate.returning import Returning
from phigate.vouching import Vouching
from phigate.wire import chat
from phigate.wire.chat import ChatRequest
from phigate.wire.parts import Limits

_PATH = "chat/completions"


@dataclass(frozen=True, slots=True)
class Ports:
    """The world as the gateway sees it."""

    analyzer: Analyzer
    ledger: Ledger
    onprem: OnPrem
    external: External
    held: HeldParts
    metrics: Metrics
    mac: Callable[[bytes], tuple[int, bytes]]  # size and keyed digest of a body, under the key of the day
    running_mac: Callable[[], BodyMAC]  # the same over a body that comes in pieces
    tally: Callable[[str, str], None]  # counts a refusal that anybody can cause: app, reason
    print_key: bytes  # key of the fingerprints of held parts
    new_rid: Callable[[], str]
    vouching: Vouching  # reads signed contexts
    subjects: Subjects  # tags of patients
    pseudonyms: Pseudonyms  # keys of operators that need one
    now: Callable[[], float] = time.time
    shadow: Callable[[str, Facts, Decision], None] | None = None  # takes what a shadow bundle is compared with


class Gateway:
    """Serves exchanges. Holds no state of any of them."""

    def __init__(self, ports: Ports, *, limits: Limits) -> None:
        self._ports = ports
        self._limits = limits
        self._egress = Egress(
            analyzer=ports.analyzer,
            metrics=ports.metrics,
            pseudonyms=ports.pseudonyms,
            reader=SecondReader(ports.onprem, ports.metrics),
        )
        self.returning = Returning(
            ledger=ports.ledger,
            analyzer=ports.analyzer,
            held=ports.held,
            metrics=ports.metrics,
            running_mac=ports.running_mac,
            print_key=ports.print_key,
        )

    async def chat(
        self, app: App, bundle: Bundle, body: bytes, context: str | None = None, *, rid: str | None = None
    ) -> Reply:
        """Answer one chat completion; ``context`` is the header that the EHR signed, if it came.

        ``rid`` names the exchange, where the caller has named it already. Raises `CallerError` or `PeerError`; each
        refusal has its entry by then.
        """
        request = self._parse(app, body)
        rid = rid or self._ports.new_rid()
        said = UNSAID if context is None else await self._said(rid, app, bundle, body, context)
        exchange = await self._decide(rid, app, bundle, request, said)
        while (candidate := self._next(exchange)) is not None:
            exchange.tried.append(candidate)
            outbound = await self._prepare(exchange, candidate)
            if outbound is None:
                continue
            # Append before sending: a crash here leaves an intent with no call, which an auditor can see.
            # The other order could disclose with no trace.
            sent = await self._record(exchange, outbound)
            try:
                answer = await self._send(outbound, stream=request.stream)
            except PeerError as error:
                await self.returning.failed(sent, error)
                continue
            except BaseException:
                self.returning.abandoned(sent)
                raise
            return await self.returning.reply(sent, answer)
        raise await self._exhausted(exchange)

    def _parse(self, app: App, body: bytes) -> ChatRequest:
        try:
            return chat.parse(body, limits=self._limits)
        except CallerError as error:
            self._ports.tally(app.name, error.code)
            raise

    async def _said(self, rid: str, app: App, bundle: Bundle, body: bytes, context: str) -> Said:
        """Return what a signed context says. One that does not hold refuses the request, whatever it says."""
        try:
            return await self._ports.vouching.said(context, app, bundle, body, now=self._now())
        except (CallerError, UnavailableError) as error:
            self._ports.metrics.count("contexts_refused", reason=error.code)
            await self.refused(rid, app.name, error.code, None, None)
            raise

    async def _decide(self, rid: str, app: App, bundle: Bundle, request: ChatRequest, said: Said) -> Exchange:
        ports, started = self._ports, time.monotonic()
        prints = fingerprints(request.parts, key=ports.print_key)
        inherited = await self._inherited(rid, app, prints)
        analysis = await self._analyze(rid, app, bundle, request)
        now = self._now()
        facts = Facts(
            app=app.name,
            found=found(analysis, request.parts, today=now.date()),
            complete=analysis.complete,
            attachments=request.attachments,
            model=request.model,
            needs=request.needs,
            now=now,
            inherited=inherited,
            tags=said.tags,
            purpose=said.purpose,
            glass=said.glass,
        )
        try:
            decision = decide(bundle, facts)
        except CallerError as error:
            await self.refused(rid, app.name, error.code, None, analysis)
            raise
        if ports.shadow is not None:
            ports.shadow(rid, facts, decision)
        self._count(analysis, inherited)
        await self._hold(rid, app, prints, decision.holds)
        exchange = Exchange(rid, app, bundle, request, analysis, facts, decision, prints, started, decision.holds)
        if said is not UNSAID:
            exchange.said = said
            await self._glass(exchange)
        if decision.mode is Mode.BLOCK:
            await self.refused(rid, app.name, "policy", decision, analysis)
            raise _blocked(decision)
        exchange.tagging = self._tagging(exchange)
        return exchange

    async def _glass(self, exchange: Exchange) -> None:
        """Record a call for break-glass before anything is sent. One that cannot be recorded opens nothing."""
        try:
            await self._ports.vouching.glass(exchange)
        except UnavailableError as error:
            await self.refused(exchange.rid, exchange.app.name, error.code, None, exchange.analysis)
            raise

    async def _inherited(self, rid: str, app: App, prints: tuple[bytes, ...]) -> frozenset[Hold]:
        try:
            return await self._ports.held.limits(app.name, prints) if prints else frozenset()
        except UnavailableError as error:
            await self.refused(rid, app.name, error.code, None, None)
            raise

    async def _hold(self, rid: str, app: App, prints: tuple[bytes, ...], holds: frozenset[Hold]) -> None:
        """Remember before anything is sent, so that no turn beside this one, or after its failure, escapes."""
        if not holds or not prints:
            return
        try:
            await self._ports.held.hold(app.name, prints, holds)
        except UnavailableError as error:
            await self.refused(rid, app.name, error.code, None, None)
            raise

    async def _analyze(self, rid: str, app: App, bundle: Bundle, request: ChatRequest) -> Analysis:
        """Detect. A detector that cannot run refuses, unless the signed site file says that on-prem may go on."""
        began = time.monotonic()
        try:
            return await self._read(bundle, request)
        except UnavailableError as error:
            if bundle.detector.detector_down != "onprem":
                await self.refused(rid, app.name, error.code, None, None)
                raise
            unread = PartAnalysis((), "", frozenset({Unread.FAILED}))
            return Analysis((unread,) * max(1, len(request.parts)), "down")
        finally:
            self._ports.metrics.observe("detect_seconds", time.monotonic() - began)

    async def _read(self, bundle: Bundle, request: ChatRequest) -> Analysis:
        """Analyse every part, and the edges between text parts of one message, which a model reads as one text."""
        analysis = await self._ports.analyzer.analyze(request.parts, bundle=bundle)
        edges = seams(request.parts)
        if not edges:
            return analysis
        joined = await self._ports.analyzer.analyze([edge.joined for edge in edges], bundle=bundle)
        return stitched(analysis, edges, joined)

    def _next(self, exchange: Exchange) -> Candidate | None:
        """Return the next pair that policy allows now, that is healthy and that was not tried yet.

        Decided anew for each further attempt: a paper may have expired since the first.
        """
        if exchange.tried:
            exchange.decision = decide(exchange.bundle, replace(exchange.facts, now=self._now()))
        places = exchange.bundle.destinations
        for candidate in with_room(exchange.decision.candidates, places, exchange.request.tokens):
            destination = places[candidate.destination]
            if candidate.kind is DestinationKind.EXTERNAL:
                usable = not exchange.kept_home and self._ports.external.healthy(destination)
            else:
                usable = self._ports.onprem.healthy(destination)
            if usable and not any(_same_place(candidate, tried) for tried in exchange.tried):
                return candidate
        return None

    async def _prepare(self, exchange: Exchange, candidate: Candidate) -> Outbound | None:
        try:
            outbound = await self._egress.prepare(exchange, candidate)
        except PhigateError as error:
            code = error.code if isinstance(error, (CallerError, PeerError)) else "egress_failed"
            await self.refused(exchange.rid, exchange.app.name, code, exchange.decision, exchange.analysis)
            raise
        if outbound is None:
            exchange.kept_home = True
            exchange.holds |= {Hold.RESIDUAL}
            await self._hold(exchange.rid, exchange.app, exchange.prints, exchange.holds)
        return outbound

    async def _record(self, exchange: Exchange, outbound: Outbound) -> Sent:
        attempt = len(exchange.tried)
        if exchange.subjects is None:
            exchange.subjects = await self._subjects(exchange)
        began = time.monotonic()
        intent = await self._ports.ledger.append(
            entries.intent(
                rid=exchange.rid,
                attempt=attempt,
                app=exchange.app.name,
                actor=exchange.said.actor,
                decision=replace(exchange.decision, mode=exchange.mode(outbound.candidate)),
                candidate=outbound.candidate,
                destination=outbound.destination,
                analysis=exchange.analysis,
                attachments=exchange.request.attachments,
                operators=outbound.scrubbed.counts if outbound.scrubbed else {},
                residual=outbound.residual,
                inherited=exchange.facts.inherited,
                released=self._ports.mac(outbound.body),
                dropped=len(outbound.dropped),
                subjects=exchange.subjects,
                tables=outbound.tables,
            )
        )
        self._ports.metrics.observe("ledger_append_seconds", time.monotonic() - began, kind="intent")
        return Sent(exchange, outbound, intent, attempt)

    def _tagging(self, exchange: Exchange) -> asyncio.Future[tuple[tuple[str, str], ...]] | None:
        """Have the patients of an exchange tagged while its copy is made: the vault waits for a disk."""
        subjects, tenant = self._ports.subjects, exchange.app.tenant
        said = () if exchange.said.subject is None else (exchange.said.subject,)
        references = (*said, *subjects.lookups.found(tenant, exchange.analysis, exchange.request.parts))
        if not references:
            return None
        task = asyncio.ensure_future(subjects.tags(exchange.rid, references))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to ask
        return task

    async def _subjects(self, exchange: Exchange) -> tuple[tuple[str, str], ...]:
        """Return the tags of the patients in an exchange. One that could not be accounted for goes nowhere."""
        try:
            return await exchange.tagging if exchange.tagging is not None else ()
        except UnavailableError as error:
            await self.refused(exchange.rid, exchange.app.name, error.code, exchange.decision, exchange.analysis)
            raise

    async def _send(self, outbound: Outbound, *, stream: bool) -> UpstreamReply:
        if outbound.release is not None:
            return await self._ports.external.send(outbound.destination, outbound.release, stream=stream)
        return await self._ports.onprem.send(outbound.destination, _PATH, outbound.body, stream=stream)

    async def _exhausted(self, exchange: Exchange) -> UnavailableError:
        """Say that nobody could answer: never a reason for a looser route."""
        code = "no_destination_available"
        await self.refused(exchange.rid, exchange.app.name, code, exchange.decision, exchange.analysis)
        return UnavailableError(
            "no model that this request may go to answers now; nothing was sent elsewhere", code=code, retry_after_s=5
        )

    async def refused(
        self, rid: str, app: str, reason: str, decision: Decision | None, analysis: Analysis | None
    ) -> None:
        """Write the entry of a refusal. A refusal that cannot be recorded stays a refusal."""
        self._ports.metrics.count("refusals", reason=reason)
        try:
            await self._ports.ledger.append(
                entries.refusal(rid=rid, app=app, reason=reason, decision=decision, analysis=analysis)
            )
        except UnavailableError as error:
            self._ports.metrics.count("ledger_errors", code=error.code)

    def _now(self) -> datetime:
        """Return the later of the clock and the ledger's last timestamp: no clock revives an expired paper."""
        return datetime.fromtimestamp(max(self._ports.now(), self._ports.ledger.last_at()), UTC)

    def _count(self, analysis: Analysis, inherited: frozenset[Hold]) -> None:
        by_type = Counter(finding.entity_type for part in analysis.parts for finding in part.findings)
        for entity_type, number in by_type.items():
            self._ports.metrics.count("findings", number, entity_type=entity_type)
        for why in analysis.unread:
            self._ports.metrics.count("incomplete", why=why)
        for hold in inherited:
            self._ports.metrics.count("inherited_limits", hold=hold)


def _same_place(one: Candidate, other: Candidate) -> bool:
    return (one.destination, one.model) == (other.destination, other.model)


def _blocked(decision: Decision) -> RefusedError:
    rules = ", ".join(r.rule for r in decision.reasons if r.demands == "block") or "default"
    return RefusedError(
        f"policy lets this request go to no model (rule {rules}); ask your compliance office, a retry changes nothing",
        code="refused_by_policy",
    )
