"""Builds small logs by the rules of the format, and lets a test break each rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from phigate.tlog.checkpoint import Checkpoint
from phigate.tlog.cosign import cosign
from phigate.tlog.keyring import Keyring, ListedKey, Role, sign_keyring
from phigate.tlog.merkle import Frontier, TreeSize, leaf_hash
from phigate.tlog.note import KeyType, Note, sign_note
from phigate.tlog.record import make_entry, parse_entry
from phigate.tlog.source import STRETCH, Columns, Stretch
from phigate.tlog.tile import WIDTH, TileID, tiles_of
from tests.tlog import naive
from tests.tlog.keys import Pair, pair

ORIGIN = "audit.hospital.example/phigate/2026h2"
ROOT = pair("audit.hospital.example/root")
LOG = pair(ORIGIN)
ENROLMENT = pair(f"{ORIGIN}/enrolment")
WITNESSES = [pair(f"w{i}.compliance.example", key_type=KeyType.COSIGNATURE) for i in (1, 2, 3)]
AT_S = 1_790_000_000


def keyring(**changes: Any) -> Keyring:
    listed = (
        ListedKey(LOG.key, Role.CHECKPOINT, ORIGIN),
        ListedKey(ENROLMENT.key, Role.ENROLMENT, ORIGIN),
        *(ListedKey(w.key, Role.WITNESS) for w in WITNESSES),
    )
    return Keyring(
        **{
            "version": 1,
            "issued": "2026-07-01T00:00:00.000000Z",
            "expires": "2027-07-01T00:00:00.000000Z",
            "threshold": 1,
            "roots": (ROOT.key,),
            "keys": listed,
            **changes,
        }
    )


def signed_keyring(**changes: Any) -> bytes:
    return sign_keyring(keyring(**changes), [(ROOT.key, ROOT.sign)])


def uuid(number: int, *, group: int = 0) -> str:
    return f"019abc00-{group:04x}-7000-8000-{number:012x}"


@dataclass
class Boot:
    rep: str
    id: str
    pair: Pair
    seq: int = 0


@dataclass
class LogBuilder:
    """Appends entries; ``entries`` may be changed by the test afterwards."""

    origin: str = ORIGIN
    entries: list[bytes] = field(default_factory=list)
    heads: list[tuple[int, bytes]] = field(default_factory=list)
    boots: int = 0
    eids: int = 0

    def start(self) -> Boot:
        """Write the genesis and introduce the first boot."""
        boot = self.new_boot()
        self.add("genesis", boot, signers=[ENROLMENT], format=1, keyring="sha256:" + "00" * 32)
        self.introduce(boot)
        return boot

    def new_boot(self, rep: str = "gw-1") -> Boot:
        self.boots += 1
        return Boot(rep, f"{self.boots:032x}", pair(f"{self.origin}/{rep}", seed=str(self.boots)))

    def introduce(self, boot: Boot, **changes: Any) -> int:
        vkey = boot.pair.key.to_text()
        fields: dict[str, Any] = {"signers": [boot.pair, ENROLMENT], "op": "add", "role": "record", "vkey": vkey}
        return self.add("key", boot, **fields | changes)

    def retire(self, boot: Boot, **changes: Any) -> int:
        return self.introduce(boot, **{"op": "retire"} | changes)

    def add(self, kind: str, boot: Boot, *, signers: list[Pair] | None = None, **fields: Any) -> int:
        """Append an entry and return its index."""
        self.eids += 1
        body = {
            "v": 1,
            "log": self.origin,
            "kind": kind,
            "eid": uuid(self.eids, group=1),
            "rep": boot.rep,
            "boot": boot.id,
            "seq": boot.seq,
            "ts": f"2026-11-23T18:54:58.{self.eids:06d}Z",
            "mono": self.eids,
            **fields,
        }
        self.entries.append(make_entry(body, [(s.key, s.sign) for s in signers or [boot.pair]]))
        boot.seq += 1
        return len(self.entries) - 1

    def intent(self, boot: Boot, number: int, attempt: int = 1) -> int:
        return self.add("intent", boot, rid=uuid(number), attempt=attempt)

    def outcome(self, boot: Boot, number: int, at: int, attempt: int = 1, **changes: Any) -> int:
        named = {"idx": at, "leaf": leaf_hash(self.entries[at]).hex()}
        fields: dict[str, Any] = {"rid": uuid(number), "attempt": attempt, "intent": named}
        return self.add("outcome", boot, **fields | changes)

    def exchanges(self, boot: Boot, count: int) -> None:
        first = self.eids
        for number in range(first, first + count):
            self.outcome(boot, number, self.intent(boot, number))

    def head(self, *, size: int | None = None, root: bytes | None = None, by: Pair = LOG, witnesses: int = 0) -> bytes:
        """Return a signed checkpoint of what stands now."""
        size = len(self.entries) if size is None else size
        text = Checkpoint(self.origin, TreeSize(size), root or root_of(self.entries[:size])).to_text()
        note = sign_note(text, [(by.key, by.sign)])
        lines = [cosign(text, at_s=AT_S + n, key=w.key, sign=w.sign) for n, w in enumerate(WITNESSES[:witnesses])]
        return Note(text, (*note.signatures, *lines)).to_bytes()

    def publish(self, **changes: Any) -> bytes:
        note = self.head(**changes)
        self.heads.append((len(self.entries), note))
        return note


def root_of(entries: list[bytes]) -> bytes:
    tree = Frontier()
    for entry in entries:
        tree.append(leaf_hash(entry))
    return tree.root()


def columns_of(entry: bytes) -> Columns:
    record = parse_entry(entry)
    about = (record.rid, record.attempt) if record.rid else (None, None)
    return Columns(leaf_hash(entry), record.eid, record.kind, *about)


@dataclass
class MemorySource:
    """A log in memory, as a database would keep it: full tiles, columns, commits."""

    entries: list[bytes]
    heads: list[tuple[int, bytes]]
    keyring_note: bytes | None = field(default_factory=signed_keyring)
    origin: str = ORIGIN
    columns: list[Columns] | None = None
    commits: list[tuple[int, bytes]] = field(default_factory=list)
    tiles: dict[str, bytes] = field(default_factory=dict)
    root: bytes | None = None
    keeps_partial_tiles: bool = False
    claimed: int | None = None

    @classmethod
    def of(cls, log: LogBuilder, **changes: Any) -> MemorySource:
        source = cls(list(log.entries), list(log.heads), **changes)
        source.columns = [columns_of(entry) for entry in source.entries]
        source.commits = [(size, root_of(source.entries[:size])) for size in range(3, len(source.entries), 7)]
        source.root = root_of(source.entries)
        for tile in tiles_of(TreeSize(len(source.entries))):
            if tile.width == WIDTH:
                span = 256**tile.level
                first = tile.index * WIDTH
                row = [naive.mth(source.entries[(first + i) * span : (first + i + 1) * span]) for i in range(WIDTH)]
                source.tiles[tile.path] = b"".join(row)
        return source

    @property
    def size(self) -> int:
        return len(self.entries) if self.claimed is None else self.claimed

    def keyring(self) -> bytes | None:
        return self.keyring_note

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        return iter(self.heads)

    def batches(self) -> Iterator[tuple[int, bytes]]:
        return iter(self.commits)

    def stretches(self) -> Iterator[Stretch]:
        for start in range(0, len(self.entries), STRETCH):
            end = start + STRETCH
            rows = None if self.columns is None else tuple(self.columns[start:end])
            yield Stretch(start, tuple(self.entries[start:end]), rows)

    def tile(self, tile: TileID) -> bytes | None:
        return self.tiles.get(tile.path)
