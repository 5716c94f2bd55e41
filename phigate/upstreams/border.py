"""The last look at what leaves: one request, to one place, with no value of the map in it (decisions 13).

`Passage` is the transport that provider libraries get instead of a network. It lets one POST through, to the endpoint
of its destination and no other host, with the headers of an allow-list; it refuses every redirect and any bytes that
hold a forbidden value, and notes size and MAC of what really left. What goes wrong is kept as our own error, so that
nobody needs the words of a provider or of a library, which may quote the prompt.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import httpx

from phigate.deid.search import holds_value
from phigate.errors import BadReplyError, PeerError, SettingsError, UnavailableError
from phigate.finding import EntityType
from phigate.phi import PHIText
from phigate.upstreams.outgoing_words import CLOSED, STRUCTURE
from phigate.upstreams.reply import NOTHING_SENT, ReplyLimits, Timeouts, problem_of

# All that a provider needs; a library's own headers tell of machine, versions and retries.
_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "anthropic-version", "accept"})
_QUERIES: Final = frozenset({"", "alt=sse"})
_VERSION_QUERY: Final = re.compile(r"api-version=[0-9a-z.-]{1,40}")
_REQUEST_IDS: Final = ("x-request-id", "request-id", "apim-request-id")
_TAIL_BYTES: Final = 256
_JSON: Final = "application/json"
_LONG_NUMBER: Final = 7  # digits; shorter ones are settings of the request, as in max_tokens
_TOKEN: Final = re.compile(rf"\[\[(?:{'|'.join(EntityType)})_[0-9]+(?:\.[0-9]+)?(?:[+-][0-9]+d)?\]\]")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class StoppedError(Exception):
    """Ends a library's call; the reason is `Passage.problem`. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """The one place that a request may go to."""

    name: str  # the destination, for messages
    scheme: str
    host: str
    port: int
    prefix: str  # path under which all requests stay


def outlet(name: str, endpoint: str) -> Outlet:
    """Return the place of an endpoint. Raises `SettingsError` unless it is https, or http on this machine."""
    try:
        url = httpx.URL(endpoint)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in {"https", "http"} or not url.host or url.query or url.fragment or url.userinfo:
        raise SettingsError(f"the endpoint of `{name}` is not a URL of the form https://host/path")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        raise SettingsError(f"the endpoint of `{name}` is http; what leaves the house must be https")
    return Outlet(name, url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80), url.path.rstrip("/"))


@final
class Passage(httpx.AsyncBaseTransport):
    """A transport for one call. Make a new one for the next: a second request is refused."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        to: Outlet,
        forbidden: Sequence[PHIText],
        mac: Callable[[bytes], bytes],
        timeouts: Timeouts,
        limits: ReplyLimits,
        end_mark: re.Pattern[bytes] | None,
    ) -> None:
        self._inner = inner
        self._to = to
        self._forbidden = forbidden
        self._mac = mac
        self._timeouts = timeouts
        self._limits = limits
        self._end_mark = end_mark  # how a whole stream ends; None for a call that is not streamed
        self._reply: httpx.Response | None = None
        self._answer: _Answer | None = None
        self._whole = bytearray()  # what was read of an answer that is not streamed
        self.sent: tuple[int, bytes] = NOTHING_SENT
        self.status = 0
        self.headers = httpx.Headers()
        self.problem: PeerError | None = None
        self.ended_well = False

    @property
    def request_id(self) -> str:
        """Return the provider's id of the request, "" when it gave none."""
        return next((self.headers[name] for name in _REQUEST_IDS if name in self.headers), "")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let the request through. Raises `StoppedError` after setting ``problem``."""
        body = await request.aread()
        checked = self._check(request, body)
        deadline = asyncio.get_running_loop().time() + self._timeouts.total_s
        self.sent = (len(body), self._mac(body))
        try:
            async with asyncio.timeout(min(self._timeouts.first_byte_s, self._timeouts.total_s)):
                self._reply = await self._inner.handle_async_request(checked)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            self.sent = NOTHING_SENT
            raise self._stop(
                UnavailableError(f"`{self._to.name}` cannot be reached", code="upstream_unreachable")
            ) from None
        except (TimeoutError, httpx.TimeoutException):
            raise self._stop(
                UnavailableError(f"`{self._to.name}` did not answer in time", code="upstream_timeout")
            ) from None
        except httpx.TransportError:
            raise self._stop(
                UnavailableError(f"`{self._to.name}` closed the connection without an answer", code="upstream_closed")
            ) from None
        return self._received(self._reply, deadline)

    async def aclose(self) -> None:
        """End the call: the connection closes unless its answer was read to the end. The pool stays open."""
        reply, self._reply = self._reply, None
        if reply is not None:
            await reply.aclose()

    def _check(self, request: httpx.Request, body: bytes) -> httpx.Request:
        """Return the request as it may leave, with our headers; or stop."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        query = url.query.decode("ascii", "replace")
        if self.sent is not NOTHING_SENT or self.problem is not None:
            raise self._refuse("a second request")
        if request.method != "POST" or (url.scheme, url.host, port) != (self._to.scheme, self._to.host, self._to.port):
            raise self._refuse("a request to another host")
        if not url.path.startswith(f"{self._to.prefix}/") or ".." in url.path:
            raise self._refuse("a request to another path")
        if query not in _QUERIES and not _VERSION_QUERY.fullmatch(query):
            raise self._refuse("a query in the URL")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON or "content-encoding" in request.headers:
            raise self._refuse("a body that is not plain JSON")
        if self._forbidden and holds_value(readable(body), self._forbidden):
            raise self._refuse("a value that was to be taken out")
        headers = [(name, value) for name, value in request.headers.multi_items() if name in _HEADERS]
        headers += [
            ("host", url.netloc.decode("ascii")),
            ("content-type", _JSON),
            ("content-length", str(len(body))),
            ("accept-encoding", "identity"),
            ("user-agent", "phigate"),
        ]
        waits = {"connect": self._timeouts.connect_s, "pool": self._timeouts.connect_s, "read": None, "write": None}
        return httpx.Request("POST", url, headers=headers, content=body, extensions={"timeout": waits})

    def _received(self, reply: httpx.Response, deadline: float) -> httpx.Response:
        self.status, self.headers = reply.status_code, reply.headers
        if 300 <= self.status < 400:
            raise self._stop(problem_of(self.status, self.headers, server=self._to.name))
        if reply.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._stop(
                BadReplyError(
                    f"`{self._to.name}` compressed its answer, which was not asked for", code="upstream_reply"
                )
            )
        kept = [(name, value) for name, value in reply.headers.multi_items() if name in {"content-type", "retry-after"}]
        self._answer = _Answer(self, reply, deadline)
        return httpx.Response(self.status, headers=kept, stream=self._answer)

    def pieces(self) -> AsyncIterator[bytes]:
        """Return the answer's bytes as they come, past the library that made the call."""
        assert self._answer is not None
        return aiter(self._answer)

    async def whole(self) -> bytes:
        """Return the answer's bytes, all of them, whether the library read them or not. Raises as ``problem`` says."""
        if self._reply is not None:
            try:
                async for _ in self.pieces():
                    pass
            except StoppedError:
                assert self.problem is not None
                raise self.problem from None
        return bytes(self._whole)

    def _refuse(self, what: str) -> StoppedError:
        return self._stop(
            BadReplyError(f"the border to `{self._to.name}` stopped {what}; nothing was sent", code="border_stopped")
        )

    def _stop(self, problem: PeerError) -> StoppedError:
        # The first reason counts: what follows is a library that tries again.
        if self.problem is None:
            self.problem = problem
            problem.sent = self.sent
        return StoppedError()

    async def read_through(self, reply: httpx.Response, deadline: float) -> AsyncIterator[bytes]:
        """Yield the answer within its bounds of time and size. Raises `StoppedError` where it breaks."""
        loop, left, tail = asyncio.get_running_loop(), self._limits.body_bytes, b""
        pieces = reply.aiter_raw()
        streamed = self._end_mark is not None
        while True:
            wait_s = self._timeouts.idle_s if streamed and tail else self._timeouts.first_byte_s
            try:
                async with asyncio.timeout_at(min(deadline, loop.time() + wait_s)):
                    piece = await anext(pieces, b"")
            except (TimeoutError, httpx.TimeoutException):
                raise self._stop(
                    BadReplyError(f"`{self._to.name}` stopped in the middle of its answer", code="upstream_timeout")
                ) from None
            except httpx.TransportError:
                raise self._stop(self._broken()) from None
            if not piece:
                break
            left -= len(piece)
            if left < 0:
                raise self._stop(
                    BadReplyError(
                        f"`{self._to.name}` answered more than an answer may weigh", code="upstream_too_large"
                    )
                )
            tail = (tail + piece)[-_TAIL_BYTES:]
            if not streamed or self.status != 200:
                self._whole += piece
            yield piece
        self.ended_well = self._end_mark is None or self._end_mark.search(tail) is not None
        if not self.ended_well and self.status == 200:
            raise self._stop(self._broken())

    def _broken(self) -> BadReplyError:
        return BadReplyError(f"`{self._to.name}` broke off its answer", code="upstream_broke")


@final
class _Answer(httpx.AsyncByteStream):
    """The body of an answer, read through its passage."""

    def __init__(self, passage: Passage, reply: httpx.Response, deadline: float) -> None:
        self._passage = passage
        self._reply = reply
        self._deadline = deadline

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._passage.read_through(self._reply, self._deadline)

    async def aclose(self) -> None:
        await self._passage.aclose()


def readable(body: bytes) -> bytes:
    """Return what of a body an app or a patient can have written, as JSON: texts, free keys and long numbers.

    Left out are the words of the APIs themselves, which stand in every body (Max is a name and max_tokens a field),
    the model's name, which policy gave, and the surrogates, by the table of their types. A body that is not JSON is
    returned whole.
    """
    try:
        tree = json.loads(body, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return body
    texts: list[str] = []
    _collect(tree, "", texts)
    return json.dumps([_TOKEN.sub("\0", text) for text in texts], ensure_ascii=False).encode("utf-8", "surrogatepass")


class _Pairs(list[tuple[str, object]]):
    """The members of an object, doubled keys included."""


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _collect(value: object, key: str, texts: list[str]) -> None:
    if isinstance(value, _Number):
        if sum(char.isdigit() for char in value) >= _LONG_NUMBER:
            texts.append(value)
    elif isinstance(value, str):
        if not (key == "model" or (key in CLOSED and value in STRUCTURE)):
            texts.append(value)
    elif isinstance(value, _Pairs):
        for name, member in value:
            if name not in STRUCTURE:
                texts.append(name)
            _collect(member, name, texts)
    elif isinstance(value, list):
        for member in value:
            _collect(member, key, texts)
