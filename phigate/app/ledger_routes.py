"""GET /ledger/…: the log as C2SP tlog-tiles, for auditors with a key of their own (`phigate keys create --auditor`).

    /ledger/checkpoint                       the newest that counts: where witnesses are asked for, one that has them
    /ledger/checkpoint/newest                the newest signed one, cosigned or not yet
    /ledger/tile/<L>/<N>[.p/<W>]             hashes
    /ledger/tile/entries/<N>[.p/<W>]         entries; /ledger/entries/<N>[.p/<W>] is the same
    /ledger/proof/<INDEX>                    the .tlog-proof of an entry under the newest checkpoint
    /ledger/keyring.note  /ledger/policy     whose signatures count

Reading is read-only, in one thread of its own and on a connection of its own, so that an auditor waits for auditors
and no exchange does. Who read what is an `access` entry, one a minute and auditor at most; a ledger that suspects a
fork takes no entry and is read all the same, since that is when an auditor must look.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.routing import Route

from phigate import logs
from phigate.app.asgi import send_whole
from phigate.audit.record import JSON, Draft, Kind
from phigate.errors import AuthenticationError, NotServedError, SettingsError, UnavailableError
from phigate.logs import Event
from phigate.ports import Ledger
from phigate.store.evidence import prove
from phigate.store.source import DatabaseSource, Roots
from phigate.tlog.errors import IncompleteError, TlogError
from phigate.tlog.export import policy
from phigate.tlog.keyring import open_keyring
from phigate.tlog.tile import HEIGHT, TileID, encode_bundle

_FOREVER: Final = "private, max-age=31536000, immutable"  # a tile of a width never changes; private, for it has a key
_SOON: Final = "private, max-age=5"
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_NOWHERE: Final = 1 << 63
ACCESS_EVERY_S: Final = 60.0


class AuditorKeys(Protocol):
    """Who reads."""

    async def auditor_of(self, key: str) -> str | None:
        """Return the name of the auditor who owns this key, or None."""
        ...


@dataclass(frozen=True, slots=True)
class _Page:
    """One answer. ``first`` and ``last`` are the entries that it shows, -1 where it shows none."""

    body: bytes
    media_type: str
    cache: str
    first: int = -1
    last: int = -1


class Shelf:
    """The log as it lies in the database. Everything runs in one thread."""

    def __init__(self, url: str, origin: Callable[[], str]) -> None:
        self._url = url
        self._origin = origin
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="phigate-auditor")
        self._source: DatabaseSource | None = None
        self._roots: Roots = {}

    async def page(self, path: str) -> _Page:
        """Return what lies at a path. Raises `NotServedError` or `UnavailableError`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._page, path)

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown()

    def _drop(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None

    def _page(self, path: str) -> _Page:
        try:
            return self._find(path, self._open())
        except IncompleteError as error:
            self._drop()
            raise UnavailableError("the ledger cannot be read now", code="ledger_unavailable") from error
        except (TlogError, SettingsError) as error:
            self._drop()
            raise UnavailableError("the ledger does not check: verify its database", code="ledger_damaged") from error

    def _open(self) -> DatabaseSource:
        origin = self._origin()
        if self._source is not None and self._source.origin != origin:
            self._drop()
            self._roots = {}
        if self._source is None:
            self._source = DatabaseSource(self._url, origin=origin, roots=self._roots)
        return self._source

    def _find(self, path: str, source: DatabaseSource) -> _Page:
        if path in {"checkpoint", "checkpoint/newest"}:
            # Read anew each time: of two workers none may show an older head than the other did before.
            source.refresh()
            note = source.published() if path == "checkpoint" else source.newest_checkpoint()
            return _Page(_there(note, "a signed checkpoint"), _TEXT, _SOON)
        if path in {"keyring.note", "policy"}:
            keyring = _there(source.keyring(), "a keyring")
            data = keyring if path == "keyring.note" else policy(open_keyring(keyring), source.origin)
            return _Page(data, _TEXT, _SOON)
        if path.startswith("proof/"):
            return self._proof(path.removeprefix("proof/"), source)
        return self._tile(f"tile/{path}" if path.startswith("entries/") else path, source)

    def _proof(self, digits: str, source: DatabaseSource) -> _Page:
        index = int(digits) if _INDEX.fullmatch(digits) else _NOWHERE
        if not _signed(source, index + 1):
            raise _nothing(f"expected the index of one of {source.signed_size} entries")
        return _Page(prove(source, index).proof, _TEXT, "no-store", index, index)

    def _tile(self, path: str, source: DatabaseSource) -> _Page:
        try:
            tile = TileID.from_path(path)
        except TlogError as error:
            raise _nothing(str(error)) from None
        first = tile.index << HEIGHT  # in hashes of its level, or entries
        if not _signed(source, (first + tile.width) << HEIGHT * max(tile.level, 0)):
            raise _nothing(f"expected a tile of a tree of {source.signed_size} entries, found one beyond it")
        if tile.level >= 0:
            return _Page(source.any_tile(tile), _BYTES, _FOREVER)
        rows = source.rows(first, first + tile.width)
        if len(rows) != tile.width:
            raise IncompleteError(f"expected {tile.width} entries from {first}, found {len(rows)}")
        return _Page(encode_bundle([bytes(r.entry) for r in rows]), _BYTES, _FOREVER, first, first + tile.width - 1)


def _signed(source: DatabaseSource, size: int) -> bool:
    """Return whether so many entries are signed; another worker may have shown a newer head than this one knows."""
    if size > source.signed_size:
        source.refresh()
    return size <= source.signed_size


def _there(found: bytes | None, what: str) -> bytes:
    if found is None:
        raise _nothing(f"expected {what}, found none yet")
    return found


def _nothing(what: str) -> NotServedError:
    return NotServedError(what, code="not_in_the_log")


@dataclass(slots=True)
class _Visit:
    """What one auditor read since the last entry about it."""

    said_at: float
    first: int = -1
    last: int = -1
    pages: int = 0


@dataclass(slots=True)
class AccessBook:
    """Writes who read the ledger: at once when a visit begins, then once a minute which entries were read."""

    ledger: Ledger
    mono: Callable[[], float] = time.monotonic
    visits: dict[str, _Visit] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write once a minute."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def enter(self, auditor: str) -> None:
        """Have an entry that this auditor reads. Raises `UnavailableError` where none can be written."""
        if auditor in self.visits:
            return
        self.visits[auditor] = _Visit(self.mono())  # before the entry is durable: one for a burst of requests
        try:
            await self._say({"actor": auditor, "what": "ledger"})
        except UnavailableError:
            del self.visits[auditor]
            raise

    def read(self, auditor: str, page: _Page) -> None:
        """Remember what was shown."""
        visit = self.visits.setdefault(auditor, _Visit(self.mono()))
        visit.pages += 1
        if page.first >= 0:
            visit.first = page.first if visit.first < 0 else min(visit.first, page.first)
            visit.last = max(visit.last, page.last)

    async def flush(self) -> None:
        """Write the entries that were read since the last time, as a range; an auditor who read none is forgotten."""
        for auditor, visit in list(self.visits.items()):
            self.visits[auditor] = _Visit(self.mono())
            if visit.last >= 0:
                with contextlib.suppress(UnavailableError):
                    await self._say({"actor": auditor, "what": "entries", "from": visit.first, "to": visit.last})
            elif not visit.pages:
                del self.visits[auditor]

    async def _say(self, fields: Mapping[str, JSON]) -> None:
        try:
            await self.ledger.append(Draft(Kind.ACCESS, fields))
        except UnavailableError as error:
            logs.emit(Event.LEDGER_FAILED, code=error.code)
            if not (self.ledger.ready() or "").startswith("fork suspected"):
                raise

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(ACCESS_EVERY_S)
            await self.flush()


@dataclass(frozen=True, slots=True)
class LedgerRoutes:
    """The table of paths below /ledger."""

    keys: AuditorKeys
    shelf: Shelf
    book: AccessBook

    def table(self) -> list[Route]:
        """Return the one route, for GET and HEAD; the paths below it are the log's own."""
        return [Route("/ledger/{path:path}", _Door(self), methods=["GET"])]

    async def start(self) -> None:
        """Begin."""
        await self.book.start()

    async def close(self) -> None:
        """End."""
        await self.book.close()
        await self.shelf.close()

    async def serve(self, scope: Any, send: Any) -> None:
        """Answer one auditor."""
        auditor = await self._auditor(dict(scope["headers"]))
        page = await self.shelf.page(scope["path_params"]["path"])
        await self.book.enter(auditor)
        self.book.read(auditor, page)
        headers = {"content-type": page.media_type, "cache-control": page.cache, "x-content-type-options": "nosniff"}
        await send_whole(send, 200, headers, b"" if scope["method"] == "HEAD" else page.body)

    async def _auditor(self, headers: Mapping[bytes, bytes]) -> str:
        scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise AuthenticationError(
                "expected the header Authorization: Bearer and an auditor's key; "
                "ask the operator for one (phigate keys create --auditor NAME)",
                code="missing_key",
            )
        name = await self.keys.auditor_of(key.strip())
        if name is None:
            raise AuthenticationError("this is no auditor's key, or it was revoked", code="unknown_key")
        return name


class _Door:
    """The route as a plain ASGI application."""

    def __init__(self, routes: LedgerRoutes) -> None:
        self._routes = routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        del receive
        await self._routes.serve(scope, send)
