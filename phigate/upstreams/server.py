"""One model server inside the house: its pool of kept connections, its health, and one call to it.

What leaves is the path and body as given, and five headers of ours: no header of an app passes, no cookie, no proxy
of the environment, no redirect followed.

Sending again. A server closes idle connections; the close may cross our request on the wire. The pool forgets a
connection after `_IDLE_S`, before common servers do (uvicorn: 5 s), so this is rare. When it happens all the same,
meaning a connection that had been used before was closed within `_STALE_S` of the request without one byte of an
answer, the request is sent once more on a new connection, and counted (`resent`). A close that comes later, or on a new
connection, is a server that died at work, and is reported. RFC 9112 section 9.3.1 allows no more for POST; the only
effect of the second sending is that a model inside the house may have read the same text twice.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Callable
from typing import Final, final

import aiohttp
from yarl import URL

from phigate.errors import BadReplyError, PeerError, UnavailableError
from phigate.ports import UpstreamReply
from phigate.upstreams.address import InsideResolver
from phigate.upstreams.breaker import Breaker, Tolerance
from phigate.upstreams.events import ReplyEvents
from phigate.upstreams.place import Place, base_url, tls_of
from phigate.upstreams.reply import (
    NOTHING_SENT,
    ReplyLimits,
    Timeouts,
    check_head,
    check_object,
    is_error_object,
    problem_of,
    speaks_of_the_request,
)

_PATH: Final = re.compile(r"[a-z][a-z_]*(?:/[a-z_]+)*")
_IDLE_S: Final = 4.0
_STALE_S: Final = 0.5
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_PROBE_BYTES: Final = 1024 * 1024
# aiohttp would add these of its own; the server learns nothing of the gateway, and is asked for no compression.
_NOT_ADDED: Final = ("User-Agent", "Accept", "Accept-Encoding")


@final
class ModelServer:
    """Calls one server. Opens its pool with the first call; `close` ends it."""

    def __init__(
        self,
        place: Place,
        *,
        timeouts: Timeouts,
        limits: ReplyLimits,
        tolerance: Tolerance,
        on_error: Callable[[str], None],
    ) -> None:
        self.place = place
        self.in_flight = 0
        self._base = base_url(place)
        self._tls = tls_of(place)
        self._timeouts = timeouts
        self._limits = limits
        self._reach = Breaker(tolerance)  # told by probes and by connections that could not be made
        self._answers = Breaker(tolerance)  # told by exchanges: a server may accept and yet answer nothing
        self._on_error = on_error
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}

    def healthy(self, now: float) -> bool:
        """Return whether a call that starts now would be let through."""
        return self._reach.would_admit(now) and self._answers.would_admit(now)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self, path: str, body: bytes, *, stream: bool, on_stream_end: Callable[[], None] | None = None
    ) -> UpstreamReply:
        """Post the body once. Raises `UnavailableError` when no byte of an answer came, `BadReplyError` later.

        ``on_stream_end`` is called once when a streamed answer is over, or its reader left.
        """
        now = _now()
        if not self._reach.admit(now):
            raise self._resting(self._reach.wait_s(now))
        if not self._answers.admit(now):
            self._reach.abandoned()
            raise self._resting(self._answers.wait_s(now))
        self.in_flight += 1
        streaming = False
        try:
            reply = await self._exchange(path, body, stream=stream, started_at=now, on_stream_end=on_stream_end)
            streaming = reply.events is not None
        except PeerError as problem:
            self._note(problem)
            raise
        except asyncio.CancelledError:
            self._reach.abandoned()
            self._answers.abandoned()
            raise
        else:
            if not streaming:
                self._note(None)
            return reply
        finally:
            if not streaming:
                self.in_flight -= 1

    async def probe(self) -> bytes | None:
        """Ask for the list of models, a request that holds no byte of an app. Return the answer, None without one."""
        try:
            async with asyncio.timeout(self._timeouts.connect_s):
                reply = await self._pool().get(self._url("models"), headers=self._headers(_JSON), allow_redirects=False)
                try:
                    body = await _read_up_to(reply, _PROBE_BYTES)
                finally:
                    reply.release()
        except (TimeoutError, aiohttp.ClientError, OSError, BadReplyError):
            body, up = None, False
        else:
            up = reply.status == 200
        if up:
            self._reach.succeeded()
            return body
        self._reach.failed(_now())
        return None

    async def _exchange(
        self,
        path: str,
        body: bytes,
        *,
        stream: bool,
        started_at: float,
        on_stream_end: Callable[[], None] | None,
    ) -> UpstreamReply:
        first_byte_at = started_at + min(self._timeouts.first_byte_s, self._timeouts.total_s)
        deadline = started_at + self._timeouts.total_s
        reply = await self._post(path, body, accept=_EVENTS if stream else _JSON, first_byte_at=first_byte_at)
        good = False
        try:
            if reply.status != 200:
                answer = await self._refusal(reply, deadline)
            else:
                check_head(reply.headers, wanted=_EVENTS if stream else _JSON, server=self.place.name)
                if stream:
                    on_end = functools.partial(self._stream_ended, on_stream_end)
                    answer = self._events(reply, deadline=deadline, first_byte_at=first_byte_at, on_end=on_end)
                else:
                    whole = await self._whole(reply, deadline, self._limits.body_bytes)
                    check_object(whole, server=self.place.name)
                    answer = UpstreamReply(200, whole, None)
            good = True
        finally:
            if not good:
                reply.close()  # however it failed, a cancelled call included, the connection is not used again
        return answer

    def _events(
        self,
        reply: aiohttp.ClientResponse,
        *,
        deadline: float,
        first_byte_at: float,
        on_end: Callable[[PeerError | None, bool], None],
    ) -> UpstreamReply:
        events = ReplyEvents(
            reply,
            server=self.place.name,
            timeouts=self._timeouts,
            limits=self._limits,
            deadline=deadline,
            first_byte_at=first_byte_at,
            on_end=on_end,
        )
        return UpstreamReply(200, None, events)

    async def _post(self, path: str, body: bytes, *, accept: str, first_byte_at: float) -> aiohttp.ClientResponse:
        """Return the head of the answer; see the module's docstring on sending again."""
        url, headers = self._url(path), {**self._headers(accept), "Content-Type": _JSON}
        resend = True
        while True:
            used_before: list[bool] = []
            began_at = _now()
            try:
                async with asyncio.timeout_at(first_byte_at):
                    return await self._pool().post(
                        url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=used_before
                    )
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                raise UnavailableError(
                    f"`{self.place.name}` cannot be reached", code="upstream_unreachable", sent=NOTHING_SENT
                ) from None
            except TimeoutError:
                raise UnavailableError(f"`{self.place.name}` did not answer in time", code="upstream_timeout") from None
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError):
                if not (resend and used_before and _now() - began_at < _STALE_S):
                    raise UnavailableError(
                        f"`{self.place.name}` closed the connection without an answer", code="upstream_closed"
                    ) from None
                resend = False
                self._on_error("resent")
            except aiohttp.ClientError:
                # The answer is not HTTP, or its head is out of bounds.
                raise BadReplyError(f"`{self.place.name}` does not speak HTTP", code="upstream_reply") from None

    async def _whole(self, reply: aiohttp.ClientResponse, deadline: float, limit_bytes: int) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                body = await _read_up_to(reply, limit_bytes)
        except TimeoutError:
            raise BadReplyError(
                f"`{self.place.name}` did not finish its answer in time", code="upstream_timeout"
            ) from None
        except (aiohttp.ClientError, OSError):
            raise BadReplyError(f"`{self.place.name}` broke off its answer", code="upstream_broke") from None
        reply.release()
        return body

    async def _refusal(self, reply: aiohttp.ClientResponse, deadline: float) -> UpstreamReply:
        """Pass on an error about the request itself; raise for every other, without a word of it."""
        problem = problem_of(reply.status, reply.headers, server=self.place.name)
        if not speaks_of_the_request(reply.status):
            raise problem
        body = await self._whole(reply, deadline, self._limits.error_bytes)
        if not is_error_object(body):
            raise problem
        return UpstreamReply(reply.status, body, None)

    def _note(self, problem: PeerError | None) -> None:
        now = _now()
        if problem is None:
            self._reach.succeeded()
            self._answers.succeeded()
            return
        self._on_error(problem.code)
        if problem.code == "upstream_unreachable":
            self._answers.abandoned()
            self._reach.failed(now)
        elif problem.code == "upstream_busy":
            # A full queue is not an illness: the next call may find room.
            self._reach.succeeded()
            self._answers.abandoned()
        else:
            self._reach.abandoned()
            self._answers.failed(now)

    def _stream_ended(
        self,
        then: Callable[[], None] | None,
        problem: PeerError | None,
        done: bool,  # noqa: FBT001 - the stream's own word
    ) -> None:
        self.in_flight -= 1
        if then is not None:
            then()
        if done or problem is not None:
            self._note(problem)
        else:  # the reader left
            self._reach.abandoned()
            self._answers.abandoned()

    def _resting(self, wait_s: float) -> UnavailableError:
        return UnavailableError(
            f"`{self.place.name}` failed several times and is left alone for a moment",
            code="upstream_open",
            retry_after_s=max(1, round(wait_s + 0.5)),
            sent=NOTHING_SENT,
        )

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept}
        if self.place.bearer:
            headers["Authorization"] = f"Bearer {self.place.bearer}"
        return headers

    def _url(self, path: str) -> URL:
        """Return where ``path``, given from below /v1/, stands at this server; the endpoint may end in /v1 or not."""
        if path not in self._urls:
            if not _PATH.fullmatch(path):
                raise ValueError("expected a path below /v1/, as in chat/completions")
            prefix = self._base.raw_path.rstrip("/").removesuffix("/v1")
            self._urls[path] = self._base.with_path(f"{prefix}/v1/{path}", encoded=True)
        return self._urls[path]

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = _open_pool(self.place, self._tls, self._timeouts)
        return self._session


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _read_up_to(reply: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    pieces, left = [], limit_bytes
    while chunk := await reply.content.readany():
        left -= len(chunk)
        if left < 0:
            raise BadReplyError("a model server answered more than an answer may weigh", code="upstream_too_large")
        pieces.append(chunk)
    return b"".join(pieces)


async def _note_reuse(_session: aiohttp.ClientSession, context: object, _params: object) -> None:
    used_before = getattr(context, "trace_request_ctx", None)
    if used_before is not None:
        used_before.append(True)


def _open_pool(place: Place, tls: ssl.SSLContext | None, timeouts: Timeouts) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_reuse)
    plain = aiohttp.ThreadedResolver()
    connector = aiohttp.TCPConnector(
        limit=0,  # how many calls may run at once is decided before a call gets here
        keepalive_timeout=_IDLE_S,
        resolver=plain if place.pinned_ca else InsideResolver(plain),
        ssl=tls if tls is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        skip_auto_headers=_NOT_ADDED,
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=timeouts.connect_s, sock_read=None),
        trace_configs=[trace],
    )
