"""The Ledger port over the append engine: a bounded queue, one writer thread, group commit.

"Commit when free": the thread takes all that waits (at most 256 entries or 1 MiB) as soon as the previous COMMIT
returned. A caller waits until its entry is durable, 2 seconds at most; an entry still queued by then is withdrawn, one
that the thread has taken may still appear, and is never appended twice.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import CRITICAL, ERROR
from typing import Final, Self

from phigate.audit.record import Draft, Kind, Receipt
from phigate.audit.schema import check
from phigate.errors import LedgerStateError, PhigateError, UnavailableError
from phigate.logs import Event, emit
from phigate.store.cosigning import Cosigning
from phigate.store.duties import Duties
from phigate.store.reserve import Reserve
from phigate.store.sealing import Item
from phigate.store.writer import Done, Writer

BATCH_ITEMS: Final = 256
_SWITCH_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class LedgerLimits:
    """What waits how long. Seconds, items."""

    deadline_s: float = 2.0
    queue: int = 2_000
    spare: int = 500  # places beyond ``queue`` that only entries other than intents may take
    start_s: float = 30.0
    close_s: float = 10.0


class _Waiter:
    """A caller's future, and whether the thread has taken the entry."""

    __slots__ = ("future", "loop", "taken", "timer", "withdrawn")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[Receipt] = loop.create_future()
        self.taken = False
        self.withdrawn = False
        self.timer: asyncio.TimerHandle | None = None


class StoreLedger:
    """The process that appends. Everything about the database happens in its one thread."""

    def __init__(
        self,
        writer: Writer,
        duties: Duties,
        *,
        limits: LedgerLimits | None = None,
        room: Callable[[], str | None] = lambda: None,
        reserve: Reserve | None = None,
        cosigning: Cosigning | None = None,
    ) -> None:
        self.writer = writer
        self.cosigning = cosigning
        self.limits = limits or LedgerLimits()
        self._duties = duties
        self._disk_room = room
        self._reserve = reserve
        self._queue: deque[tuple[Item, _Waiter]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._trouble: str | None = "the ledger has not started"
        self._said = ""

    # -- the port ----------------------------------------------------------------------------------------------

    async def append(self, draft: Draft) -> Receipt:
        """Append under a fresh id; see `Ledger.append`."""
        return await self.append_as(draft, eid=self.writer.new_eid())

    async def append_as(self, draft: Draft, *, eid: str) -> Receipt:
        """Append under an id that the caller chose, so that it can ask again after a lost answer."""
        check(draft)
        waiter = _Waiter(asyncio.get_running_loop())
        item = Item(draft, eid, time.monotonic() + self.limits.deadline_s)
        self._enqueue(item, waiter)
        waiter.timer = waiter.loop.call_later(self.limits.deadline_s, self._expire, waiter)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if draft.kind is Kind.INTENT:  # nothing was sent: the entry may be spared if it is still ours
                waiter.withdrawn = True
            raise
        finally:
            waiter.timer.cancel()

    def last_at(self) -> float:
        """Return the POSIX time of the newest entry."""
        head = self.writer.head
        return head.last_ts / 1e6 if head is not None else 0.0

    def size(self) -> int:
        """Return the number of entries, as of the last transaction of this process."""
        head = self.writer.head
        return head.size if head is not None else 0

    def ready(self) -> str | None:
        """Return None when appending is possible, else what is wrong."""
        if self.writer.broken is not None:
            return f"fork suspected: {self.writer.broken}"
        return self._trouble or self.writer.down or self._room() or self._unwitnessed()

    def alarm(self) -> str | None:
        """Return what is wrong and does not stop appending: witnesses that are silent, where the site goes on."""
        return self.cosigning.stale() if self.cosigning else None

    def gauges(self) -> dict[str, float]:
        """Return what a monitor should see, by the names of `metrics.GAUGES`."""
        seen = {"ledger_size": float(self.size()), "ledger_queue": float(len(self._queue))}
        seen["ledger_checkpoint_age_seconds"] = self._duties.unsigned_s()
        if self.cosigning is not None:
            seen["ledger_witness_age_seconds"] = self.cosigning.age_s()
            seen["ledger_witness_failures"] = float(self.cosigning.failures)
        seen["ledger_fork_suspected"] = float(self.writer.broken is not None)
        return seen

    def suspect(self, error: LedgerStateError) -> None:
        """Stop: somebody outside holds a head that this log does not continue. May be called from any thread."""
        self.writer.broken = self.writer.broken or error
        with self._wake:
            self._wake.notify()

    def _keep_cosigned(self, size: int, note: bytes) -> None:
        self._duties.keep_cosigned(size, note)
        with self._wake:
            self._wake.notify()

    def _unwitnessed(self) -> str | None:
        return self.cosigning.refuses() if self.cosigning else None

    def _room(self) -> str | None:
        """Return None when there is room for new exchanges."""
        return self._disk_room() or (self._reserve.missing() if self._reserve else None)

    # -- start and end -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the log, check its tail, introduce this boot's key. Raises when the log cannot be continued."""
        # The thread wants the interpreter a few times a batch, some of them while it holds the lock on the head; with
        # Python's 5 ms it would wait longer for that than for the disk.
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
        loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, started), name="phigate-ledger", daemon=True)
        self._thread.start()
        await started
        if self.cosigning is not None:
            self.cosigning.start(keep=self._keep_cosigned, suspect=self.suspect)
            await asyncio.to_thread(self.cosigning.wait_first)
            if self.writer.broken is not None:
                broken = self.writer.broken
                await self.close()
                raise broken

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what is queued, sign a last checkpoint, and give the log back."""
        if self._thread is None:
            return
        if self.cosigning is not None:
            await asyncio.to_thread(self.cosigning.stop)
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join, self.limits.close_s)
        self._trouble = "the ledger is closed"

    # -- callers' side -----------------------------------------------------------------------------------------

    def _enqueue(self, item: Item, waiter: _Waiter) -> None:
        intent = item.draft.kind is Kind.INTENT
        room = self._room() if intent else None  # outcomes of exchanges that run may use the last of the disk
        trouble = self._trouble or (str(self.writer.broken) if self.writer.broken else None) or room
        if trouble is not None:
            self.writer.count_lost(1)
            code = "ledger_full" if trouble == room else "ledger_unavailable"
            raise UnavailableError(f"the ledger takes no entry: {trouble}", code=code)
        if intent and (stale := self._unwitnessed()) is not None:  # what runs may end: only new exchanges are refused
            self.writer.count_lost(1)
            raise UnavailableError(f"the ledger takes no new exchange: {stale}", code="witness_stale")
        limit = self.limits.queue + (0 if intent else self.limits.spare)
        with self._wake:
            if len(self._queue) < limit:
                self._queue.append((item, waiter))
                self._wake.notify()
                return
        self.writer.count_lost(1)
        raise UnavailableError(f"expected at most {limit} waiting entries, found as many", code="ledger_full")

    def _expire(self, waiter: _Waiter) -> None:
        """Give up on an entry whose deadline passed: withdraw it where the thread has not taken it."""
        if waiter.future.done():
            return
        with self._wake:
            waiter.withdrawn = not waiter.taken
        if waiter.withdrawn:
            self.writer.count_lost(1)
        waiter.future.set_exception(
            UnavailableError(
                f"expected the entry to be durable within {self.limits.deadline_s} s, found it not so",
                code=self.writer.code,
            )
        )

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, started: asyncio.Future[None]) -> None:
        try:
            self._duties.begin()
            if self._reserve is not None:
                self._reserve.hold()
        except PhigateError as error:
            self.writer.storage.close()
            self.writer.storage.release()
            loop.call_soon_threadsafe(_set_error, started, error)
            return
        self._trouble = None
        loop.call_soon_threadsafe(_set_done, started)
        try:
            while self._turn():
                pass
            self._duties.end()
        finally:  # also when something unforeseen ends the thread: then every append is refused at once
            self._trouble = "the ledger's thread has ended"
            self.writer.storage.close()
            self.writer.storage.release()

    def _turn(self) -> bool:
        """Write one batch, then do what is due. Returns whether to go on."""
        batch = self._take()
        if batch:
            waiters = {item.eid: waiter for item, waiter in batch}
            _deliver(self.writer.write([item for item, _ in batch]), waiters)
        self._duties.run(queued=len(self._queue))
        if self._reserve is not None and self._disk_room() is None:
            self._reserve.hold()
        self._say_what_changed()
        return bool(batch) or not self._stopping

    def _say_what_changed(self) -> None:
        """Log the first moment of trouble, once each time: a fork is for people, an outage passes."""
        trouble = "fork" if self.writer.broken is not None else "down" if self.writer.down is not None else ""
        if trouble and trouble != self._said:
            fork = trouble == "fork"
            event, level = (Event.FORK_SUSPECTED, CRITICAL) if fork else (Event.LEDGER_FAILED, ERROR)
            emit(event, level=level, origin=self.writer.sealer.origin, size=self.size())
        self._said = trouble

    def _take(self) -> list[tuple[Item, _Waiter]]:
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(self._duties.wait_s())
            batch: list[tuple[Item, _Waiter]] = []
            while self._queue and len(batch) < BATCH_ITEMS:
                item, waiter = self._queue.popleft()
                if not waiter.withdrawn:
                    waiter.taken = True
                    batch.append((item, waiter))
            return batch


def _deliver(done: Done, waiters: dict[str, _Waiter]) -> None:
    """Wake each loop once, with all of its results."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiter, Receipt | PhigateError]]] = {}
    for item, result in done:
        waiter = waiters[item.eid]
        by_loop.setdefault(waiter.loop, []).append((waiter, result))
    for loop, results in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, results)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(results: Sequence[tuple[_Waiter, Receipt | PhigateError]]) -> None:
    for waiter, result in results:
        if waiter.future.done():
            continue
        if isinstance(result, Receipt):
            waiter.future.set_result(result)
        else:
            waiter.future.set_exception(result)


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _set_error(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
