"""The composition root: picks the adapters, joins them to the gateway, owns their start and their end."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.routing import Router

from phigate import logs
from phigate.analyzers.presidio import PresidioAnalyzer
from phigate.app.activation import Activation
from phigate.app.ledger_routes import AccessBook, LedgerRoutes, Shelf
from phigate.app.limits import Admission
from phigate.app.ready import Readiness
from phigate.app.refusals import RefusalTally
from phigate.app.routes import Doors, Guard, Routes
from phigate.app.settings import Settings
from phigate.app.shadowing import Shadowing
from phigate.audit.pseudonyms import FILE as PSEUDONYMS_FILE
from phigate.audit.pseudonyms import Pseudonyms
from phigate.errors import PhigateError, SettingsError
from phigate.gateway import Gateway, Ports
from phigate.logs import Event
from phigate.metrics import PrometheusMetrics
from phigate.policy.bundle import App, Bundle, Destination
from phigate.policy.decide import visible_models
from phigate.policy.decision import DestinationKind
from phigate.ports import Ledger
from phigate.signing import read_secret, write_secret
from phigate.store.app_keys import StoredAppKeys
from phigate.store.appending import LedgerDoor
from phigate.store.bundles import ARCHIVE, BundleArchive, FolderBundles
from phigate.store.held import StoredHeldParts
from phigate.store.ledger_socket import LedgerClient
from phigate.store.mac_keys import DayKeys
from phigate.store.open import new_id, software
from phigate.store.places import following_newest
from phigate.store.replays import StoredReplays
from phigate.store.rolling import RollingLedger
from phigate.store.shadow_folder import ShadowFolder
from phigate.store.vault import Vault
from phigate.upstreams.external import ExternalModels, offered
from phigate.upstreams.onprem import OnPremServers
from phigate.vouching import Vouching
from phigate.wire.parts import Limits

_PRINT_KEY: Final = "fingerprint.key"


class RunningLedger(Ledger, Protocol):
    """A ledger with a start and an end."""

    async def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End; what was acknowledged is durable."""

    def alarm(self) -> str | None:
        """Return what is wrong and does not stop appending."""
        ...

    def gauges(self) -> dict[str, float]:
        """Return what a monitor should see, by the names of `metrics.GAUGES`."""
        ...


def shared_metrics(settings: Settings) -> Path:
    """Return the folder where several workers count together."""
    return settings.state / "metrics"


def ledger_of(settings: Settings) -> RollingLedger:
    """Return the ledger that this process appends to, not started yet."""
    return RollingLedger(
        settings.database, keys_folder=settings.keys, origin=settings.origin, witnesses=settings.witnesses
    )


def build(settings: Settings, *, dev: bool, ledger_socket: Path | None = None) -> Guard:
    """Return the ASGI application. Raises an `OperatorError` when something that must exist is missing or wrong.

    With ``ledger_socket`` another process appends.
    """
    parts = _Parts(settings, dev=dev, ledger_socket=ledger_socket)
    bundles, ledger, metrics, tally = parts.bundles, parts.ledger, parts.metrics, parts.tally
    limits = Limits(body_bytes=settings.body_bytes, depth=settings.depth, parts=settings.parts)
    gateway = Gateway(parts.ports(), limits=limits)
    readiness = Readiness(parts.analyzer, ledger, parts.onprem, parts.external, bundles, policy=parts.policy_state)
    readiness.alarms["ledger"] = ledger.alarm
    metrics.gauges_from(ledger.gauges)
    shelf = Shelf(settings.database, following_newest(settings.database, settings.origin))
    auditors = LedgerRoutes(parts.app_keys, shelf, AccessBook(ledger))
    doors = Doors(
        gateway=gateway,
        bundles=bundles,
        app_keys=parts.app_keys,
        admission=Admission(capacity=settings.capacity, workers=settings.workers),
        tally=tally,
        metrics=metrics,
        readiness=readiness,
        body_bytes=settings.body_bytes,
        new_rid=new_id,
        models=parts.models,
    )

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(parts.held.close)
            stack.callback(parts.vault.close)
            stack.callback(parts.replays.close)
            stack.callback(parts.app_keys.close)
            try:
                for part in (*parts.running(), auditors):
                    await part.start()
                    stack.push_async_callback(part.close)
            except PhigateError as error:
                sys.stderr.write(f"phigate cannot start: {error}\n")  # our own words, safe to show
                raise
            stack.push_async_callback(gateway.returning.close)
            logs.emit(Event.STARTED, policy=bundles.current().digest, workers=settings.workers)
            yield
            readiness.stopping = True
            logs.emit(Event.STOPPING)
        logs.emit(Event.STOPPED)

    # Starlette's router without its application: Guard stands where that puts two error handlers of its own.
    return Guard(Router([*auditors.table(), *Routes(doors).table()], lifespan=lifespan), tally=tally)


class _Parts:
    """The adapters of one process."""

    def __init__(self, settings: Settings, *, dev: bool, ledger_socket: Path | None) -> None:
        values: Mapping[str, str] = {name: secret.value for name, secret in settings.secrets.items()}
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state = settings.state
        self.bundles = bundles = FolderBundles(settings.policies, dev=dev, trust=settings.policy_keys)
        self.metrics = metrics = PrometheusMetrics(shared=shared_metrics(settings) if ledger_socket else None)
        self.ledger: RunningLedger = LedgerClient(ledger_socket) if ledger_socket else ledger_of(settings)
        self.tally = RefusalTally(self.ledger, metrics)
        self.macs = DayKeys(settings.state / "mac", wrapping_folder=settings.keys, now=time.time)
        self.analyzer = PresidioAnalyzer(bundles.current())
        self.onprem = OnPremServers(secrets=values, destinations=lambda: _inside(bundles.current()), metrics=metrics)
        self.external = ExternalModels(values, mac=lambda body: self.macs.mac(body)[1])
        self.held = StoredHeldParts(settings.state / "held.db")
        self.app_keys = StoredAppKeys(settings.state / "app_keys.db")
        self.print_key = _kept_key(settings.keys / _PRINT_KEY)
        self.pseudonyms = Pseudonyms(_kept_key(settings.keys / PSEUDONYMS_FILE))
        self.replays = StoredReplays(settings.state / "contexts.db", key=self.print_key)
        self.vault = Vault(settings.state / "vault.db", keys=settings.keys)
        self.vouching = Vouching(
            lookups=self.vault.lookups,
            replays=self.replays,
            pseudonyms=self.pseudonyms,
            audience=settings.audience,
            ledger=self.ledger,
            metrics=metrics,
        )
        archive = BundleArchive(settings.state / ARCHIVE)
        self.activation = Activation(
            bundles, ledger=self.ledger, archive=archive, metrics=metrics, software=software(), usable=self.usable
        )
        self.shadowing = None
        if settings.shadow is not None:
            shadow = ShadowFolder(settings.shadow)
            self.shadowing = Shadowing(shadow, ledger=self.ledger, archive=archive, metrics=metrics)

    def running(self) -> list[Any]:
        """Return what has a start and an end, in the order of starting."""
        parts = [self.ledger, self.analyzer, self.onprem, self.external, self.tally, self.activation]
        if isinstance(self.ledger, RollingLedger):
            parts.insert(1, LedgerDoor(self.ledger, self.state))
        return parts if self.shadowing is None else [*parts, self.shadowing]

    def policy_state(self) -> dict[str, Any]:
        """Return what /readyz says of the policy beside the bundle in force."""
        return self.activation.state() | (self.shadowing.state() if self.shadowing is not None else {})

    def ports(self) -> Ports:
        return Ports(
            analyzer=self.analyzer,
            ledger=self.ledger,
            onprem=self.onprem,
            external=self.external,
            held=self.held,
            metrics=self.metrics,
            mac=self.macs.mac,
            running_mac=self.macs.running,
            tally=self.tally.count,
            print_key=self.print_key,
            new_rid=new_id,
            vouching=self.vouching,
            subjects=self.vault,
            pseudonyms=self.pseudonyms,
            shadow=self.shadowing.note if self.shadowing is not None else None,
        )

    def usable(self, bundle: Bundle) -> None:
        """Raise `SettingsError` where a bundle asks for what this program or its settings do not have."""
        for destination in bundle.destinations.values():
            if destination.kind is DestinationKind.ONPREM:
                self.onprem.check(destination)
            elif not offered(destination.provider):
                raise SettingsError(
                    f"`{destination.id}` names the provider {destination.provider}, whose calls cannot be kept to its "
                    "endpoint, so it is not offered; name another provider, or remove the destination"
                )
        self.analyzer.prepare(bundle)

    def models(self, app: App, bundle: Bundle) -> list[dict[str, Any]]:
        """Return what GET /v1/models lists for this app: what policy and health allow now."""

        def healthy(destination: Destination) -> bool:
            inside = destination.kind is DestinationKind.ONPREM
            return self.onprem.healthy(destination) if inside else self.external.healthy(destination)

        names = visible_models(bundle, app.name, now=datetime.now(UTC), healthy=healthy)
        return [{"id": name, "object": "model", "created": 0, "owned_by": "phigate"} for name in names]


def _inside(bundle: Bundle) -> list[Destination]:
    return [d for d in bundle.destinations.values() if d.kind is DestinationKind.ONPREM]


def _kept_key(path: Path) -> bytes:
    """Return a key that is made once, so that a restart forgets nothing; of two workers that make it, one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        try:
            write_secret(path, secrets.token_bytes(32))
        except SettingsError:
            if not path.exists():
                raise
    return read_secret(path)
