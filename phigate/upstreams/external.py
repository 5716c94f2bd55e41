"""The External port: models outside, in their providers' dialects, through litellm and no way around the border.

This is the only file that imports litellm, and it does so with the first call: litellm is large, reads a `.env` file,
fetches lists and opens clients of its own unless told not to. `_load` tells it, and takes its own transports away. Each
call gets a `Passage` as its network. Providers whose calls cannot be given one are not offered: Bedrock signs through
boto3, Vertex AI fetches tokens by itself.

Errors: ``code`` is one of those of `onprem`, or border_stopped, upstream_field, upstream_translation. None holds a
word of a provider's answer or of a library's exception, which may quote the prompt; ``sent`` says what left.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import warnings
from collections.abc import Callable, Mapping
from typing import Any, final

import httpx

from phigate.deid.release import Release
from phigate.errors import BadReplyError, PeerError, SettingsError, UnavailableError
from phigate.policy.bundle import Destination
from phigate.policy.decision import DestinationKind
from phigate.ports import UpstreamReply
from phigate.upstreams.border import Outlet, Passage, outlet
from phigate.upstreams.breaker import Breaker, Tolerance
from phigate.upstreams.dialect import (
    AZURE_VERSION,
    DIALECTS,
    Dialect,
    arguments_of,
    base_of,
    check_fields,
    fields_named,
    offered,
    refusal,
    told_by,
)
from phigate.upstreams.outside_events import OutsideEvents, begun, plain_payloads, translated_payloads
from phigate.upstreams.reply import (
    NOTHING_SENT,
    ReplyLimits,
    Timeouts,
    check_object,
    problem_of,
    speaks_of_the_request,
)
from phigate.upstreams.translated import reply_of

__all__ = ["ExternalModels", "offered"]


@final
class ExternalModels:
    """Sends releases. ``secrets`` maps the names that destinations mention to API keys, ``mac`` keys what left."""

    def __init__(
        self,
        secrets: Mapping[str, str],
        mac: Callable[[bytes], bytes],
        *,
        timeouts: Timeouts | None = None,
        limits: ReplyLimits | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        self._secrets = secrets
        self._mac = mac
        self._timeouts = timeouts or Timeouts(connect_s=5.0, first_byte_s=300.0, idle_s=60.0, total_s=900.0)
        self._limits = limits or ReplyLimits()
        self._tolerance = tolerance or Tolerance()
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._pools: dict[tuple[Outlet, str], httpx.AsyncBaseTransport] = {}
        self._loading = asyncio.Lock()
        self._litellm: Any = None
        self._bypassed = False

    async def start(self) -> None:
        """Do nothing: litellm is loaded, and connections opened, by the first call."""

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(pool.aclose() for pool in self._pools.values()))
        self._pools.clear()

    def healthy(self, destination: Destination) -> bool:
        """Return whether the last word from this provider was a good one. Nothing is ever sent to find out."""
        try:
            self._outlet(destination)
        except SettingsError:
            return False
        return self._breaker(destination).would_admit(asyncio.get_running_loop().time())

    async def send(self, destination: Destination, release: Release, *, stream: bool) -> UpstreamReply:
        """Send the release once: no retry, no other host, no redirect. Raises as the port says."""
        try:
            to = self._outlet(destination)
        except SettingsError as problem:
            raise UnavailableError(str(problem), code="upstream_settings", sent=NOTHING_SENT) from None
        check_fields(destination, release)
        breaker, now = self._breaker(destination), asyncio.get_running_loop().time()
        if not breaker.admit(now):
            raise UnavailableError(
                f"`{destination.id}` failed several times and is left alone for a moment",
                code="upstream_open",
                retry_after_s=max(1, round(breaker.wait_s(now) + 0.5)),
                sent=NOTHING_SENT,
            )
        passage = self._passage(destination, to, release, stream=stream)
        try:
            litellm = await self._load_once()
            reply = await self._call(litellm, destination, release, passage, stream=stream)
        except PeerError as problem:
            await passage.aclose()
            self._note(destination, problem)
            raise
        except asyncio.CancelledError:
            await passage.aclose()
            breaker.abandoned()
            raise
        if reply.events is None:
            self._note(destination, None)
        return reply

    async def _call(
        self, litellm: Any, destination: Destination, release: Release, passage: Passage, *, stream: bool
    ) -> UpstreamReply:
        name, dialect = destination.id, DIALECTS[destination.provider]
        key = self._secrets[destination.secret]
        client = _client(dialect, destination, passage, key)
        answer: Any = None
        payloads = plain_payloads(passage, server=name)
        refused: tuple[str, ...] | None = None
        # Whatever litellm raises may quote the prompt or the reply, so not even its chain leaves this block.
        try:
            answer = await litellm.acompletion(
                **arguments_of(destination, release, stream=stream),
                client=client,
                api_key=key,
                api_base=base_of(destination),
            )
            if stream and dialect.translated:
                payloads = await begun(translated_payloads(answer, passage))  # some calls wait for a reader
        except litellm.UnsupportedParamsError as error:
            refused = fields_named(str(error), release)
        except Exception:  # noqa: BLE001 - any class may come out of a library this large; the passage knows
            answer = None
        if answer is None:
            return await self._failed(name, passage, refused)
        if passage.problem is not None:
            raise passage.problem
        if passage.sent is NOTHING_SENT:
            # The answer came by another way than the passage: nothing of it is believed, and no call is made again.
            self._bypassed = True
            raise BadReplyError(f"the call to `{name}` went past the border", code="border_stopped")
        if not stream:
            body = reply_of(answer) if dialect.translated else await passage.whole()
            check_object(body, server=name)
            return UpstreamReply(200, body, None, passage.request_id, passage.sent)
        events = OutsideEvents(
            payloads, passage, server=name, on_end=lambda problem: self._note(destination, problem), keep=client
        )
        return UpstreamReply(200, None, events, passage.request_id, passage.sent)

    async def _failed(self, name: str, passage: Passage, refused: tuple[str, ...] | None) -> UpstreamReply:
        """Return or raise what a failed call amounts to, told from the passage and not from an exception's words."""
        if passage.problem is not None:
            raise passage.problem
        if refused is not None:
            listed = ", ".join(refused) or "one of its fields"
            message = f"the model at `{name}` does not take {listed}"
            return refusal(400, message, "unsupported_parameter", refused[0] if refused else None, NOTHING_SENT)
        if passage.status == 0:
            raise BadReplyError(
                f"the request cannot be put into the dialect of `{name}`; nothing was sent",
                code="upstream_translation",
                sent=NOTHING_SENT,
            )
        if speaks_of_the_request(passage.status):
            code, param = told_by(await passage.whole(), passage.status)
            message = f"`{name}` does not accept this request (HTTP {passage.status}); its own words are withheld"
            return refusal(passage.status, message, code, param, passage.sent)
        if passage.status == 200:
            problem: PeerError = BadReplyError(f"`{name}` answered something unusable", code="upstream_reply")
        else:
            problem = problem_of(passage.status, passage.headers, server=name)
        problem.sent = passage.sent
        raise problem

    def _passage(self, destination: Destination, to: Outlet, release: Release, *, stream: bool) -> Passage:
        pool = self._pools.get((to, destination.pinned_ca))
        if pool is None:
            pool = self._pools[to, destination.pinned_ca] = _open_pool(destination.pinned_ca)
        return Passage(
            pool,
            to=to,
            forbidden=release.forbidden,
            mac=self._mac,
            timeouts=self._timeouts,
            limits=self._limits,
            end_mark=DIALECTS[destination.provider].end_mark if stream else None,
        )

    def _outlet(self, destination: Destination) -> Outlet:
        if destination.kind is not DestinationKind.EXTERNAL:
            raise SettingsError(f"`{destination.id}` is not outside")
        if not offered(destination.provider):
            raise SettingsError(
                f"the provider of `{destination.id}` is not offered; expected one of {', '.join(sorted(DIALECTS))}"
            )
        key = self._secrets.get(destination.secret, "")
        if not key or not key.isascii() or not key.isprintable():
            raise SettingsError(f"the secret `{destination.secret}` of `{destination.id}` is not set")
        if self._bypassed:
            raise SettingsError("the installed litellm opened a connection past the border; install the locked version")
        return outlet(destination.id, destination.endpoint)

    def _breaker(self, destination: Destination) -> Breaker:
        return self._breakers.setdefault((destination.id, destination.endpoint), Breaker(self._tolerance))

    def _note(self, destination: Destination, problem: PeerError | None) -> None:
        breaker = self._breaker(destination)
        if problem is None:
            breaker.succeeded()
            return
        if problem.code in {"border_stopped", "upstream_busy", "upstream_translation"}:
            breaker.abandoned()  # says nothing of the provider's health
        else:
            breaker.failed(asyncio.get_running_loop().time())

    async def _load_once(self) -> Any:
        async with self._loading:
            if self._litellm is None:
                # Seconds of work: in a thread, so that other exchanges go on.
                self._litellm = await asyncio.to_thread(_load)
            return self._litellm


def _client(dialect: Dialect, destination: Destination, passage: Passage, key: str) -> Any:
    """Return the client that litellm takes for this provider, with the passage as its only network."""
    if dialect.spoken_by == "handler":
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler  # noqa: PLC0415 - only once litellm is in

        return AsyncHTTPHandler(transport=passage, follow_redirects=False)
    import openai  # noqa: PLC0415 - comes with litellm

    http = httpx.AsyncClient(transport=passage, trust_env=False, follow_redirects=False)
    if dialect.spoken_by == "azure":
        endpoint = destination.endpoint.rstrip("/")
        return openai.AsyncAzureOpenAI(
            api_key=key, azure_endpoint=endpoint, api_version=AZURE_VERSION, http_client=http, max_retries=0
        )
    return openai.AsyncOpenAI(api_key=key, base_url=destination.endpoint, http_client=http, max_retries=0)


def _open_pool(pinned_ca: str) -> httpx.AsyncBaseTransport:
    context = ssl.create_default_context(cafile=pinned_ca) if pinned_ca else httpx.create_ssl_context(trust_env=False)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, retries=0, limits=limits)


class _NoNetwork(httpx.AsyncBaseTransport, httpx.BaseTransport):
    """What litellm's own clients get for a network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"litellm may open no connection of its own ({request.method})")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"litellm may open no connection of its own ({request.method})")


def _load() -> Any:
    """Import litellm with everything off that reads the environment, calls home, logs or keeps connections."""
    for name in [name for name in os.environ if name.startswith("LITELLM_")]:
        del os.environ[name]
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # reads no .env file
    for name in ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "LITELLM_LOCAL_BLOG_POSTS"):
        os.environ[name] = "True"
    import litellm  # noqa: PLC0415 - slow and large; see the module's docstring
    from litellm.llms.custom_httpx import http_handler  # noqa: PLC0415

    for module in ("pydantic", "litellm"):
        # A serializer's warning quotes the value that it did not expect, on standard error.
        warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.set_verbose = False
    litellm.num_retries = 0
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.model_fallbacks = None
    litellm.cache = None
    litellm.api_base = None
    litellm.headers = None
    litellm.disable_aiohttp_transport = True
    for callbacks in ("callbacks", "input_callback", "success_callback", "failure_callback", "service_callback"):
        setattr(litellm, callbacks, [])
    for name in [name for name in logging.root.manager.loggerDict if name.lower().startswith("litellm")]:
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.disabled = True
    http_handler.AsyncHTTPHandler.create_async_transport = staticmethod(lambda *_, **__: _NoNetwork())
    http_handler.AsyncHTTPHandler.create_httpx_proxy_mounts = staticmethod(lambda *_, **__: {})
    http_handler.HTTPHandler._create_sync_transport = lambda _: _NoNetwork()  # noqa: SLF001 - the only seam it has
    return litellm
