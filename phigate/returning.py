"""The way back: restore the reply, look at what came from outside, and let the end go only after its outcome.

A whole reply waits for its outcome. A stream flows, but for the chunk with the last finish_reason and all after it
(decisions 16). Outcomes are written in tasks of their own, so that a client that hangs up cannot stop one.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from phigate import logs
from phigate.audit import exchange as entries
from phigate.audit.mac import BodyMAC
from phigate.audit.record import Receipt, Status
from phigate.deid.fingerprint import of_texts
from phigate.deid.reply import StreamRestorer, restore_reply
from phigate.deid.surrogate import SurrogateMap
from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.exchange import Reply, Sent
from phigate.finding import EntityType
from phigate.logs import Event
from phigate.phi import PHIText
from phigate.policy.decision import DestinationKind
from phigate.ports import Analyzer, HeldParts, Ledger, Metrics, UpstreamReply
from phigate.toolcheck import ToolCheck
from phigate.watching import Watch
from phigate.wire import reply as wire_reply
from phigate.wire import sse
from phigate.wire.parts import Need
from phigate.wire.usage import Usage

_FINISHED: Final = re.compile(rb'"finish_reason"\s*:\s*"')
_UNOPENED: Final = frozenset({"upstream_unreachable", "upstream_open", "upstream_settings"})  # no byte can have left


@dataclass(slots=True)
class _End:
    """What an outcome will say, gathered while the reply goes by."""

    sent: Sent
    forwarded: BodyMAC
    http_status: int = 0
    settled: bool = False  # its outcome is being written
    seen: set[int] = field(default_factory=set)  # choices that began
    finished: set[int] = field(default_factory=set)  # choices whose last chunk went by
    rest: list[bytes] = field(default_factory=list)  # what the restorer still held when the stream ended
    left: tuple[int, bytes] | None = None  # what really went outside
    provider_request_id: str = ""
    tokens: Mapping[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)  # what the model read and wrote, as it says
    misses: Counter[EntityType] = field(default_factory=Counter)
    found: Counter[EntityType] = field(default_factory=Counter)
    texts: tuple[PHIText, ...] = ()  # of the reply as the app saw it, for what a later turn inherits


class Returning:
    """Gives the app its reply and the ledger its outcome."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        analyzer: Analyzer,
        held: HeldParts,
        metrics: Metrics,
        running_mac: Callable[[], BodyMAC],
        print_key: bytes,
    ) -> None:
        self._ledger = ledger
        self._analyzer = analyzer
        self._held = held
        self._metrics = metrics
        self._running_mac = running_mac
        self._print_key = print_key
        self._writing: set[asyncio.Task[Receipt]] = set()

    async def close(self) -> None:
        """Wait until every outcome that is being written is written, or has failed."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def reply(self, sent: Sent, answer: UpstreamReply) -> Reply:
        """Return what the app gets. Raises `UnavailableError` when the outcome of a whole reply is not durable."""
        headers = _headers(sent)
        end = _End(
            sent,
            self._running_mac(),
            http_status=answer.status,
            left=answer.sent,
            provider_request_id=answer.provider_request_id,
        )
        if answer.events is not None:
            return Reply(200, headers, stream=self._stream(end, answer.events))
        try:
            return await self._whole(end, answer, headers)
        except PeerError as error:
            self._settle(end, _status_of(error))
            raise
        finally:
            self._settle(end, Status.UNKNOWN)

    async def failed(self, sent: Sent, error: PeerError) -> None:
        """Write the outcome of an attempt without a reply; one that cannot be written is left to the reconciler."""
        self._metrics.count("upstream_errors", kind=sent.outbound.candidate.kind.value)
        logs.emit(Event.UPSTREAM_FAILED, code=error.code, destination=sent.outbound.candidate.destination)
        end = _End(sent, self._running_mac(), left=error.sent)
        try:
            await self._outcome(end, _status_of(error))
        except UnavailableError as problem:
            self._metrics.count("ledger_errors", code=problem.code)

    async def _whole(self, end: _End, answer: UpstreamReply, headers: dict[str, str]) -> Reply:
        assert answer.body is not None
        body = answer.body
        end.usage.take(body)
        if answer.status != 200:
            end.forwarded.update(body)
            await self._outcome(end, Status.UPSTREAM_ERROR)
            return Reply(answer.status, headers, body)
        watch = Watch(self._analyzer, end.sent)
        if _is_read(end):
            restored = restore_reply(body, _map(end), restore_in_urls=_hosts(end), json=_in_json(end))
            body, end.tokens, end.texts = restored.body, restored.counts, restored.shown
            watch.take(restored.texts)
        if await self._invented(end, watch):
            await self._outcome(end, Status.BLOCKED_OUTPUT)
            raise _invented_identifier()
        tools = ToolCheck(end.sent)
        tools.take(body, member="message")
        if misfits := await self._misfits(tools):
            headers["x-phigate-tool-arguments"] = f"misfit={misfits}"
        end.forwarded.update(body)
        receipt = await self._outcome(end, Status.OK)
        return Reply(200, {**headers, "x-phigate-outcome": receipt.record_id}, body)

    async def _stream(self, end: _End, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield server-sent events. However this ends, one outcome is written."""
        try:
            async with aclosing(self._flow(end, events)) as flow:
                async for data in flow:
                    yield data
        except (asyncio.CancelledError, GeneratorExit):
            self._settle(end, Status.CLIENT_ABORT)
            raise
        finally:
            self._settle(end, Status.UNKNOWN)

    async def _flow(self, end: _End, events: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield what flows, then hold the end until the outcome is durable."""
        tail: list[bytes] = []
        watch, tools = Watch(self._analyzer, end.sent), ToolCheck(end.sent)
        try:
            async with aclosing(self._pieces(end, events, watch)) as pieces:
                async for piece in pieces:
                    tools.take(piece)
                    if tail or self._ends(end, piece):
                        tail.append(piece)
                    else:
                        yield self._forward(end, piece)
        except PeerError as error:
            self._metrics.count("upstream_errors", kind=end.sent.outbound.candidate.kind.value)
            # What waited for its outcome stays here: a cut must not release what the look at the reply would withhold.
            flushed = [] if tail else [self._forward(end, piece) for piece in end.rest]
            await self._invented(end, watch)
            await self._outcome_or_none(end, _status_of(error))
            for data in flushed:
                yield data
            yield _error_event(error)
            return
        if await self._invented(end, watch):
            await self._outcome_or_none(end, Status.BLOCKED_OUTPUT)
            yield _error_event(_invented_identifier())
            return
        misfits = await self._misfits(tools)
        encoded = [self._forward(end, piece) for piece in tail]
        receipt = await self._outcome_or_none(end, Status.OK)
        if receipt is None:
            yield _error_event(_unrecorded())
            return
        for data in encoded:
            yield data
        if misfits:
            yield sse.comment(f"phigate tool_arguments misfit={misfits}")
        yield sse.comment(f"phigate outcome={receipt.record_id}")
        yield sse.encode(sse.DONE)

    async def _pieces(self, end: _End, events: AsyncIterator[bytes], watch: Watch) -> AsyncGenerator[bytes, None]:
        """Yield the upstream's chunks, restored where the copy was scrubbed; close the upstream whatever happens."""
        restorer = None
        if _is_read(end):
            restorer = StreamRestorer(_map(end), restore_in_urls=_hosts(end), json=_in_json(end))
        try:
            async for event in events:
                end.usage.chunk(event)
                if restorer is None:
                    yield event
                    continue
                for piece in restorer.feed(event):
                    yield piece
                watch.take(restorer.scan())
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
            if restorer is not None:
                watch.take(restorer.scan(ended=True))
                end.rest, end.tokens, end.texts = restorer.close(), restorer.counts, restorer.shown
        for piece in end.rest:
            yield piece

    def _ends(self, end: _End, piece: bytes) -> bool:
        """Return whether this chunk, or all, must wait for the outcome."""
        if end.sent.exchange.bundle.site.reply == "hold":
            return True
        if end.sent.exchange.request.choices == 1:
            return _FINISHED.search(piece) is not None
        # A server may answer fewer choices than were asked for, and finish several in one chunk.
        for index, choice in wire_reply.choices(wire_reply.parse(piece)):
            end.seen.add(index)
            if choice.get("finish_reason") is not None:
                end.finished.add(index)
        return bool(end.finished) and end.finished >= end.seen

    def _forward(self, end: _End, piece: bytes) -> bytes:
        data = sse.encode(piece)
        end.forwarded.update(data)
        return data

    async def _invented(self, end: _End, watch: Watch) -> bool:
        """Finish looking at what came from outside; return whether a tool call holds an identifier nobody gave."""
        if end.sent.outbound.candidate.kind is not DestinationKind.EXTERNAL:
            return False
        seen = await watch.finish()
        end.found, end.misses = seen.found, seen.misses
        for kind, number in seen.found.items():
            self._metrics.count("reply_findings", number, entity_type=kind.value)
        for kind, number in seen.misses.items():
            self._metrics.count("proven_misses", number, entity_type=kind.value)
            logs.emit(Event.PROVEN_MISS, entity_type=kind.value, record=end.sent.intent.record_id)
        return seen.invented

    async def _misfits(self, tools: ToolCheck) -> int:
        number = await tools.misfits()
        if number:
            self._metrics.count("tool_arguments_misfit", number)
        return number

    # -- outcomes ------------------------------------------------------------------------------------------------

    async def _outcome(self, end: _End, status: Status) -> Receipt:
        """Write the outcome. Raises `UnavailableError` when it is not durable in time."""
        return await asyncio.shield(self._later(end, status))

    async def _outcome_or_none(self, end: _End, status: Status) -> Receipt | None:
        try:
            return await self._outcome(end, status)
        except UnavailableError as problem:
            self._metrics.count("ledger_errors", code=problem.code)
            logs.emit(Event.LEDGER_FAILED, code=problem.code)
            return None

    def abandoned(self, sent: Sent) -> None:
        """Begin to write that nobody knows how this attempt ended: it was cut off while it was being sent."""
        self._settle(_End(sent, self._running_mac()), Status.UNKNOWN)

    def _settle(self, end: _End, status: Status) -> None:
        """Begin to write the outcome unless one was begun before."""
        if not end.settled:
            self._later(end, status)

    def _later(self, end: _End, status: Status) -> asyncio.Task[Receipt]:
        """Begin to write the outcome in a task that no hang-up can cancel."""
        end.settled = True
        task = asyncio.get_running_loop().create_task(self._write(end, status))
        self._writing.add(task)
        task.add_done_callback(self._written)
        return task

    def _written(self, task: asyncio.Task[Receipt]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            logs.emit(Event.LEDGER_FAILED, code=getattr(problem, "code", type(problem).__name__))

    async def _write(self, end: _End, status: Status) -> Receipt:
        sent, exchange = end.sent, end.sent.exchange
        problem = await self._hold_reply(end)
        latency_ms = int((time.monotonic() - exchange.started) * 1000)
        mode, spent = exchange.mode(sent.outbound.candidate), end.usage.to_json()
        receipt = await self._ledger.append(
            entries.outcome(
                rid=exchange.rid,
                attempt=sent.attempt,
                intent=sent.intent,
                status=status,
                http_status=end.http_status,
                sent=end.left,
                answer=end.forwarded.result(),
                tokens=end.tokens,
                misses=end.misses,
                found_in_reply=end.found,
                latency_ms=latency_ms,
                provider_request_id=end.provider_request_id,
                usage=spent,
                model=end.usage.model,
            )
        )
        self._metrics.count("exchanges", mode=mode.value, status=status.value)
        self._metrics.observe("exchange_seconds", latency_ms / 1000, mode=mode.value)
        kind = sent.outbound.candidate.kind.value
        for of in ("prompt", "completion"):
            if number := spent.get(of, 0):
                self._metrics.count("model_tokens", number, kind=kind, of=of)
        for name in ("restored", "withheld", "lost", "invented"):
            if number := end.tokens.get(name, 0):
                self._metrics.count(f"tokens_{name}", number)
        if problem is not None:
            raise problem
        return receipt

    async def _hold_reply(self, end: _End) -> UnavailableError | None:
        """Remember the reply of an exchange that was held back. Returns why it could not: the outcome comes first."""
        exchange = end.sent.exchange
        prints = of_texts(end.texts, key=self._print_key) if exchange.holds else ()
        if not prints:
            return None
        try:
            await self._held.hold(exchange.app.name, prints, exchange.holds)
        except UnavailableError as problem:
            return problem
        return None


def _headers(sent: Sent) -> dict[str, str]:
    exchange, candidate = sent.exchange, sent.outbound.candidate
    headers = {
        "x-phigate-mode": exchange.mode(candidate).value,
        "x-phigate-destination": candidate.destination,
        "x-phigate-record": sent.intent.record_id,
        "x-phigate-leaf": sent.intent.leaf.hex(),
        # A receipt: whoever keeps these three can show later that the log went back behind this answer.
        "x-phigate-checkpoint": f"{sent.intent.size}:{sent.intent.root.hex()}",
        "x-phigate-policy": exchange.decision.bundle,
        "x-request-id": exchange.rid,
    }
    if sent.outbound.dropped:
        headers["x-phigate-dropped"] = ", ".join(sent.outbound.dropped)
    return headers


def _is_read(end: _End) -> bool:
    """Return whether the reply is read: it holds tokens, comes from outside, or must be known again in a later turn."""
    outside = end.sent.outbound.candidate.kind is DestinationKind.EXTERNAL
    return outside or end.sent.outbound.scrubbed is not None or bool(end.sent.exchange.holds)


def _map(end: _End) -> SurrogateMap:
    """Return the map of the exchange; one that left raw has none, and its reply passes byte for byte."""
    scrubbed = end.sent.outbound.scrubbed
    return SurrogateMap() if scrubbed is None else scrubbed.surrogates


def _hosts(end: _End) -> frozenset[str]:
    return end.sent.exchange.bundle.site.restore_in_urls


def _in_json(end: _End) -> bool:
    """Return whether the content was asked for as JSON, so that values are restored with JSON's escapes."""
    return Need.JSON_SCHEMA in end.sent.exchange.request.needs


def _status_of(error: PeerError) -> Status:
    if error.code in _UNOPENED or error.sent == (0, b""):
        return Status.NOT_SENT
    return Status.TIMEOUT if error.code == "upstream_timeout" else Status.UPSTREAM_ERROR


def _error_event(error: PeerError) -> bytes:
    shown = {"error": {"message": str(error), "type": "upstream_error", "param": None, "code": error.code}}
    return sse.encode(json.dumps(shown).encode())


def _unrecorded() -> UnavailableError:
    return UnavailableError(
        "the outcome could not be written to the ledger, so the end of this answer is withheld",
        code="ledger_unavailable",
    )


def _invented_identifier() -> BadReplyError:
    return BadReplyError(
        "the outside model put an identifier into a tool call that this request did not give it; the call is withheld",
        code="invented_identifier",
    )
