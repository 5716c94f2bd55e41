"""The doors: which path leads where, who is calling, and how an error looks. No rules of policy here.

Any path under /v1 that is not listed is refused: a wildcard would be a way around the scan.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.routing import Route

import phigate
from phigate import logs
from phigate.app import problems
from phigate.app.asgi import read_body, send_stream, send_whole
from phigate.app.limits import Admission
from phigate.app.ready import Readiness
from phigate.app.refusals import RefusalTally
from phigate.errors import AuthenticationError, NotServedError, PhigateError, RefusedError
from phigate.exchange import Reply
from phigate.gateway import Gateway
from phigate.logs import Event
from phigate.metrics import PrometheusMetrics
from phigate.policy.bundle import App, Bundle
from phigate.policy.context import HEADER
from phigate.ports import AppKeys, Bundles

_CONTEXT: Final = HEADER.encode()
_JSON: Final = {"content-type": "application/json"}
_PACKAGE: Final = str(Path(phigate.__file__).parent) + os.sep
_UNLOGGED: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes lead to."""

    gateway: Gateway
    bundles: Bundles
    app_keys: AppKeys
    admission: Admission
    tally: RefusalTally
    metrics: PrometheusMetrics
    readiness: Readiness
    body_bytes: int
    new_rid: Callable[[], str]
    models: Callable[[App, Bundle], list[dict[str, Any]]]


class Door:
    """One path as a plain ASGI application, so that nothing buffers a stream or hides a hang-up."""

    def __init__(self, serve: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        self._serve = serve

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        await self._serve(scope, receive, send)


class Guard:
    """Outermost middleware: every error becomes OpenAI's error object, and no error text but our own gets out."""

    def __init__(self, app: Any, *, tally: RefusalTally) -> None:
        self._app = app
        self._tally = tally

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request; answer in its place where it raised before its first byte."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except PhigateError as error:
            if not scope.get("phigate.inside", False):  # the gateway records or tallies its own refusals
                self._tally.count(scope.get("phigate.app", ""), getattr(error, "code", "internal_error"))
            reply = problems.problem(error, headers=_named(scope))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost door: whatever it is, its text stays here
            place, kind, rid = _where(error), type(error).__name__, scope.get("phigate.rid", "")
            logs.emit(Event.INTERNAL_ERROR, level=logging.ERROR, where=place, kind=kind, rid=rid)
            reply = problems.internal(_named(scope))
        else:
            return
        if not started:
            await send_whole(send, reply.status, reply.headers, reply.body)


async def _no_such_path(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - one shape for all doors
    raise NotServedError(
        "expected POST /v1/chat/completions or GET /v1/models; this gateway offers no other path under /v1",
        code="unknown_path",
    )


def _only(method: str, path: str) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - one shape for all doors
        raise NotServedError(f"expected {method} {path}, found another method", code="unknown_method")

    return refuse


class Routes:
    """The table of paths."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def table(self) -> list[Route]:
        """Return every path that is served. What is not here is refused, other methods too."""
        served = (
            ("POST", "/v1/chat/completions", self._chat),
            ("GET", "/v1/models", self._models),
            ("GET", "/healthz", self._healthz),
            ("GET", "/readyz", self._readyz),
            ("GET", "/metrics", self._metrics),
        )
        routes = [Route(path, Door(serve), methods=[method]) for method, path, serve in served]
        routes += [Route(path, Door(_only(method, path))) for method, path, _ in served]
        return [*routes, Route("/{path:path}", Door(_no_such_path))]

    async def _chat(self, scope: Any, receive: Any, send: Any) -> None:
        doors, headers = self._doors, dict(scope["headers"])
        scope["phigate.rid"] = rid = doors.new_rid()
        bundle = doors.bundles.current()
        app = await self._caller(scope, headers, bundle)
        with self._open(app):
            body = await read_body(receive, headers=headers, limit=doors.body_bytes)
            scope["phigate.inside"] = True
            said = headers.get(_CONTEXT)
            context = None if said is None else said.decode("latin-1")
            reply = await doors.gateway.chat(app, bundle, body, context, rid=rid)
            await _answer(receive, send, reply)

    @contextmanager
    def _open(self, app: App) -> Iterator[None]:
        """Hold a place for one exchange, and have the gauge say how many are held."""
        doors = self._doors
        try:
            with doors.admission.place(app.name, app.limits):
                doors.metrics.gauge("open_exchanges", doors.admission.open)
                yield
        finally:
            doors.metrics.gauge("open_exchanges", doors.admission.open)

    async def _models(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - one shape for all doors
        bundle = self._doors.bundles.current()
        app = await self._caller(scope, dict(scope["headers"]), bundle)
        listed = {"object": "list", "data": self._doors.models(app, bundle)}
        await send_whole(send, 200, _JSON, json.dumps(listed).encode())

    async def _healthz(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        await send_whole(send, 200, _JSON, b'{"status":"alive"}')

    async def _readyz(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        report = self._doors.readiness.report()
        status = 200 if report["ready"] else 503
        await send_whole(send, status, _JSON, json.dumps(report, indent=1).encode())

    async def _metrics(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        text = {"content-type": "text/plain; version=0.0.4; charset=utf-8"}
        await send_whole(send, 200, text, self._doors.metrics.render())

    async def _caller(self, scope: Any, headers: Mapping[bytes, bytes], bundle: Bundle) -> App:
        """Return the registered app behind the key. What it may do stands in the bundle, never in the request."""
        scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise AuthenticationError(
                "expected the header Authorization: Bearer and an app key; "
                "ask the operator for one (phigate keys create --app NAME)",
                code="missing_key",
            )
        name = await self._doors.app_keys.app_of(key.strip())
        if name is None:
            raise AuthenticationError("this app key is not known or was revoked", code="unknown_key")
        app = bundle.apps.get(name)
        if app is None:
            raise RefusedError(
                "the app of this key is not registered in the policy in force; add it under apps: in site.yaml",
                code="app_not_registered",
            )
        scope["phigate.app"] = name
        return app


def _named(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the header by which an error's reader finds its entry: `phigate ledger show --rid`."""
    rid = scope.get("phigate.rid")
    return {} if rid is None else {"x-request-id": rid}


async def _answer(receive: Any, send: Any, reply: Reply) -> None:
    if reply.stream is not None:
        await send_stream(receive, send, reply.headers, reply.stream)
    else:
        await send_whole(send, reply.status, {**_JSON, **reply.headers}, reply.body or b"")


def _where(error: BaseException) -> str:
    """Return file and line of our innermost frame, places in code and no text of a request.

    Where a library raised, its innermost frame follows: ``external.py:236+runners.py:186``.
    """
    ours, last, trace = "", "unknown", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        # Code without a file calls it <string> or the like, which no log field may hold.
        last = f"{_UNLOGGED.sub('', Path(file).name)}:{trace.tb_lineno}"
        if file.startswith(_PACKAGE):
            ours = last
        trace = trace.tb_next
    return last if ours in {"", last} else f"{ours}+{last}"
