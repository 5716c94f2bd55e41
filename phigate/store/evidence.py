"""Evidence to hand out: the proof of one entry, and exports on a disk, as a folder or as one tar file.

An export is written beside its name and moved there when it is whole, so that one which was cut short is never taken
for an export. The same log at the same checkpoint gives the same bytes, times and modes included.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from phigate.errors import SettingsError
from phigate.signing import sync_folder
from phigate.store.source import DatabaseSource
from phigate.tlog.checkpoint import SignedCheckpoint
from phigate.tlog.errors import IncompleteError
from phigate.tlog.export import export
from phigate.tlog.keyring import Role, open_keyring
from phigate.tlog.merkle import inclusion_proof, leaf_hash
from phigate.tlog.proof import Proof
from phigate.tlog.record import parse_entry
from phigate.tlog.single import Proven
from phigate.tlog.source import Source
from phigate.tlog.tile import node_reader

Progress = Callable[[int], None]  # bytes written so far


def prove(source: DatabaseSource, index: int) -> Proven:
    """Return an entry and its proof under the newest published checkpoint. Raises `TlogError` when that fails."""
    note = source.published()
    if note is None:
        raise IncompleteError("expected a signed checkpoint, found none yet")
    checkpoint = SignedCheckpoint.from_bytes(note)
    if index >= checkpoint.head.size:  # newer than what witnesses have seen
        checkpoint = SignedCheckpoint.from_bytes(source.newest_checkpoint() or note)
    size = checkpoint.head.size
    if not 0 <= index < size:
        raise IncompleteError(f"expected an index below the {size} entries of the newest checkpoint, found {index}")
    rows = source.rows(index, index + 1)
    if not rows:
        raise IncompleteError(f"expected entry {index}, found none")
    entry = bytes(rows[0].entry)
    path = inclusion_proof(index=index, size=size, node=node_reader(size, source.any_tile))
    proof = Proof(index, path, checkpoint)
    keyring = source.keyring()
    if keyring is not None:  # nothing is handed out that its receiver would refuse
        keys = [listed.key for listed in open_keyring(keyring).listed(Role.CHECKPOINT, source.origin)]
        proof.verify(leaf=leaf_hash(entry), origin=source.origin, keys=keys)
    return Proven(entry, proof.to_bytes())


def introduction(source: DatabaseSource, index: int) -> int | None:
    """Return the index of the key entry that introduced the key of an entry's boot; None for a key entry itself."""
    rows = source.rows(index, index + 1)
    if not rows or rows[0].kind in {"key", "genesis"}:
        return None
    boot = parse_entry(bytes(rows[0].entry)).boot
    for row in source.key_rows(index):
        if parse_entry(bytes(row.entry)).boot == boot:
            return int(row.idx)
    return None


def write_export(source: Source, checkpoint: bytes, place: Path, *, progress: Progress | None = None) -> int:
    """Write an export to a folder, or to one file when the name ends in .tar. Returns its size in bytes.

    Raises `SettingsError` where something stands already, `TlogError` when the entries do not lead to the checkpoint.
    """
    if place.exists():
        raise SettingsError(f"expected nothing at {place}, found something: an export is never overwritten")
    part = place.with_name(f".{place.name}.part")
    if part.is_dir():
        shutil.rmtree(part)
    part.unlink(missing_ok=True)
    written = 0
    put = _tar(part) if place.suffix == ".tar" else _folder(part)
    try:
        for path, data in export(source, checkpoint):
            put(path, data)
            written += len(data)
            if progress is not None:
                progress(written)
    finally:
        put("", b"")
    part.replace(place)
    sync_folder(place.parent)
    return written


def _folder(root: Path) -> Callable[[str, bytes], None]:
    def put(path: str, data: bytes) -> None:
        if path:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())

    root.mkdir(parents=True)
    return put


def _tar(place: Path) -> Callable[[str, bytes], None]:
    """Return a writer of one plain tar file; an empty path ends it. Owner, mode and time are fixed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    out = place.open("wb")
    archive = tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by put

    def put(path: str, data: bytes) -> None:
        if not path:
            archive.close()
            out.flush()
            os.fsync(out.fileno())
            out.close()
            return
        member = tarfile.TarInfo(path)
        member.size, member.mode = len(data), 0o644
        archive.addfile(member, io.BytesIO(data))

    return put
