"""The OnPrem port: model servers in the house, reached over HTTP in OpenAI's API.

The body passes as it is. Every error says which destination failed and how, and holds no text of a request or reply:
``code`` is one of upstream_unreachable, upstream_closed, upstream_timeout, upstream_busy, upstream_open (left alone
after failures), upstream_error, upstream_key, upstream_model, upstream_redirect, upstream_reply, upstream_broke,
upstream_too_large,
upstream_settings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from phigate.errors import SettingsError, UnavailableError
from phigate.policy.bundle import Destination
from phigate.policy.decision import DestinationKind
from phigate.ports import Metrics, UpstreamReply
from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.reply import NOTHING_SENT, ReplyLimits, Timeouts
from phigate.upstreams.server import ModelServer, Place

_PROBE_EVERY_S: Final = 5.0


@final
class OnPremServers:
    """One `ModelServer` a place. `start` probes all destinations once and then keeps probing; `close` ends it all.

    ``destinations`` is asked before each round of probes, so that a new bundle is followed. ``secrets`` maps the
    names that destinations mention to bearer tokens. ``client_cert`` is the gateway's own certificate and key, shown
    to servers that pin a certificate authority.
    """

    def __init__(
        self,
        *,
        secrets: Mapping[str, str],
        destinations: Callable[[], Iterable[Destination]] = tuple,
        metrics: Metrics | None = None,
        client_cert: tuple[str, str] | None = None,
        timeouts: Timeouts | None = None,
        limits: ReplyLimits | None = None,
        tolerance: Tolerance | None = None,
        probe_every_s: float = _PROBE_EVERY_S,
    ) -> None:
        self._secrets = secrets
        self._destinations = destinations
        self._metrics = metrics
        self._client_cert = client_cert
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or ReplyLimits()
        self._tolerance = tolerance or Tolerance()
        self._probe_every_s = probe_every_s
        self._servers: dict[Place, ModelServer] = {}
        self._probing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Probe every on-prem destination once, within the connect timeout, then go on in the background.

        Raises `SettingsError` for a destination that could never be called.
        """
        await self._probe_all()
        self._probing = asyncio.create_task(self._keep_probing(), name="on-prem probes")

    async def close(self) -> None:
        """Stop probing and close every connection."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
            self._probing = None
        await asyncio.gather(*(server.close() for server in self._servers.values()))
        self._servers.clear()

    def healthy(self, destination: Destination) -> bool:
        """Return whether the last word from this server was a good one; a server not yet heard of may be tried."""
        try:
            server = self._server(destination)
        except SettingsError:
            return False
        return server.healthy(asyncio.get_running_loop().time())

    async def send(self, destination: Destination, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        """Post the body to ``path``, given from below /v1/. Raises as the port says."""
        try:
            server = self._server(destination)
        except SettingsError as problem:
            # `start` refuses such a destination; a bundle that came later may bring one.
            raise UnavailableError(str(problem), code="upstream_settings", sent=NOTHING_SENT) from None
        return await server.call(path, body, stream=stream)

    def _server(self, destination: Destination) -> ModelServer:
        place = self._place(destination)
        server = self._servers.get(place)
        if server is None:
            server = ModelServer(
                place,
                timeouts=self._timeouts,
                limits=self._limits,
                tolerance=self._tolerance,
                on_error=self._count,
            )
            self._servers[place] = server
        return server

    def _place(self, destination: Destination) -> Place:
        if destination.kind is not DestinationKind.ONPREM:
            # The last of several checks: an external destination never gets a body as the app sent it.
            raise SettingsError(f"`{destination.id}` is not on-prem")
        bearer = ""
        if destination.secret:
            if destination.secret not in self._secrets:
                raise SettingsError(f"the secret `{destination.secret}` of `{destination.id}` is not set")
            bearer = self._secrets[destination.secret]
        return Place(
            name=destination.id,
            endpoint=destination.endpoint,
            bearer=bearer,
            pinned_ca=destination.pinned_ca,
            client_cert=self._client_cert if destination.pinned_ca else None,
        )

    async def _keep_probing(self) -> None:
        while True:
            await asyncio.sleep(self._probe_every_s)
            with contextlib.suppress(SettingsError):  # `send` says what is wrong with it
                await self._probe_all()

    async def _probe_all(self) -> None:
        servers = [self._server(d) for d in self._destinations() if d.kind is DestinationKind.ONPREM]
        await asyncio.gather(*(server.probe() for server in servers))
        for gone in [
            place for place, server in self._servers.items() if server not in servers and not server.in_flight
        ]:
            await self._servers.pop(gone).close()

    def _count(self, code: str) -> None:
        if self._metrics is not None:
            self._metrics.count("upstream_errors", kind=code)
