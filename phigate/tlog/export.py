"""The export directory: a C2SP tlog-tiles log with its keyring, as paths and bytes, and the way back.

    tile/entries/…  tile/0/…  tile/1/…  keyring.note  policy  manifest.json  checkpoint

The same log at the same checkpoint gives the same bytes in the same order. The checkpoint comes last, so that an
export that was cut short has none. Streaming: one stretch and one row of hashes a level are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from phigate.tlog.canonical import encode
from phigate.tlog.checkpoint import Checkpoint, SignedCheckpoint
from phigate.tlog.errors import CheckError, FormatError, GapError, IncompleteError, TlogError
from phigate.tlog.keyring import Keyring, Role, open_keyring
from phigate.tlog.merkle import Frontier, leaf_hash
from phigate.tlog.source import STRETCH, Source, Stretch
from phigate.tlog.tile import (
    HEIGHT,
    MAX_LEVEL,
    WIDTH,
    TileID,
    decode_bundle,
    encode_bundle,
    split_hashes,
    subtree,
)

Read = Callable[[str], bytes | None]  # path -> bytes, None where there is no such file

CHECKPOINT: Final = "checkpoint"
KEYRING: Final = "keyring.note"
POLICY: Final = "policy"
MANIFEST: Final = "manifest.json"


def export(source: Source, checkpoint: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an export at a checkpoint of this log, whose signature is the caller's to check.

    Raises `CheckError`, before the checkpoint is yielded, when the entries do not lead to it.
    """
    head = SignedCheckpoint.from_bytes(checkpoint).head
    digest, files, size_bytes = sha256(), 0, 0
    for path, data in _files(source, head):
        digest.update(f"{sha256(data).hexdigest()}  {path}\n".encode())
        files, size_bytes = files + 1, size_bytes + len(data)
        yield path, data
    manifest = encode(
        {
            "v": 1,
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "files": files,
            "bytes": size_bytes,
            "digest": f"sha256:{digest.hexdigest()}",
        }
    )
    yield MANIFEST, manifest + b"\n"
    yield CHECKPOINT, checkpoint


def _files(source: Source, head: Checkpoint) -> Iterator[tuple[str, bytes]]:
    if head.origin != source.origin:
        raise CheckError(f"expected a checkpoint of {source.origin}, found one of {head.origin}")
    tree, rows = Frontier(), _Rows()
    for entries in _bundles(source, head.size):
        leaves = [leaf_hash(entry) for entry in entries]
        yield TileID(-1, tree.size // WIDTH, len(entries)).path, encode_bundle(entries)
        for leaf in leaves:
            tree.append(leaf)
        yield from rows.push(leaves)
    yield from rows.finish()
    if (tree.size, tree.root()) != (head.size, head.root):
        raise CheckError(f"the entries lead to {tree.size}:{tree.root().hex()}, not to the checkpoint")
    keyring = source.keyring()
    if keyring is not None:
        yield KEYRING, keyring
        yield POLICY, policy(open_keyring(keyring), head.origin)


def _bundles(source: Source, size: int) -> Iterator[Sequence[bytes]]:
    """Yield the first ``size`` entries, 256 at a time."""
    for stretch in source.stretches():
        entries = stretch.entries[: max(0, size - stretch.start)]
        for at in range(0, len(entries), WIDTH):
            yield entries[at : at + WIDTH]


class _Rows:
    """The hash tiles of a growing log, full ones as they fill."""

    def __init__(self) -> None:
        self._rows: list[list[bytes]] = [[] for _ in range(MAX_LEVEL + 1)]
        self._done = [0] * (MAX_LEVEL + 1)

    def push(self, hashes: Sequence[bytes], level: int = 0) -> Iterator[tuple[str, bytes]]:
        row = self._rows[level]
        row.extend(hashes)
        if len(row) == WIDTH:  # rows are pushed so that they fill exactly
            yield TileID(level, self._done[level]).path, b"".join(row)
            self._done[level] += 1
            self._rows[level] = []
            yield from self.push([subtree(row, HEIGHT, 0)], level + 1)

    def finish(self) -> Iterator[tuple[str, bytes]]:
        for level, row in enumerate(self._rows):
            if row:
                yield TileID(level, self._done[level], len(row)).path, b"".join(row)


def policy(keyring: Keyring, origin: str) -> bytes:
    """Return a C2SP tlog-policy for one log: its key, the witnesses, the quorum. For verifiers of other makers."""
    lines = [f"log {listed.key.to_text()}" for listed in keyring.listed(Role.CHECKPOINT, origin)]
    names = []
    for number, listed in enumerate(keyring.listed(Role.WITNESS), 1):
        names.append(f"w{number}")
        lines.append(f"witness w{number} {listed.key.to_text()}")
    if keyring.quorum:
        lines.append(f"group witnesses {keyring.quorum} {' '.join(names)}")
    lines.append(f"quorum {'witnesses' if keyring.quorum else 'none'}")
    return "".join(f"{line}\n" for line in lines).encode()


class ExportSource:
    """An export directory, archive or server as a `Source`: whatever can be read by path."""

    keeps_partial_tiles = True
    root: bytes | None = None

    def __init__(self, read: Read) -> None:
        """Read the checkpoint. Raises `IncompleteError` without one, `FormatError` where it is none."""
        note = read(CHECKPOINT)
        if note is None:
            raise IncompleteError("expected a file checkpoint, found none")
        self._read = read
        self._note = note
        self._head = SignedCheckpoint.from_bytes(note).head

    @property
    def origin(self) -> str:
        """The log that the checkpoint names."""
        return self._head.origin

    @property
    def size(self) -> int:
        """The size that the checkpoint names."""
        return self._head.size

    def keyring(self) -> bytes | None:
        """Return the keyring that was exported."""
        return self._read(KEYRING)

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Yield the one checkpoint."""
        yield self.size, self._note

    def batches(self) -> Iterator[tuple[int, bytes]]:
        """Yield nothing: an export keeps no commits."""
        return iter(())

    def stretches(self) -> Iterator[Stretch]:
        """Yield the entries of the bundles."""
        for start in range(0, self.size, STRETCH):
            entries: list[bytes] = []
            try:
                for first in range(start, min(start + STRETCH, self.size), WIDTH):
                    entries += self._bundle(TileID(-1, first // WIDTH, min(WIDTH, self.size - first)))
            except TlogError:
                if entries:  # what stands before a gap is checked as well
                    yield Stretch(start, tuple(entries))
                raise
            yield Stretch(start, tuple(entries))

    def _bundle(self, tile: TileID) -> Sequence[bytes]:
        data, width = self._kept(tile)
        if data is None:
            raise IncompleteError(f"{tile.path} is not there")
        try:
            return decode_bundle(data, width=width)[: tile.width]
        except FormatError as error:
            raise GapError(f"{tile.path}: {error}", index=tile.index * WIDTH) from error

    def tile(self, tile: TileID) -> bytes | None:
        """Return the hashes of a tile; of a full one as many as are wanted."""
        data, width = self._kept(tile)
        if data is None or width == tile.width:
            return data
        try:
            return b"".join(split_hashes(data, width=width)[: tile.width])
        except TlogError:
            return data  # not a full tile either: whoever compares it says so

    def _kept(self, tile: TileID) -> tuple[bytes | None, int]:
        """Return a tile and its width. A growing log drops a partial tile once the full one stands (tlog-tiles)."""
        data = self._read(tile.path)
        if data is None and tile.width < WIDTH:
            return self._read(TileID(tile.level, tile.index).path), WIDTH
        return data, tile.width
