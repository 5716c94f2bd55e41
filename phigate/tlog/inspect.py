"""Check one stretch of a log by itself: all that costs time, so that every core can take a stretch.

Each entry is parsed, hashed, compared to its tile and columns, and its signature verified; each head that ends within
the stretch has its signatures verified. What only the whole log can tell (roots, counters across stretches, intents
that end later) is handed back in small.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from phigate.tlog.canonical import JSON
from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.cosign import cosignatures
from phigate.tlog.errors import CheckError, TlogError
from phigate.tlog.keyring import ListedKey
from phigate.tlog.merkle import Frontier, leaf_hash
from phigate.tlog.note import VerifierKey
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.signers import GENESIS, KEY, RecordKey, SignerID, check_record
from phigate.tlog.source import Columns, Stretch
from phigate.tlog.tile import WIDTH, TileID, split_hashes, subtree

MAX_PROBLEMS: Final = 20  # of one stretch; a count tells of the rest


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count, for one origin."""

    origin: str
    heads: tuple[ListedKey, ...]
    witnesses: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One stretch and what it is compared to. ``sizes`` are the tree sizes at which a root is wanted."""

    stretch: Stretch
    trust: Trust
    keys: Mapping[SignerID, RecordKey]
    tiles: tuple[bytes | None, ...]  # of level 0, None where it is not kept
    heads: tuple[tuple[int, bytes], ...] = ()
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """A head whose signature verified: how many witnesses vouched, and the newest time of these."""

    size: int
    root: bytes
    note: bytes
    witnesses: int = 0
    at_s: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Successive entries of one boot, counted without a gap."""

    boot: str
    first: int
    last: int
    index: int  # of the first


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent as its outcome must name it."""

    rid: str
    attempt: int
    index: int
    leaf: str


@dataclass(frozen=True, slots=True)
class Carried:
    """An outcome whose intent stands in an earlier segment, which alone can tell whether it fits."""

    index: int
    log: str
    intent: Intent


@dataclass(frozen=True, slots=True)
class Gone:
    """A segment that a `destruction` entry says was dropped: what stood in it, and where that is said."""

    origin: str
    size: int
    root: str
    index: int


@dataclass(slots=True)
class Seen:
    """What a stretch held. Small, since it travels between processes."""

    start: int
    count: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    more_problems: int = 0
    tree: bytes = b""  # frontier of the stretch taken as a tree of its own
    tile_roots: list[bytes] = field(default_factory=list)
    edge: bytes = b""  # hashes of the last tile, where it is not full
    roots: dict[int, bytes] = field(default_factory=dict)  # of the stretch up to each wanted size
    heads: list[HeadSeen] = field(default_factory=list)
    bad_heads: list[tuple[int, str]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    runs: list[Run] = field(default_factory=list)
    losses: list[tuple[str, int, int]] = field(default_factory=list)  # boot, first and last number that never came
    intents: list[Intent] = field(default_factory=list)  # without an outcome in this stretch
    outcomes: list[tuple[int, Intent]] = field(default_factory=list)  # index, and the earlier intent that it names
    carried: list[Carried] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    once: bytes = b""  # eight bytes for each intent, to find two of one attempt
    first_ts: str = ""
    last_ts: str = ""
    closed: int = -1  # index of the segment_close
    next: str = ""  # the origin that the segment_close names
    previous: Mapping[str, JSON] | None = None  # of the genesis


def inspect(task: Task) -> Seen:
    """Check a stretch. Never raises for what an entry holds: that is a problem, with its index."""
    return _Inspector(task).run()


def attempt_id(rid: str, attempt: int) -> int:
    """Return 64 bits that stand for one attempt of one exchange; two that collide are compared in full later."""
    return (int(rid.replace("-", ""), 16) ^ attempt * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF


class _Inspector:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.seen = Seen(task.stretch.start)
        self.open: dict[tuple[str, int], Intent] = {}
        self.runs: dict[str, Run] = {}
        self.once = array("Q")

    def run(self) -> Seen:
        seen, stretch = self.seen, self.task.stretch
        leaves = self._hash()
        columns: Sequence[Columns | None] = stretch.columns or (None,) * len(stretch.entries)
        for index, (data, row) in enumerate(zip(stretch.entries, columns, strict=True), stretch.start):
            leaf = leaves[index - stretch.start]
            try:
                record = parse_entry(data)
                self._check_place(record, row, leaf)
                if record.kind not in {GENESIS, KEY}:  # whose rules need the log before them: see Signers.learn
                    check_record(record, index=index, keys=self.task.keys)
                self._follow(record, index, leaf)
            except TlogError as error:
                self._problem(index, str(error))
        seen.intents = list(self.open.values())
        seen.runs.extend(self.runs.values())
        seen.once = self.once.tobytes()
        self._check_heads()
        return seen

    def _problem(self, index: int, what: str) -> None:
        if len(self.seen.problems) < MAX_PROBLEMS:
            self.seen.problems.append((index, what))
        else:
            self.seen.more_problems += 1

    def _hash(self) -> list[bytes]:
        """Hash all entries, compare the tiles, and keep the roots that are wanted."""
        seen, start = self.seen, self.task.stretch.start
        leaves = [leaf_hash(entry) for entry in self.task.stretch.entries]
        wanted = {size - start for size in self.task.sizes}
        tree = Frontier()
        for count, leaf in enumerate(leaves, 1):
            tree.append(leaf)
            if count in wanted:
                seen.roots[start + count] = tree.root()
        for number, tile in enumerate(self.task.tiles):
            self._check_tile(number, tile, leaves[number * WIDTH : (number + 1) * WIDTH])
        seen.count, seen.tree = len(leaves), tree.to_bytes()
        seen.tile_roots = [subtree(leaves, 8, number) for number in range(len(leaves) // WIDTH)]
        seen.edge = b"".join(leaves[len(leaves) // WIDTH * WIDTH :])
        return leaves

    def _check_tile(self, number: int, tile: bytes | None, leaves: Sequence[bytes]) -> None:
        if tile is None or tile == b"".join(leaves):
            return
        first = self.task.stretch.start + number * WIDTH
        name = TileID(0, first // WIDTH, len(leaves)).path
        try:
            kept = split_hashes(tile, width=len(leaves))
        except TlogError as error:
            self._problem(first, f"{name}: {error}")
            return
        at = next(at for at, (one, other) in enumerate(zip(kept, leaves, strict=True)) if one != other)
        self._problem(first + at, f"the entry does not hash to its place in {name}")

    def _check_place(self, record: Record, row: Columns | None, leaf: bytes) -> None:
        if record.log != self.task.trust.origin:
            raise CheckError(f"expected an entry of {self.task.trust.origin}, found one of {record.log}")
        if row is None:
            return
        if row.leaf != leaf:
            raise CheckError("the entry does not hash to the leaf that is kept beside it")
        said = (record.eid, record.kind, record.rid, record.attempt)
        # An entry may speak of an exchange without being one of its two: those alone must be found by it.
        rid = record.rid if row.rid is None and not record.attempt else row.rid or ""
        if said != (row.eid, row.kind, rid, row.attempt or 0):
            raise CheckError("the columns eid, kind, rid and attempt are not what the entry says")

    def _follow(self, record: Record, index: int, leaf: bytes) -> None:
        """Take in what later entries are compared to."""
        seen = self.seen
        seen.kinds[record.kind] += 1
        seen.first_ts = seen.first_ts or record.ts
        seen.last_ts = max(seen.last_ts, record.ts)
        self._count(record, index)
        match record.kind:
            case "intent":
                self._begin(Intent(record.rid, record.attempt, index, leaf.hex()))
            case "outcome":
                self._end(record, index)
            case "loss":
                seen.losses.extend(_lost(record))
            case "segment_close":
                seen.closed, seen.next = index, str(record.fields.get("next", ""))
            case "destruction":
                seen.gone.append(_gone(record, index))
            case "genesis":
                previous = record.fields.get("previous")
                seen.previous = previous if isinstance(previous, dict) else None
            case _:
                pass

    def _count(self, record: Record, index: int) -> None:
        run = self.runs.get(record.boot)
        if run is not None and record.seq == run.last + 1:
            self.runs[record.boot] = Run(run.boot, run.first, record.seq, run.index)
            return
        if run is not None:
            self.seen.runs.append(run)
        self.runs[record.boot] = Run(record.boot, record.seq, record.seq, index)

    def _begin(self, intent: Intent) -> None:
        if not intent.attempt:
            raise CheckError("expected an intent to name its exchange and attempt")
        if (intent.rid, intent.attempt) in self.open:
            raise CheckError("a second intent of the same attempt")
        self.open[intent.rid, intent.attempt] = intent
        self.once.append(attempt_id(intent.rid, intent.attempt))

    def _end(self, record: Record, index: int) -> None:
        named = record.fields.get("intent")
        at, leaf = (named.get("idx"), named.get("leaf")) if isinstance(named, dict) else (None, None)
        log = named.get("log", "") if isinstance(named, dict) else ""
        elsewhere = isinstance(log, str) and log not in {"", record.log}
        if type(at) is not int or not isinstance(leaf, str) or not record.attempt or (at >= index and not elsewhere):
            raise CheckError("expected an outcome to name the intent before it, by index and leaf")
        if log and not elsewhere:
            raise CheckError("expected an outcome to name the log of its intent only where that is another")
        outcome = Intent(record.rid, record.attempt, at, leaf)
        if isinstance(log, str) and elsewhere:
            self.seen.carried.append(Carried(index, log, outcome))
            return
        intent = self.open.get((record.rid, record.attempt))
        if intent is None:
            self.seen.outcomes.append((index, outcome))
        elif intent == outcome:
            del self.open[record.rid, record.attempt]
        else:
            raise CheckError("the outcome names another intent than that of its attempt")

    def _check_heads(self) -> None:
        for size, data in self.task.heads:
            try:
                self.seen.heads.append(see_head(data, size=size, trust=self.task.trust))
            except TlogError as error:
                self.seen.bad_heads.append((size, str(error)))


def see_head(data: bytes, *, size: int | None, trust: Trust) -> HeadSeen:
    """Verify the signatures of one checkpoint, its witnesses' included. Raises `TlogError`."""
    signed = SignedCheckpoint.from_bytes(data)
    head = signed.head
    if size is not None and head.size != size:
        raise CheckError(f"expected the checkpoint of size {size}, found that of {head.size}")
    keys = [listed.key for listed in trust.heads if listed.holds_size(head.size)]
    signed.verify(origin=trust.origin, keys=keys)
    seen = cosignatures(signed.note, trust.witnesses)
    return HeadSeen(head.size, head.root, data, len(seen), max((each.at_s for each in seen), default=0))


def _gone(record: Record, index: int) -> Gone:
    origin, size, root = (record.fields.get(name) for name in ("segment", "size", "root"))
    if not isinstance(origin, str) or type(size) is not int or not isinstance(root, str):
        raise CheckError("expected a destruction to name a segment, its size and its root")
    return Gone(origin, size, root, index)


def _lost(record: Record) -> list[tuple[str, int, int]]:
    rows = record.fields.get("seqs", [])
    pairs = rows if isinstance(rows, list) else []
    return [
        (record.boot, row[0], row[1])
        for row in pairs
        if isinstance(row, list) and len(row) == 2 and type(row[0]) is int and type(row[1]) is int
    ]
