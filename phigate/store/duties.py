"""What the ledger's thread does beside appending: beginning and end of a boot, checkpoints, heartbeats, reconciling.

A checkpoint follows a commit within a second. A heartbeat every minute makes silence evidence. The reconciler ends
the exchanges of boots that died: an intent without outcome becomes ``unknown``, which counts as a disclosure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from phigate.audit.record import JSON, Draft, Kind, Status
from phigate.errors import LedgerStateError, PhigateError
from phigate.signing import Ed25519Signer, Signer
from phigate.store.anchor import AnchorFile
from phigate.store.carried import Unended
from phigate.store.growth import rebuild
from phigate.store.sealing import Item, rfc3339
from phigate.store.source import COSIGNED, KEYRING
from phigate.store.storage import Head, Row, StorageError
from phigate.store.writer import Writer
from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint
from phigate.tlog.errors import TlogError
from phigate.tlog.merkle import TreeSize
from phigate.tlog.note import sign_note
from phigate.tlog.record import parse_entry

PATIENCE_S: Final = 2.0
HEARTBEAT_WITHIN: Final = 200_000  # entries from the end in which a start looks for one


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, in seconds."""

    checkpoint_s: float = 0.8  # so that the checkpoint stands within one second of the commit
    heartbeat_s: float = 60.0
    reconcile_s: float = 60.0
    lease_s: float = 150.0  # a boot whose last heartbeat is older is dead


class Duties:
    """Owned and called by the ledger's thread alone."""

    def __init__(
        self,
        writer: Writer,
        *,
        checkpoint: Signer,
        enrolment: Signer,
        record: Ed25519Signer,
        keyring: bytes,
        rhythm: Rhythm | None = None,
        anchor: AnchorFile,
        software: str = "phigate",
        previous: dict[str, JSON] | None = None,
        published: Callable[[bytes], None] | None = None,
        carried: Sequence[Unended] = (),
    ) -> None:
        self.writer = writer
        self.rhythm = rhythm or Rhythm()
        self._checkpoint = checkpoint
        self._enrolment = enrolment
        self._record = record
        self._keyring = keyring
        self._anchor = anchor
        self._software = software
        self._previous = previous
        self._published = published
        self._signed_size = 0
        self._signed_at = self.writer.sealer.mono()
        self._mono = writer.sealer.mono
        self._checkpoint_due = self._heartbeat_due = self._reconcile_due = 0.0
        self._cosigned: deque[tuple[int, bytes]] = deque(maxlen=16)  # filled by another thread, kept by this one
        self._carried = list(carried)
        self._settled = 0  # every intent before this index has its outcome

    # -- begin and end -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the log, check tail and checkpoint, introduce this boot, end what dead boots left.

        Raises `StorageError`, or `LedgerStateError` when the log does not continue what was signed.
        """
        writer, sealer = self.writer, self.writer.sealer
        writer.prepare()
        head = writer.storage.begin(sealer.origin)
        try:
            self._check_anchor(head)
            if head is not None:
                self._check_signed(head)
                sealer.last_ts = head.last_ts
        finally:
            writer.storage.rollback()
        items = [] if head is not None and head.size else [self._genesis()]
        items.append(self._key("add", (self._record, self._enrolment)))
        self._write_or_raise(items)
        self._keep_keyring()
        self._settled = self._settled_before()
        self._reconcile()
        self._publish()
        now = self._mono()
        self._heartbeat_due = now + self.rhythm.heartbeat_s
        self._reconcile_due = now + self.rhythm.reconcile_s

    def end(self) -> None:
        """Retire this boot's key and sign a last checkpoint, as far as the database lets us."""
        if self.writer.broken is None:
            self.writer.write([self._key("retire", (self._record, self._enrolment))])
            self._quietly(self._publish)

    def _write_or_raise(self, items: list[Item]) -> None:
        for item, result in self.writer.write(items):
            quicker = item.draft.kind is Kind.GENESIS and getattr(result, "code", "") == "entry_duplicate"
            if isinstance(result, PhigateError) and not quicker:
                raise self.writer.broken or self.writer.closed or result

    def _genesis(self) -> Item:
        digest = f"sha256:{sha256(self._keyring).hexdigest()}"
        fields: dict[str, JSON] = {"format": 1, "keyring": digest, "software": self._software}
        if self._previous is not None:
            fields["previous"] = self._previous
        return self._item(Draft(Kind.GENESIS, fields), signers=(self._enrolment,))

    def _key(self, op: str, signers: tuple[Signer, ...]) -> Item:
        fields: dict[str, JSON] = {"op": op, "role": "record", "vkey": self._record.key.to_text()}
        return self._item(Draft(Kind.KEY, fields), signers=signers)

    def _item(self, draft: Draft, *, signers: tuple[Signer, ...] = ()) -> Item:
        return Item(draft, self.writer.new_eid(), self._mono() + PATIENCE_S, signers=signers)

    def _keep_keyring(self) -> None:
        """Have the newest keyring in the database as well, so that it can be verified as it lies there."""
        head, storage = self.writer.head, self.writer.storage
        assert head is not None
        if storage.newest_anchor(head.log_id, KEYRING) == self._keyring:
            return
        storage.begin(head.origin)
        storage.add_anchor(head.log_id, head.size, KEYRING, self._keyring)
        storage.commit()

    def _check_anchor(self, head: Head | None) -> None:
        """Refuse a database that is behind what was signed last, or leads elsewhere: it was restored or rewritten."""
        known = self._anchor.read()
        if known is None:
            return
        size = head.size if head is not None else 0
        if size < known.size:
            raise LedgerStateError(
                f"expected {known.origin} to extend its anchor of {known.size} entries, found {size}: the database was "
                "restored from a backup; bring it up to date, or declare the loss with phigate ledger recover"
            )
        assert head is not None
        if rebuild(self.writer.storage, log_id=head.log_id, size=known.size).root() != known.root:
            raise LedgerStateError(f"{known.origin} does not extend its anchor of {known.size} entries: forked")

    def _check_signed(self, head: Head) -> None:
        """Refuse a newest checkpoint that is not by our key, and a head that does not extend it."""
        note = self.writer.storage.newest_checkpoint(head.log_id)
        if note is None:
            return
        try:
            signed = SignedCheckpoint.from_bytes(note)
            signed.verify(origin=head.origin, keys=[self._checkpoint.key])
        except TlogError as error:
            raise LedgerStateError(
                f"the last checkpoint of {head.origin} is not by this checkpoint key: {error}"
            ) from error
        known = signed.head
        if known.size > head.size:
            raise LedgerStateError(
                f"expected {head.origin} to extend its checkpoint of {known.size} entries, found {head.size}"
            )
        if rebuild(self.writer.storage, log_id=head.log_id, size=known.size).root() != known.root:
            raise LedgerStateError(f"{head.origin} does not extend its checkpoint of {known.size} entries: forked")
        self._signed_size = known.size

    # -- while it runs -----------------------------------------------------------------------------------------

    def wait_s(self) -> float:
        """Return how long the thread may sleep before something is due."""
        due = min(self._heartbeat_due, self._reconcile_due)
        if self._unsigned():
            due = min(due, self._checkpoint_due)
        return max(0.0, due - self._mono())

    def run(self, *, queued: int) -> None:
        """Do what is due. Trouble with the database leaves it due."""
        now = self._mono()
        if self.writer.broken is not None:
            self._heartbeat_due = self._reconcile_due = now + self.rhythm.heartbeat_s
            return
        if now >= self._heartbeat_due:
            self._heartbeat_due = now + self.rhythm.heartbeat_s
            self.writer.write([self._heartbeat(queued)])
        if now >= self._reconcile_due:
            self._reconcile_due = now + self.rhythm.reconcile_s
            self._quietly(self._reconcile)
        if self._unsigned() and now >= self._checkpoint_due:
            self._quietly(self._publish)
        if self._cosigned:
            self._quietly(self._keep_cosigned)

    def unsigned_s(self) -> float:
        """Return for how many seconds entries stand that no checkpoint covers; 0 where all are covered."""
        return max(0.0, self._mono() - self._signed_at) if self._unsigned() else 0.0

    def _unsigned(self) -> bool:
        head = self.writer.head
        return head is not None and head.size > self._signed_size and self.writer.broken is None

    def _quietly(self, duty: Callable[[], None]) -> None:
        """Try a duty; one that meets trouble stays due, and the writer reconnects with the next append."""
        try:
            self.writer.prepare()
            duty()
        except StorageError as error:
            self.writer.failed(error)
            self._checkpoint_due = self._mono() + self.rhythm.checkpoint_s
        except LedgerStateError as error:
            self.writer.storage.rollback()
            self.writer.broken = error

    def _heartbeat(self, queued: int) -> Item:
        head = self.writer.head
        assert head is not None
        fields: dict[str, JSON] = {
            "size": head.size,
            "root": head.root.hex(),
            "queue": queued,
            "settled": self._settled,
        }
        return self._item(Draft(Kind.HEARTBEAT, fields))

    def _publish(self) -> None:
        """Sign the newest committed head and keep the checkpoint. Signing happens outside any transaction."""
        self._checkpoint_due = self._mono() + self.rhythm.checkpoint_s
        head, storage = self.writer.head, self.writer.storage
        if head is None or head.size <= self._signed_size:
            return
        text = Checkpoint(head.origin, TreeSize(head.size), head.root).to_text()
        note = sign_note(text, [(self._checkpoint.key, self._checkpoint.sign)]).to_bytes()
        # A crash behind this line: the head extends the anchor, and the next start publishes it.
        self._anchor.advance(
            note,
            Checkpoint(head.origin, TreeSize(head.size), head.root),
            root_at=lambda size: storage.batch_root(head.log_id, size),
        )
        storage.begin(head.origin)
        if not self._signed_by_another(head):
            storage.add_checkpoint(head.log_id, head.size, note)
        storage.commit()
        self._signed_size, self._signed_at = head.size, self._mono()
        if self._published is not None:
            self._published(note)

    def keep_cosigned(self, size: int, note: bytes) -> None:
        """Have a checkpoint with the lines of its witnesses kept, soon. May be called from any thread."""
        self._cosigned.append((size, note))

    def _keep_cosigned(self) -> None:
        head, storage = self.writer.head, self.writer.storage
        assert head is not None
        size, note = self._cosigned[0]
        storage.begin(head.origin)
        storage.add_anchor(head.log_id, size, COSIGNED, note)
        storage.commit()
        self._cosigned.popleft()

    def _signed_by_another(self, head: Head) -> bool:
        """Return whether another replica signed this head or a larger one. Raises when it signed another history."""
        newest = self.writer.storage.newest_checkpoint(head.log_id)
        if newest is None:
            return False
        known = SignedCheckpoint.from_bytes(newest).head
        if known.size <= head.size:
            root = head.root if known.size == head.size else self.writer.storage.batch_root(head.log_id, known.size)
            if root != known.root:
                raise LedgerStateError(f"{head.origin} does not extend its checkpoint of {known.size} entries: forked")
        return known.size >= head.size

    # -- the reconciler ----------------------------------------------------------------------------------------

    def _settled_before(self) -> int:
        """Return what the newest heartbeat says is settled, so that a start does not search a log of millions.

        Without one near the end it is 0, which is always true. Verification finds open intents wherever they are.
        """
        head = self.writer.head
        assert head is not None
        entry = self.writer.storage.newest_heartbeat(head.log_id, max(0, head.size - HEARTBEAT_WITHIN))
        try:
            settled = parse_entry(entry).fields.get("settled") if entry is not None else 0
        except TlogError as error:
            raise LedgerStateError(f"a heartbeat of {head.origin} is no entry: {error}") from error
        return settled if isinstance(settled, int) and settled <= head.size else 0

    def _reconcile(self) -> None:
        """Give every intent of a dead boot the outcome ``unknown``. UNIQUE(rid, attempt, kind) keeps one."""
        head = self.writer.head
        assert head is not None
        open_rows = self.writer.storage.open_intents(head.log_id, self._settled)
        self._settled = open_rows[0].idx if open_rows else head.size
        left = [self._unknown(row) for row in self._of_dead_boots(open_rows)] + self._reconcile_carried(head)
        for at in range(0, len(left), 64):
            self.writer.write(left[at : at + 64])

    def _reconcile_carried(self, head: Head) -> list[Item]:
        """Do the same for what earlier segments left open; an exchange whose outcome stands here is forgotten."""
        ended = (
            self.writer.storage.taken(head.log_id, [each.slot for each in self._carried]) if self._carried else set()
        )
        self._carried = [each for each in self._carried if each.slot not in ended]
        dead = {row.eid for row in self._of_dead_boots([each.row for each in self._carried])}
        return [self._unknown(each.row, log=each.log) for each in self._carried if each.row.eid in dead]

    def _of_dead_boots(self, rows: list[Row]) -> list[Row]:
        """Return the intents whose boot is gone. A boot that only lost its connection has the lease to come back."""
        sealer, storage = self.writer.sealer, self.writer.storage
        before = rfc3339(int((sealer.now() - self.rhythm.lease_s) * 1e6))
        lives = {sealer.boot: True}
        dead = []
        for row in rows:
            record = parse_entry(row.entry)
            if record.boot not in lives:
                lives[record.boot] = storage.boot_lives(record.boot)
            if not lives[record.boot] and (storage.alone or record.ts < before):
                dead.append(row)
        return dead

    def _unknown(self, row: Row, *, log: str = "") -> Item:
        intent: dict[str, JSON] = {"idx": row.idx, "leaf": row.leaf.hex()}
        fields: dict[str, JSON] = {
            "intent": intent | ({"log": log} if log else {}),
            "status": Status.UNKNOWN.value,
            "by": "reconciler",
        }
        return self._item(Draft(Kind.OUTCOME, fields, row.rid or "", row.attempt or 0))
