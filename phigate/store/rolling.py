"""A ledger over its segments: appends to the open one, and moves on when its half year is over or when it is told to.

The last entry of a segment names the next, the first entry of that one names the last head of the segment before. What
comes too late for a segment is taken to the next by whoever queued it, so that no entry is lost or stands twice. Each
segment has keys of its own: where the root key lies elsewhere they are made beforehand (``phigate ledger keys
prepare``), and until they are there the old segment goes on, with an alarm.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Self

from phigate.audit.record import JSON, Draft, Kind, Receipt
from phigate.errors import LedgerStateError, PhigateError, SettingsError, UnavailableError
from phigate.store.carried import unended
from phigate.store.key_folder import anchor_path, ledger_keys, read_keyring
from phigate.store.ledger import StoreLedger
from phigate.store.open import new_id, open_ledger
from phigate.store.places import Segment, half_of, half_year, ledger_name, next_origin, place_of, segments
from phigate.store.source import DatabaseSource
from phigate.store.writer import SEGMENT_CLOSED, Writer
from phigate.tlog.errors import TlogError
from phigate.tlog.keyring import Role
from phigate.tlog.record import parse_entry

LOOK_EVERY_S: Final = 1.0
PATIENCE_S: Final = 5.0  # a move to the next segment may take so long


class RollingLedger:
    """The Ledger port over segments. ``options`` are those of `open_ledger`, for every segment."""

    def __init__(
        self,
        url: str,
        *,
        keys_folder: Path,
        origin: str,
        now: Callable[[], float] = time.time,
        look_every_s: float = LOOK_EVERY_S,
        **options: Any,
    ) -> None:
        self._url = url
        self._keys = keys_folder
        self._configured = origin
        self._now = now
        self._look_every_s = look_every_s
        self._options = options
        self._boot = secrets.token_hex(16)  # one start of one replica, through all segments
        self._current: StoreLedger | None = None
        self._moving = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._overdue: str | None = None
        self._last_at = 0.0

    # -- the port ----------------------------------------------------------------------------------------------

    async def append(self, draft: Draft) -> Receipt:
        """Append under a fresh id; see `Ledger.append`."""
        return await self.append_as(draft, eid=new_id(self._now))

    async def append_as(self, draft: Draft, *, eid: str) -> Receipt:
        """Append under an id that the caller chose. A `segment_close` closes the open segment, and moves on."""
        if draft.kind is Kind.SEGMENT_CLOSE:
            return await self._close_segment(draft, eid)
        while True:
            current = self._open()
            try:
                return await current.append_as(draft, eid=eid)
            except UnavailableError as error:
                if error.code != SEGMENT_CLOSED:
                    raise
            await self._move(current)

    def last_at(self) -> float:
        """Return the POSIX time of the newest entry."""
        self._last_at = max(self._last_at, self._current.last_at() if self._current else 0.0)
        return self._last_at

    def size(self) -> int:
        """Return the number of entries of the open segment."""
        return self._current.size() if self._current else 0

    def ready(self) -> str | None:
        """Return None when appending is possible, else what is wrong."""
        return self._current.ready() if self._current else "the ledger has not started"

    def alarm(self) -> str | None:
        """Return what is wrong and does not stop appending."""
        return (self._current.alarm() if self._current else None) or self._overdue

    def gauges(self) -> dict[str, float]:
        """Return what a monitor should see of the open segment."""
        return self._open().gauges()

    @property
    def writer(self) -> Writer:
        """The writer of the open segment."""
        return self._open().writer

    @property
    def origin(self) -> str:
        """The origin of the open segment."""
        return self._open().writer.sealer.origin

    # -- start and end -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the newest segment, or the one that follows it where it was closed. Raises as `StoreLedger.start`."""
        while self._current is None:
            origin, before = await asyncio.to_thread(self._where)
            await self._begin(origin, before)
        await self.look()
        self._watch = asyncio.create_task(self._look_often(), name="segments")

    async def close(self) -> None:
        """Finish what is queued, sign a last checkpoint, and give the log back."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._tasks:
            await asyncio.gather(*self._tasks)
        if self._current is not None:
            await self._current.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _open(self) -> StoreLedger:
        if self._current is None:
            raise UnavailableError("the ledger takes no entry: the ledger has not started", code="ledger_unavailable")
        return self._current

    # -- from one segment to the next --------------------------------------------------------------------------

    async def look(self) -> None:
        """Move on where the half year is over, or where another replica has closed the segment."""
        current = self._open()
        if current.writer.closed is not None:
            await self._move(current)
            return
        origin = self.origin
        if half_year(self._now()) <= half_of(origin) or half_of(origin) == "":
            self._overdue = None
            return
        draft = Draft(Kind.SEGMENT_CLOSE, {"next": self._next(), "why": "half_year"})
        try:
            await self._close_segment(draft, new_id(self._now))
        except UnavailableError as error:
            if await asyncio.to_thread(self._is_closed, origin):  # another replica was quicker
                await self._move(current)
                return
            self._overdue = f"the half year of {origin} is over, and the next segment cannot begin: {error}"
        else:
            self._overdue = None

    async def _look_often(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            with contextlib.suppress(PhigateError, TlogError):  # said by `ready` and `alarm`, and tried again
                await self.look()

    def _next(self) -> str:
        return following(self.origin, keys=self._keys, at_s=self._now())

    async def _close_segment(self, draft: Draft, eid: str) -> Receipt:
        """Close the open segment by an entry that names the next, whose keys must be at hand before."""
        current = self._open()
        origin = self.origin
        name = str(draft.fields.get("next", ""))
        if ledger_name(name) != ledger_name(origin) or half_of(name) == "" or half_of(name) < half_of(origin):
            raise UnavailableError(
                f"expected a segment of {ledger_name(origin)} that follows {origin}, found another",
                code="entry_refused",
            )
        await asyncio.to_thread(self._prepare, name)
        try:
            return await current.append_as(draft, eid=eid)
        finally:
            if current.writer.closed is not None or await asyncio.to_thread(self._is_closed, origin):
                await self._move(current)

    def _prepare(self, origin: str) -> None:
        """Make what takes time before the segment is closed: keys, and on SQLite the file."""
        if origin in begun(self._keys, ledger_name(origin)):
            raise UnavailableError(f"expected a new segment, found {origin} begun already", code="entry_refused")
        try:
            ledger_keys(self._keys, origin=origin, now=self._now())
        except SettingsError as error:
            raise UnavailableError(
                f"expected keys of {origin}: {error}; phigate ledger keys prepare makes them", code="segment_keys"
            ) from error

    async def _move(self, old: StoreLedger) -> None:
        """Go to the segment after ``old``. A caller that is cancelled does not stop the others."""
        task = self._task(self._move_from(old))
        await asyncio.wait({task}, timeout=PATIENCE_S)
        error = task.exception() if task.done() else TimeoutError()
        if error is not None:
            what = str(error) if isinstance(error, (PhigateError, TlogError)) else type(error).__name__
            raise UnavailableError(f"the next segment cannot begin yet: {what}", code="ledger_unavailable") from error

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _move_from(self, old: StoreLedger) -> None:
        async with self._moving:
            if self._current is not old:
                return
            origin = old.writer.sealer.origin
            while self._current is old:
                origin, before = await asyncio.to_thread(self._successor, origin)
                await self._begin(origin, before)
            await old.close()

    async def _begin(self, origin: str, before: Segment | None) -> None:
        opened = await asyncio.to_thread(self._make, origin, before)
        try:
            await opened.start()
        except LedgerStateError as error:
            if error is opened.writer.closed:  # closed since we looked: its successor is the one
                return
            raise
        self.last_at()
        self._current = opened

    def _make(self, origin: str, before: Segment | None) -> StoreLedger:
        previous: dict[str, JSON] | None = None
        if before is not None:
            previous = {"origin": before.origin, "size": before.size, "root": before.root.hex()}
        opened = open_ledger(
            place_of(self._url, origin),
            keys_folder=self._keys,
            origin=origin,
            boot=self._boot,
            now=self._now,
            previous=previous,
            carried=unended(self._found(), into=origin),
            **self._options,
        )
        if before is not None:
            opened.writer.sealer.last_ts = before.last_ts  # time does not run backwards from segment to segment
        return opened

    def _found(self) -> list[Segment]:
        try:
            return segments(self._url, name=ledger_name(self._configured))
        except SettingsError:  # no file yet
            return []

    def _where(self) -> tuple[str, Segment | None]:
        """Return the origin to append to now, and the closed segment before it if it has not begun.

        The key folder says which segment was the last, and not the database: that could be an old copy.
        """
        found = self._found()
        known = begun(self._keys, ledger_name(self._configured))
        known += [each.origin for each in found if each.size and each.origin not in known]
        if not known:
            return first_origin(self._configured, keys=self._keys, at_s=self._now()), None
        last = next((each for each in found if each.origin == known[-1]), None)
        if last is None or not last.closed:
            return known[-1], None
        return self._successor(last.origin)

    def _is_closed(self, origin: str) -> bool:
        return any(each.closed for each in self._found() if each.origin == origin)

    def _successor(self, origin: str) -> tuple[str, Segment]:
        """Return the first segment after a closed one that is not closed itself, and the one before it."""
        found = {each.origin: each for each in self._found()}
        closed = found.get(origin)
        if closed is None or not closed.closed:
            raise LedgerStateError(f"expected {origin} to be closed, found it open")
        while (following := found.get(name := successor(closed))) is not None and following.closed:
            closed = following
        return name, closed


def successor(closed: Segment) -> str:
    """Return the origin that the last entry of a closed segment names. Raises `LedgerStateError`."""
    with DatabaseSource(closed.url, origin=closed.origin) as source:
        rows = source.rows(closed.size - 1, closed.size)
    record = parse_entry(bytes(rows[0].entry)) if rows else None
    if record is None or record.kind != Kind.SEGMENT_CLOSE:
        raise LedgerStateError(f"expected the last entry of {closed.origin} to close it, found another")
    return str(record.fields["next"])


def begun(keys: Path, name: str) -> list[str]:
    """Return the origins of a ledger that have signed a checkpoint, in the order in which their keys were listed."""
    keyring = read_keyring(keys)
    listed = [each.origin for each in keyring[0].keys if each.role is Role.CHECKPOINT] if keyring else []
    return [each for each in listed if ledger_name(each) == name and _signed(anchor_path(keys, each))]


def following(origin: str, *, keys: Path, at_s: float) -> str:
    """Return the origin that follows: the first that was prepared and has not begun, else one for the time."""
    name = ledger_name(origin)
    keyring = read_keyring(keys)
    listed = [each.origin for each in keyring[0].keys if each.role is Role.CHECKPOINT] if keyring else []
    mine = [each for each in listed if ledger_name(each) == name]
    ready = mine[mine.index(origin) + 1 :] if origin in mine else []
    free = [each for each in ready if not _signed(anchor_path(keys, each)) and half_of(each) >= half_of(origin)]
    return free[0] if free else next_origin(origin, at_s=at_s, taken=mine)


def first_origin(configured: str, *, keys: Path, at_s: float) -> str:
    """Return the origin of the first segment: the setting where it names a half year, else one for the time."""
    if half_of(configured):
        return configured
    prepared = read_keyring(keys)
    listed = [each.origin for each in prepared[0].keys if each.role is Role.CHECKPOINT] if prepared else []
    mine = [each for each in listed if ledger_name(each) == configured]
    return mine[0] if mine else f"{configured}/{half_year(at_s)}"


def _signed(anchor: Path) -> bool:
    return anchor.is_file() and anchor.stat().st_size > 0
