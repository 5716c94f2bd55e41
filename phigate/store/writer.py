"""The append engine: batches of items become one transaction each (docs/ledger-format.md, Appending).

Runs in one thread. Seal outside the lock; inside it: lock the head, check that it continues what this replica saw,
insert rows, full tiles, batch and head, COMMIT. An index is given under the lock and never by a sequence, so that no
rollback leaves a gap. A COMMIT without an answer is settled by looking for the entries' ids under the lock: present
is acknowledged, absent is written again, and nothing is ever guessed.

INVARIANT: an item is acknowledged only after COMMIT returned or its entry was found, and it stands once at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from phigate.audit.record import JSON, Draft, Kind, Receipt
from phigate.errors import LedgerStateError, PhigateError, UnavailableError
from phigate.store.growth import advance, check_tail, frontier_of, full_tiles
from phigate.store.sealing import Item, Sealer, rfc3339
from phigate.store.storage import CommitUnknownError, Growth, Head, Row, Storage, StorageError, Trouble
from phigate.tlog.merkle import Frontier

Result = Receipt | PhigateError
SEGMENT_CLOSED: Final = "segment_closed"  # code of what came too late for its segment, and stands nowhere
Done = list[tuple[Item, Result]]
RETRY_S: Final = 0.05


class Writer:
    """Appends for one boot of one replica. ``broken`` is set once the log does not continue what this replica saw."""

    def __init__(
        self,
        storage: Storage,
        sealer: Sealer,
        *,
        new_eid: Callable[[], str],
        release_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self.storage = storage
        self.sealer = sealer
        self.new_eid = new_eid
        self.head: Head | None = None  # as of the last transaction of this replica
        self.broken: LedgerStateError | None = None
        self.closed: LedgerStateError | None = None  # once the log was closed: the next entry goes to another
        self._frontier = Frontier()
        self._connected = False
        self._suspect = True  # the tail must be checked before the next append
        self._doubtful: list[Item] = []  # sealed, COMMIT sent, no answer
        self._own: list[Item] = []  # entries that the engine itself adds to the next batch
        self._lost = 0  # appends refused since the last batch, between two POSIX times
        self._lost_since = self._lost_until = 0.0
        self._lost_lock = threading.Lock()  # appends are refused in the callers' threads as well
        self.down: str | None = None  # what the last transaction failed of
        self.full = False  # whether the disk was full since the last transaction that succeeded
        self._release_room = release_room  # gives the reserve back; False when there is none

    def write(self, items: Sequence[Item]) -> Done:
        """Append the items in order and say what became of each. Never raises for what a database can do."""
        done: Done = []
        left = _first_of_each_slot(items, done)
        while left:
            try:
                left = self._attempt(left, done)
            except StorageError as error:
                left = self._after(error, left, done)
            except LedgerStateError as error:
                self.storage.rollback()
                if error is self.closed:
                    settled = {item.eid for item, _ in done}
                    late = [item for item in left if item.eid not in settled]
                    done += [(item, _refused(str(error), code=SEGMENT_CLOSED)) for item in late]
                    break
                self.broken = error
                done += [(item, _refused(f"the ledger cannot be continued: {error}")) for item in left]
                left = []
        return done

    def prepare(self) -> None:
        """Have a connection, and after an I/O error a tail that was read back and checked.

        Raises `StorageError`, or `LedgerStateError` when nothing may be appended until somebody decides.
        """
        if self.broken is not None:
            raise self.broken
        if not self._connected:
            self.storage.close()
            self.storage.open()
            self._connected = True
        if self._suspect:
            head = self.storage.begin(self.sealer.origin)
            try:
                if head is not None:
                    check_tail(self.storage, head)
            finally:
                self.storage.rollback()
            self._suspect = False

    def failed(self, error: StorageError) -> None:
        """End the transaction; drop a connection that cannot be trusted. The next attempt opens another."""
        self.storage.rollback()
        self.down = str(error)
        # A full disk leaves the connection sound, and another could not even be opened: it needs room itself.
        if error.trouble in {Trouble.DOWN, Trouble.DAMAGED}:
            self.storage.close()
            self._connected = False
            self._suspect = self._suspect or error.trouble is Trouble.DAMAGED

    def count_lost(self, count: int) -> None:
        """Remember that so many appends were refused; an entry will say so when the ledger works again."""
        with self._lost_lock:
            if count:
                self._lost_until = self.sealer.now()
                self._lost_since = self._lost_since if self._lost else self._lost_until
                self._lost += count

    def note_clock(self) -> None:
        """Have an entry written with the next batch when the wall clock jumped."""
        draft = self.sealer.clock_draft(self.head.last_ts if self.head else 0)
        if draft is not None:
            self._own.append(self._item(draft))

    # -- attempts ----------------------------------------------------------------------------------------------

    def _attempt(self, items: list[Item], done: Done) -> list[Item]:
        """Settle what is in doubt, then seal and commit the rest. Returns what is still to be written."""
        self.prepare()
        settled = self._settle()
        done += [(item, settled[item.eid]) for item in items if item.eid in settled]
        items = [item for item in items if item.eid not in settled]
        if not items:
            return []
        later = _behind_a_close(items)
        items = items[: len(items) - len(later)]
        self.note_clock()
        own = [*self._own, *self._loss_item()]
        sealed = self._seal([*own, *items], done)
        if not sealed:  # every one of them was too large
            return later
        try:
            receipts = self._commit(sealed)
        except CommitUnknownError:
            self._doubtful = sealed
            raise
        except (StorageError, LedgerStateError):
            self.sealer.unseal(len(sealed))
            raise
        self._own, self._lost, self.down, self.full = [], 0, None, False
        mine = {item.eid for item in own}
        done += [pair for pair in zip(sealed, receipts, strict=True) if pair[0].eid not in mine]
        return later

    def _after(self, error: StorageError, items: list[Item], done: Done) -> list[Item]:
        """Decide what follows a failed transaction. Returns the items to try again."""
        unknown = isinstance(error, CommitUnknownError)
        self.failed(error)
        if error.trouble is Trouble.CLASH and not unknown:
            return self._without_clashing(items, done)
        settled = {item.eid for item, _ in done}  # an item may have been refused while it was sealed
        items = [item for item in items if item.eid not in settled]
        if error.trouble is Trouble.FULL:
            return self._when_full(error, items, done)
        patience = time.monotonic() + RETRY_S
        self._refuse([item for item in items if item.deadline <= patience], done, error)
        left = [item for item in items if item.deadline > patience]
        if left:
            time.sleep(RETRY_S)
        return left

    def _when_full(self, error: StorageError, items: list[Item], done: Done) -> list[Item]:
        """Give the reserve back for what ends exchanges, and refuse what begins one. Returns the items to try again.

        A COMMIT that met the full disk is settled like any other: the next attempt looks before it writes.
        """
        self.full = True
        if not self._release_room():
            self._refuse(items, done, error)
            return []
        self._refuse([item for item in items if item.draft.kind is Kind.INTENT], done, error)
        return [item for item in items if item.draft.kind is not Kind.INTENT]

    def _refuse(self, items: list[Item], done: Done, error: StorageError) -> None:
        done += [(item, _refused(str(error), code=self.code)) for item in items]
        self.count_lost(len(items))

    @property
    def code(self) -> str:
        """Why nothing is appended now, as the app is told: one word for a full disk, however SQLite met it."""
        return "ledger_full" if self.full else "ledger_unavailable"

    def _without_clashing(self, items: list[Item], done: Done) -> list[Item]:
        """Acknowledge what stands already under its id, refuse what is about what another entry is about.

        An id stands already when a worker asked again after it lost the answer. Returns the items to try again.
        """
        head = self.head
        assert head is not None  # rows clash only with a head
        slots = [item.slot for item in items if item.slot is not None]
        try:
            stands = self.storage.find(head.log_id, [item.eid for item in items])
            taken = self.storage.taken(head.log_id, slots)
        except StorageError as error:
            return self._after(StorageError(Trouble.DOWN, f"look for a clash: {error.trouble.value}"), items, done)
        late = [item for item in items if item.draft.kind is Kind.GENESIS and head.size]
        if not taken and not stands and not late:
            raise LedgerStateError("the database refused rows that clash with none: somebody else wrote to it")
        for item in items:
            if item.eid in stands:
                idx, leaf = stands[item.eid]
                done.append((item, Receipt(head.origin, idx, leaf, head.size, head.root)))
            elif item.slot in taken or item in late:
                done.append((item, _duplicate()))
        return [item for item in items if item.eid not in stands and item.slot not in taken and item not in late]

    def _settle(self) -> dict[str, Receipt]:
        """Find out, under the lock, whether the transaction in doubt stands. Returns receipts if it does."""
        if not self._doubtful:
            return {}
        head = self._begin(settling=True)
        found = self.storage.find(head.log_id, [item.eid for item in self._doubtful])
        self.storage.rollback()
        # One transaction wrote them: all stand or none does.
        if len(found) not in {0, len(self._doubtful)}:
            raise LedgerStateError(f"expected all or none of {len(self._doubtful)} entries, found {len(found)}")
        if found:
            self._own, self._lost = [], 0
        else:
            self.sealer.unseal(len(self._doubtful))
        self._doubtful = []
        return {eid: Receipt(head.origin, idx, leaf, head.size, head.root) for eid, (idx, leaf) in found.items()}

    # -- the transaction ---------------------------------------------------------------------------------------

    def _begin(self, *, settling: bool = False) -> Head:
        """Lock the head and check that it continues what this replica saw last.

        Raises `closed` for a closed log, unless only to settle what was sent before it was closed.
        """
        origin, known = self.sealer.origin, self.head
        head = self.storage.begin(origin, seen=known.size if known is not None else -1)
        if head is None:
            if known is not None:
                raise LedgerStateError(f"expected the log {origin}, found none: the database was replaced")
            head = self.storage.create(origin)
        if known is None or (head.size, head.root) != (known.size, known.root):
            if known is not None:
                self._check_continues(known, head)
            self._frontier = frontier_of(head)
        if head.closed and not settling:
            self.closed = LedgerStateError(
                f"expected an open log, found {origin} closed: start with the next segment's origin"
            )
            raise self.closed
        self.head = head
        return head

    def _check_continues(self, known: Head, head: Head) -> None:
        if head.size < known.size:
            raise LedgerStateError(
                f"expected {head.origin} to have at least {known.size} entries, found {head.size}: it was rolled back"
            )
        then = head.root if head.size == known.size else self.storage.batch_root(known.log_id, known.size)
        if known.size and then != known.root:
            raise LedgerStateError(
                f"expected the root that was seen at size {known.size}, found another: it was forked"
            )

    def _commit(self, items: list[Item]) -> list[Receipt]:
        head = self._begin()
        if head.size and items[0].draft.kind is Kind.GENESIS:
            raise StorageError(Trouble.CLASH, "begin the log: another replica was quicker")
        leaves = [item.leaf for item in items]
        rows = [_row(head.size + n, item) for n, item in enumerate(items)]
        tiles = full_tiles(self.storage, log_id=head.log_id, size=head.size, leaves=leaves)
        frontier = self._frontier.copy()
        grown = advance(head, frontier, leaves=leaves, ts=self.sealer.last_ts)
        self.storage.grow(Growth(rows, tiles, grown, self.sealer.last_ts))
        if items[-1].draft.kind is Kind.SEGMENT_CLOSE:
            self.storage.close_head(head.log_id)
        self.storage.commit()
        # A crash before this line: the entries stand, nobody was told; the reconciler ends their exchanges.
        self.head, self._frontier = grown, frontier
        return [Receipt(head.origin, row.idx, row.leaf, grown.size, grown.root) for row in rows]

    # -- sealing -----------------------------------------------------------------------------------------------

    def _seal(self, items: list[Item], done: Done) -> list[Item]:
        sealed = []
        for item in items:
            try:
                self.sealer.seal(item)
            except UnavailableError as error:
                done.append((item, error))
            else:
                sealed.append(item)
        return sealed

    def _loss_item(self) -> list[Item]:
        if not self._lost:
            return []
        since, until = (rfc3339(int(at * 1e6)) for at in (self._lost_since, self._lost_until))
        fields: dict[str, JSON] = {"count": self._lost, "since": since, "until": until}
        return [self._item(Draft(Kind.LOSS, fields))]

    def _item(self, draft: Draft) -> Item:
        return Item(draft, self.new_eid(), deadline=0.0)


def _first_of_each_slot(items: Sequence[Item], done: Done) -> list[Item]:
    """Refuse what would clash within the batch itself."""
    seen: set[tuple[str, int, str]] = set()
    first = []
    for item in items:
        if item.slot is not None and item.slot in seen:
            done.append((item, _duplicate()))
            continue
        if item.slot is not None:
            seen.add(item.slot)
        first.append(item)
    return first


def _behind_a_close(items: list[Item]) -> list[Item]:
    """Return what stands behind the close of the segment: nothing may follow that within its transaction."""
    at = next((n for n, item in enumerate(items, 1) if item.draft.kind is Kind.SEGMENT_CLOSE), len(items))
    return items[at:]


def _row(idx: int, item: Item) -> Row:
    draft = item.draft
    return Row(idx, item.eid, draft.kind.value, draft.rid or None, draft.attempt or None, item.entry, item.leaf)


def _duplicate() -> UnavailableError:
    return UnavailableError("an entry of this kind stands for this attempt already", code="entry_duplicate")


def _refused(problem: str, *, code: str = "ledger_unavailable") -> UnavailableError:
    return UnavailableError(problem, code=code)
