"""The Ledger port over a file socket, so that N workers serve and one process appends (decisions 21).

Frames are four bytes of length and JSON. The worker chooses the id of an entry: when an answer is lost it asks again
under the same id, and the process that appends gives the receipt of the entry that stands. Nothing is appended twice.
The socket has mode 0600 and takes connections of the same user only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

from phigate.audit.record import Draft, Kind, Receipt
from phigate.audit.schema import check
from phigate.audit.shapes import UUID
from phigate.errors import LedgerStateError, UnavailableError
from phigate.store.open import new_id

MAX_FRAME: Final = 128 * 1024
DEADLINE_S: Final = 2.0
STATE_EVERY_S: Final = 0.5
REMEMBERED: Final = 4096  # answers kept for a worker that asks again
_LENGTH: Final = struct.Struct(">I")
_CREDENTIALS: Final = struct.Struct("3i")
_GONE: Final = "the process that appends cannot be reached"


class AppendingLedger(Protocol):
    """What the serving side wraps."""

    async def append_as(self, draft: Draft, *, eid: str) -> Receipt:
        """Append under an id, once."""
        ...

    def last_at(self) -> float:
        """Return the POSIX time of the newest entry."""
        ...

    def ready(self) -> str | None:
        """Return None when appending is possible."""
        ...

    def size(self) -> int:
        """Return the number of entries."""
        ...

    def alarm(self) -> str | None:
        """Return what is wrong and does not stop appending."""
        ...

    def gauges(self) -> dict[str, float]:
        """Return what a monitor should see."""
        ...


# -- the process that appends ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def serve_ledger(ledger: AppendingLedger, path: Path) -> AsyncIterator[None]:
    """Serve a ledger on a file socket until the block ends. Raises `LedgerStateError` when the path cannot be used."""
    server = _Server(ledger)
    _remove(path)  # left by a process that was killed; the lock on the database keeps a second one away
    before = os.umask(0o177)
    try:
        listening = await asyncio.start_unix_server(server.serve, path)
    except OSError as error:
        raise LedgerStateError(f"cannot listen on {path}: {error.strerror}; a socket's path has 107 bytes") from error
    finally:
        os.umask(before)
    try:
        yield
    finally:
        listening.close()
        server.end()
        _remove(path)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request of a worker."""

    number: int
    eid: str
    draft: Draft


def _asked(frame: dict[str, Any]) -> _Asked | None:
    """Read a request; None where it is none. What the draft says is the gate's business."""
    number, eid, kind, fields, rid, attempt = (
        frame.get(name) for name in ("n", "eid", "kind", "fields", "rid", "attempt")
    )
    if (
        isinstance(number, int)
        and UUID.holds(eid)
        and kind in Kind.__members__.values()
        and isinstance(fields, dict)
        and isinstance(rid, str)
        and isinstance(attempt, int)
    ):
        return _Asked(number, str(eid), Draft(Kind(str(kind)), fields, rid, attempt))
    return None


class _Server:
    def __init__(self, ledger: AppendingLedger) -> None:
        self._ledger = ledger
        self._answers: dict[str, asyncio.Task[dict[str, Any]]] = {}  # by id of the entry, in flight or remembered
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one worker until it goes."""
        if _peer_uid(writer) != os.getuid():
            writer.close()
            return
        tasks: set[asyncio.Task[Any]] = {asyncio.create_task(self._tell_state(writer))}
        self._connections.add(writer)
        try:
            while (frame := await _read(reader)) is not None and (asked := _asked(frame)) is not None:
                task = asyncio.create_task(self._answer(asked, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()
            writer.close()
            self._connections.discard(writer)

    def end(self) -> None:
        """Drop every worker."""
        for writer in self._connections:
            writer.close()

    async def _answer(self, asked: _Asked, writer: asyncio.StreamWriter) -> None:
        eid = asked.eid
        task = self._answers.get(eid)
        if task is None or (task.done() and "error" in task.result()):
            # A task of its own: a worker that goes does not take its entry with it.
            task = self._answers[eid] = asyncio.create_task(self._append(asked))
            self._forget()
        answer = await asyncio.shield(task)
        _write(writer, {"n": asked.number, **answer, **self._state()})

    async def _append(self, asked: _Asked) -> dict[str, Any]:
        try:
            receipt = await self._ledger.append_as(asked.draft, eid=asked.eid)
        except UnavailableError as error:
            return {"error": str(error), "code": error.code}
        return {
            "origin": receipt.origin,
            "index": receipt.index,
            "leaf": receipt.leaf.hex(),
            "size": receipt.size,
            "root": receipt.root.hex(),
        }

    def _forget(self) -> None:
        while len(self._answers) > REMEMBERED:
            oldest = next(iter(self._answers))
            if not self._answers[oldest].done():
                return
            del self._answers[oldest]

    async def _tell_state(self, writer: asyncio.StreamWriter) -> None:
        while True:
            seen = {"alarm": self._ledger.alarm(), "gauges": self._ledger.gauges()}
            _write(writer, self._state() | seen)
            await asyncio.sleep(STATE_EVERY_S)

    def _state(self) -> dict[str, Any]:
        ledger = self._ledger
        return {"last_at": ledger.last_at(), "ready": ledger.ready(), "entries": ledger.size()}


# -- the workers -----------------------------------------------------------------------------------------------


class LedgerClient:
    """The Ledger port of a worker. Connects again by itself; asks again under the same id."""

    def __init__(self, path: Path, *, new_eid: Callable[[], str] = new_id, deadline_s: float = DEADLINE_S) -> None:
        self._path = path
        self._new_eid = new_eid
        self._deadline_s = deadline_s
        self._waiting: dict[int, tuple[bytes, asyncio.Future[dict[str, Any]]]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_at = 0.0
        self._size = 0
        self._ready: str | None = _GONE
        self._alarm: str | None = None
        self._gauges: dict[str, float] = {}

    async def start(self) -> None:
        """Connect, and stay connected until `close`. Raises `UnavailableError` when nobody answers in time."""
        connected = asyncio.Event()
        self._task = asyncio.create_task(self._stay_connected(connected))
        try:
            await asyncio.wait_for(connected.wait(), 5 * self._deadline_s)
        except TimeoutError as error:
            await self.close()
            raise UnavailableError(f"{_GONE}: {self._path}", code="ledger_unavailable") from error

    async def close(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._ready = _GONE

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def append(self, draft: Draft) -> Receipt:
        """Append; see `Ledger.append`."""
        return await self.append_as(draft, eid=self._new_eid())

    async def append_as(self, draft: Draft, *, eid: str) -> Receipt:
        """Append under an id that the caller chose, so that it may ask again."""
        check(draft)
        self._number = number = self._number + 1
        frame = {
            "n": number,
            "eid": eid,
            "kind": draft.kind.value,
            "fields": dict(draft.fields),
            "rid": draft.rid,
            "attempt": draft.attempt,
        }
        data = _frame(frame)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (data, future)
        if self._writer is not None:
            self._writer.write(data)
        try:
            answer = await asyncio.wait_for(future, self._deadline_s)
        except TimeoutError as error:
            raise UnavailableError(
                f"expected the entry to be durable within {self._deadline_s} s, found it not so",
                code="ledger_unavailable",
            ) from error
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise UnavailableError(answer["error"], code=answer["code"])
        leaf, root = bytes.fromhex(answer["leaf"]), bytes.fromhex(answer["root"])
        return Receipt(answer["origin"], answer["index"], leaf, answer["size"], root)

    def last_at(self) -> float:
        """Return the POSIX time of the newest entry, as last told."""
        return self._last_at

    def size(self) -> int:
        """Return the number of entries, as last told."""
        return self._size

    def ready(self) -> str | None:
        """Return None when appending is possible, as last told."""
        return self._ready

    def alarm(self) -> str | None:
        """Return what is wrong and does not stop appending, as last told."""
        return self._alarm

    def gauges(self) -> dict[str, float]:
        """Return what a monitor should see, as last told."""
        return self._gauges

    async def _stay_connected(self, connected: asyncio.Event) -> None:
        pause_s = 0.02
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)
                continue
            self._writer = writer
            try:
                for data, _ in self._waiting.values():
                    writer.write(data)
                while (frame := await _read(reader)) is not None:
                    self._take(frame)
                    connected.set()
                    pause_s = 0.02
            finally:
                self._writer, self._ready = None, _GONE
                writer.close()
            await asyncio.sleep(pause_s)

    def _take(self, frame: dict[str, Any]) -> None:
        self._last_at = max(self._last_at, frame["last_at"])
        self._ready, self._size = frame["ready"], frame["entries"]
        if "gauges" in frame:  # told twice a second and not with every answer
            self._alarm, self._gauges = frame["alarm"], frame["gauges"]
        waiting = self._waiting.get(frame.get("n", 0))
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(frame)


# -- frames ----------------------------------------------------------------------------------------------------


def _frame(message: dict[str, Any]) -> bytes:
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_FRAME:
        raise UnavailableError(f"expected an entry of at most {MAX_FRAME} bytes", code="entry_refused")
    return _LENGTH.pack(len(data)) + data


def _write(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(_frame(message))


async def _read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message, None when the other side went or sent what is no frame."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_FRAME:
            return None
        message = json.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer = writer.get_extra_info("socket")
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])
