"""The OnPrem port: model servers in the house, reached over HTTP in OpenAI's API.

The body passes as it is. Every error says which destination failed and how, and holds no text of a request or reply:
``code`` is one of upstream_unreachable, upstream_closed, upstream_timeout, upstream_busy, upstream_open (left alone
after failures), upstream_error, upstream_key, upstream_model, upstream_redirect, upstream_reply, upstream_broke,
upstream_too_large,
upstream_settings, upstream_full.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets as secrets_module
from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from phigate.errors import SettingsError, UnavailableError
from phigate.policy.bundle import Destination
from phigate.policy.decision import DestinationKind
from phigate.ports import Metrics, UpstreamReply
from phigate.upstreams.affinity import PrefixAffinity
from phigate.upstreams.breaker import Tolerance
from phigate.upstreams.group import Room, ServerGroup
from phigate.upstreams.place import Place
from phigate.upstreams.reply import NOTHING_SENT, ReplyLimits, Timeouts
from phigate.upstreams.server import ModelServer

_PROBE_EVERY_S: Final = 5.0
# What the gateway does not see: it counts the errors that reach it itself.
_COUNTED: Final = frozenset({"resent", "sent_to_another"})


@final
class OnPremServers:
    """One group of servers a destination. `start` probes all destinations once and then keeps probing.

    ``destinations`` is asked before each round of probes, so that a new bundle is followed. ``secrets`` maps the
    names that destinations mention to bearer tokens, and to our own certificate with its key in PEM.
    """

    def __init__(
        self,
        *,
        secrets: Mapping[str, str],
        destinations: Callable[[], Iterable[Destination]] = tuple,
        metrics: Metrics | None = None,
        timeouts: Timeouts | None = None,
        limits: ReplyLimits | None = None,
        tolerance: Tolerance | None = None,
        room: Room | None = None,
        probe_every_s: float = _PROBE_EVERY_S,
    ) -> None:
        self._secrets = secrets
        self._destinations = destinations
        self._metrics = metrics
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or ReplyLimits()
        self._tolerance = tolerance or Tolerance()
        self._room = room or Room()
        self._probe_every_s = probe_every_s
        self._affinity_key = secrets_module.token_bytes(32)
        self._groups: dict[tuple[Place, ...], ServerGroup] = {}
        self._probing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Probe every on-prem destination once, within the connect timeout, then go on in the background.

        Raises `SettingsError` for a destination that could never be called.
        """
        for destination in self._inside():
            self._group(destination)
        await self._probe_all()
        self._probing = asyncio.create_task(self._keep_probing(), name="on-prem probes")

    async def close(self) -> None:
        """Stop probing and close every connection."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
            self._probing = None
        await asyncio.gather(*(group.close() for group in self._groups.values()))
        self._groups.clear()

    def check(self, destination: Destination) -> None:
        """Raise `SettingsError` for a destination whose secrets this gateway does not have."""
        self._places(destination)

    def healthy(self, destination: Destination) -> bool:
        """Return whether the last word from some server was a good one; one not yet heard of may be tried."""
        try:
            group = self._group(destination)
        except SettingsError:
            return False
        return group.healthy(asyncio.get_running_loop().time())

    async def send(self, destination: Destination, path: str, body: bytes, *, stream: bool) -> UpstreamReply:
        """Post the body to ``path``, given from below /v1/. Raises as the port says."""
        try:
            group = self._group(destination)
        except SettingsError as problem:
            # `start` refuses such a destination; a bundle that came later may bring one.
            raise UnavailableError(str(problem), code="upstream_settings", sent=NOTHING_SENT) from None
        return await group.call(path, body, stream=stream)

    def _group(self, destination: Destination) -> ServerGroup:
        places = self._places(destination)
        group = self._groups.get(places)
        if group is None:
            servers = [
                ModelServer(
                    place,
                    timeouts=self._timeouts,
                    limits=self._limits,
                    tolerance=self._tolerance,
                    on_error=self._count,
                )
                for place in places
            ]
            affinity = PrefixAffinity(key=self._affinity_key)
            group = ServerGroup(destination.id, servers, room=self._room, affinity=affinity, on_event=self._count)
            self._groups[places] = group
        return group

    def _places(self, destination: Destination) -> tuple[Place, ...]:
        if destination.kind is not DestinationKind.ONPREM:
            # The last of several checks: an external destination never gets a body as the app sent it.
            raise SettingsError(f"`{destination.id}` is not on-prem")
        bearer = self._secret(destination, destination.secret)
        client_pem = self._secret(destination, destination.client_secret)
        return tuple(
            Place(
                name=destination.id,
                endpoint=endpoint,
                bearer=bearer,
                pinned_ca=destination.pinned_ca,
                pinned_ca_digest=destination.pinned_ca_digest,
                client_pem=client_pem,
            )
            for endpoint in (destination.endpoint, *destination.replicas)
        )

    def _secret(self, destination: Destination, name: str) -> str:
        if not name:
            return ""
        if name not in self._secrets:
            raise SettingsError(f"the secret `{name}` of `{destination.id}` is not set")
        return self._secrets[name]

    def _inside(self) -> list[Destination]:
        return [d for d in self._destinations() if d.kind is DestinationKind.ONPREM]

    async def _keep_probing(self) -> None:
        while True:
            await asyncio.sleep(self._probe_every_s)
            await self._probe_all()

    async def _probe_all(self) -> None:
        groups = []
        for destination in self._inside():
            with contextlib.suppress(SettingsError):  # `send` says what is wrong with it
                groups.append(self._group(destination))
        await asyncio.gather(*(group.probe() for group in groups))
        gone = [places for places, group in self._groups.items() if group not in groups and not group.in_flight]
        for places in gone if groups else ():
            await self._groups.pop(places).close()

    def _count(self, event: str) -> None:
        if self._metrics is not None and event in _COUNTED:
            self._metrics.count("upstream_errors", kind=event)
