"""Verify a whole log: every leaf, tile and root, every head, every signature, and that nothing is missing between.

The log is read once, in stretches. A stretch is checked by `inspect`, which may run in other processes: ``run`` is a
map that keeps order. Here the stretches are joined: roots are compared to signed heads, counters and exchanges
followed. Pure: files, databases, processes and the clock belong to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Final

from phigate.tlog.errors import FormatError, GapError, IncompleteError, TlogError
from phigate.tlog.follow import Follower
from phigate.tlog.inspect import HeadSeen, Seen, Task, Trust, attempt_id, inspect, see_head
from phigate.tlog.keyring import Keyring, Role, open_keyring
from phigate.tlog.merkle import HASH_BYTES, Frontier
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Head, Report, Verdict
from phigate.tlog.signers import GENESIS, KEY, Signers
from phigate.tlog.source import Source, Stretch
from phigate.tlog.tile import WIDTH, TileID, UpperTiles

Progress = Callable[[int, int], None]  # entries done, entries in all
Run = Callable[[Callable[[Task], Seen], Iterable[Task]], Iterator[Seen]]

_MARKS: Final = (b'"kind":"key"', b'"kind":"genesis"')  # in canonical JSON a kind has no other spelling


@dataclass(frozen=True, slots=True)
class Demand:
    """What the verifier holds and asks for, beside the log.

    ``pinned`` is the fingerprint of the root keys; ``earlier`` are checkpoints that somebody kept; ``now`` is RFC 3339
    UTC with microseconds, "" to judge no time by the clock. ``witnessed_since_s`` is the POSIX time before which a
    cosignature is stale, 0 for any age.
    """

    keyring: bytes | None = None
    pinned: str | None = None
    earlier: Sequence[bytes] = ()
    quorum: int | None = None  # None: as the keyring says
    now: str = ""
    witnessed_since_s: int = 0


def verify(
    source: Source,
    demand: Demand,
    *,
    run: Run = map,
    progress: Progress | None = None,
) -> Report:
    """Return what can be said about a log. Raises only what reading it raises: problems are in the report."""
    report = Report(origin=source.origin, size=source.size, pinned=demand.pinned is not None)
    keyring = _open_keyring(source, demand, report)
    if keyring is not None:
        _Walk(source, demand, keyring, report).walk(run, progress or _silent)
    return report


def _silent(done: int, total: int) -> None:
    del done, total


def _open_keyring(source: Source, demand: Demand, report: Report) -> Keyring | None:
    data = demand.keyring if demand.keyring is not None else source.keyring()
    if data is None:
        report.add(Verdict.INCOMPLETE, "expected a keyring, found none: no signature can be checked without it")
        return None
    try:
        keyring = open_keyring(data, pinned=demand.pinned)
    except TlogError as error:
        report.add(Verdict.TAMPERED, f"the keyring: {error}")
        return None
    report.fingerprint, report.keyring_version = keyring.fingerprint, keyring.version
    report.quorum = keyring.quorum if demand.quorum is None else demand.quorum
    if demand.now and demand.now > keyring.expires:
        report.warnings.append(
            f"the keyring expired at {keyring.expires}: ask the holders of the root keys for a newer"
        )
    return keyring


class _Walk:
    """One verification on its way through the log."""

    def __init__(self, source: Source, demand: Demand, keyring: Keyring, report: Report) -> None:
        self.source, self.demand, self.keyring, self.report = source, demand, keyring, report
        self.trust = Trust(
            source.origin,
            keyring.listed(Role.CHECKPOINT, source.origin),
            tuple(listed.key for listed in keyring.listed(Role.WITNESS)),
        )
        self.signers = Signers(keyring, source.origin)
        self.follower = Follower()
        self.tree = Frontier()
        self.upper = UpperTiles(self._tile, self._wrong_tile)
        self.newest: HeadSeen | None = None  # newest signed head that the entries lead to
        self.astray: list[tuple[HeadSeen, bytes]] = []  # signed heads that they do not lead to, and where they lead
        self.batches: dict[int, bytes] = {}
        self.kept = merge(source.checkpoints(), self._earlier(), key=lambda head: head[0])
        self.next_head = next(self.kept, None)
        self.commits = source.batches()
        self.next_batch = next(self.commits, None)

    # -- reading ahead -----------------------------------------------------------------------------------------

    def _earlier(self) -> list[tuple[int, bytes]]:
        """Return the checkpoints that somebody kept, as far as this log's key signed them."""
        found = []
        for note in self.demand.earlier:
            try:
                found.append((see_head(note, size=None, trust=self.trust).size, note))
            except TlogError as error:
                self.report.add(Verdict.INCOMPLETE, f"an earlier checkpoint proves nothing about this log: {error}")
        return sorted(found)

    def tasks(self) -> Iterator[Task]:
        """Yield the stretches with all that they are compared to. Ends, with a problem, where reading fails."""
        try:
            for stretch in self.source.stretches():
                self._learn(stretch)
                yield self._task(stretch)
        except IncompleteError as error:
            self.report.add(Verdict.INCOMPLETE, str(error))
        except GapError as error:
            self.report.add(Verdict.TAMPERED, str(error), error.index)

    def _learn(self, stretch: Stretch) -> None:
        """Take in the genesis and the key entries, which later signatures stand on."""
        for index, data in enumerate(stretch.entries, stretch.start):
            if index and not any(mark in data for mark in _MARKS):
                continue
            try:
                record = parse_entry(data)
            except FormatError:
                continue  # `inspect` says so
            try:
                self._learn_from(index, record)
            except TlogError as error:
                self.report.add(Verdict.TAMPERED, str(error), index)

    def _learn_from(self, index: int, record: Record) -> None:
        if record.kind in {GENESIS, KEY}:
            self.signers.learn(index, record)
        if index == 0 and record.kind != GENESIS:
            raise FormatError(f"expected a genesis as the first entry, found {record.kind}")

    def _task(self, stretch: Stretch) -> Task:
        end = stretch.start + len(stretch.entries)
        heads = []
        while self.next_head is not None and self.next_head[0] <= end:
            heads.append(self.next_head)
            self.next_head = next(self.kept, None)
        sizes = {size for size, _ in heads}
        while self.next_batch is not None and self.next_batch[0] <= end:
            self.batches[self.next_batch[0]] = self.next_batch[1]
            sizes.add(self.next_batch[0])
            self.next_batch = next(self.commits, None)
        return Task(
            stretch=stretch,
            trust=self.trust,
            keys=self.signers.active(stretch.start, end),
            tiles=tuple(
                self._tile(TileID(0, first // WIDTH, min(WIDTH, end - first)))
                for first in range(stretch.start, end, WIDTH)
            ),
            heads=tuple(heads),
            sizes=tuple(sizes),
        )

    def _tile(self, tile: TileID) -> bytes | None:
        data = self.source.tile(tile)
        if data is None and (tile.width == WIDTH or self.source.keeps_partial_tiles):
            self.report.add(Verdict.INCOMPLETE, f"{tile.path} is not there")
        return data

    # -- joining -----------------------------------------------------------------------------------------------

    def walk(self, run: Run, progress: Progress) -> None:
        """Read everything and fill the report."""
        for seen in run(inspect, self.tasks()):
            self._join(seen)
            progress(self.tree.size, self.source.size)
        self.upper.finish()
        self.follower.finish()
        self._check_twice()
        self._conclude()

    def _join(self, seen: Seen) -> None:
        self.follower.take(seen)
        roots = {size: self.tree.root_before(local) for size, local in seen.roots.items()}
        roots.setdefault(seen.start, self.tree.root())
        self._extend(seen)
        for size, what in seen.bad_heads:
            self.report.add(Verdict.TAMPERED, f"the checkpoint of size {size}: {what}")
        for head in seen.heads:
            root = roots.get(head.size)
            if root is None:
                self.report.add(Verdict.TAMPERED, f"the checkpoint of size {head.size} is kept out of order")
            else:
                self._compare(head, root)
        for size in sorted(roots.keys() & self.batches.keys()):
            if self.batches.pop(size) != roots[size]:
                self.report.add(Verdict.TAMPERED, f"the root that was kept at the commit of size {size} is another")

    def _extend(self, seen: Seen) -> None:
        hashes = (seen.tree[at : at + HASH_BYTES] for at in range(0, len(seen.tree), HASH_BYTES))
        levels = [level for level in reversed(range(seen.count.bit_length())) if seen.count >> level & 1]
        for level, root in zip(levels, hashes, strict=True):
            self.tree.append_subtree(root, level)
        for root in seen.tile_roots:
            self.upper.push(root)

    def _wrong_tile(self, tile: TileID) -> None:
        self.report.add(Verdict.TAMPERED, f"{tile.path} does not hold the roots of the tiles under it")

    def _compare(self, head: HeadSeen, root: bytes) -> None:
        self.report.heads += 1
        if head.root != root:
            self.astray.append((head, root))
            del self.astray[20:]
            return
        if self.newest is None or head.size >= self.newest.size:
            self.newest = head
        if head.witnesses and head.witnesses >= self.report.quorum:
            self.report.witnessed = Head(head.size, head.root, head.witnesses, head.at_s)

    def _check_twice(self) -> None:
        """Two intents of one attempt have one id; two others with that id do not count. Reads the log once more."""
        twice = self.follower.twice()
        if not twice:
            return
        known: set[tuple[str, int]] = set()
        for stretch in self.source.stretches():
            for index, data in enumerate(stretch.entries, stretch.start):
                if b'"kind":"intent"' not in data:
                    continue
                try:
                    record = parse_entry(data)
                except FormatError:
                    continue
                attempt = (record.rid, record.attempt)
                if record.kind != "intent" or not record.attempt or attempt_id(*attempt) not in twice:
                    continue
                if attempt in known:
                    self.report.add(Verdict.TAMPERED, "a second intent of the same attempt", index)
                known.add(attempt)

    # -- the end -----------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        report, follower = self.report, self.follower
        for index, what in follower.problems:
            report.add(Verdict.TAMPERED, what, index)
        report.more_problems += follower.more_problems
        report.root = self.tree.root()
        report.kinds, report.boots = dict(follower.kinds), follower.boots
        report.first_ts, report.last_ts = follower.first_ts, follower.last_ts
        report.previous, report.closed = follower.previous, follower.closed >= 0
        report.open_intents, report.unended = follower.open_intents(), follower.open()
        report.next, report.carried, report.gone = follower.next, follower.carried, follower.gone
        if self.tree.size == self.source.size:
            self._conclude_heads()
        elif report.verdict is Verdict.VERIFIED:
            report.add(Verdict.INCOMPLETE, f"expected {self.source.size} entries, found {self.tree.size}")
        self._conclude_policy()

    def _conclude_heads(self) -> None:
        report = self.report
        if self.source.root is not None and self.source.root != report.root:
            report.add(Verdict.TAMPERED, f"the root that is kept for size {report.size} is not that of the entries")
        self._conclude_beyond()
        for head, root in self.astray:
            self._conclude_astray(head, root)
        if self.newest is None:
            if report.verdict is Verdict.VERIFIED:
                report.add(Verdict.INCOMPLETE, "expected a signed checkpoint of this log, found none")
            report.uncovered = report.size
            return
        report.newest = Head(self.newest.size, self.newest.root, self.newest.witnesses, self.newest.at_s)
        report.uncovered = report.size - self.newest.size
        if report.uncovered:
            report.warnings.append(
                f"the last {report.uncovered} entries stand after the newest checkpoint: signed one by one, "
                "but their order and number by nobody yet"
            )

    def _conclude_astray(self, head: HeadSeen, root: bytes) -> None:
        """Report a signed head that the entries do not lead to: a fork if another signed head says what they say."""
        what = f"the log signed root {head.root.hex()} at size {head.size}, the entries lead to {root.hex()}"
        twin = next((other for other, _ in self.astray if other.size == head.size and other.root != head.root), None)
        later = self.newest if self.newest is not None and self.newest.size >= head.size else twin
        if later is None:
            below = self.newest.size if self.newest else 0
            self.report.add(Verdict.TAMPERED, f"{what}: something changed from entry {below} to {head.size - 1}")
            return
        self.report.add(Verdict.FORK, f"{what}, and it signed that as well")
        self.report.fork = self.report.fork or (head.note, later.note)

    def _conclude_beyond(self) -> None:
        """Signed heads that are larger than the log: it was cut, or an old copy was put in its place."""
        while self.next_head is not None:
            size, note = self.next_head
            self.next_head = next(self.kept, None)
            try:
                head = see_head(note, size=size, trust=self.trust)
            except TlogError as error:
                self.report.add(Verdict.TAMPERED, f"the checkpoint of size {size}: {error}")
                continue
            if head.size <= self.report.size:
                self._compare(head, self.report.root)  # the empty log has heads and no stretch
                continue
            what = f"the log signed {head.size} entries, {self.report.size} are there: it was rolled back or cut"
            self.report.add(Verdict.FORK, what)
            self.report.fork = self.report.fork or (note, self.newest.note if self.newest else b"")

    def _conclude_policy(self) -> None:
        report, demand = self.report, self.demand
        if report.last_ts > self.keyring.expires:
            report.add(Verdict.POLICY, f"the keyring expired at {self.keyring.expires}, before the last entry")
        if report.quorum and report.witnessed is None:
            report.add(Verdict.POLICY, f"expected a head with {report.quorum} witnesses, found none")
        at_s = report.witnessed.witnessed_at_s if report.witnessed else 0
        if at_s < demand.witnessed_since_s:
            report.add(Verdict.POLICY, f"the newest cosignature is of time {at_s}: stale")
        if report.closed and report.open_intents:
            report.warnings.append(f"{len(report.open_intents)} exchanges of a closed segment have no outcome in it")
        if report.carried:
            logs = ", ".join(sorted({each.log for each in report.carried}))
            report.warnings.append(
                f"{len(report.carried)} outcomes end exchanges of {logs}: check it together with this"
            )
