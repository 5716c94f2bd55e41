"""Puts a log into the places that phigate-verify reads: a folder, an archive, a SQLite file."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Iterable
from pathlib import Path

from phigate.tlog.merkle import Frontier, TreeSize, leaf_hash
from phigate.tlog.tile import TileID
from tests.tlog.logs import MemorySource, signed_keyring

SCHEMA = """
CREATE TABLE ledger_head (log_id INTEGER PRIMARY KEY, origin TEXT, size BIGINT, root BLOB, frontier BLOB,
    last_ts BIGINT, closed BOOLEAN);
CREATE TABLE ledger_entry (log_id INTEGER, idx BIGINT, eid TEXT, kind TEXT, rid TEXT, attempt INTEGER, entry BLOB,
    leaf BLOB, PRIMARY KEY (log_id, idx));
CREATE TABLE ledger_tile (log_id INTEGER, level INTEGER, n BIGINT, hashes BLOB, PRIMARY KEY (log_id, level, n));
CREATE TABLE ledger_batch (log_id INTEGER, size BIGINT, root BLOB, ts BIGINT, PRIMARY KEY (log_id, size));
CREATE TABLE ledger_checkpoint (log_id INTEGER, size BIGINT, note BLOB, PRIMARY KEY (log_id, size));
CREATE TABLE ledger_anchor (log_id INTEGER, size BIGINT, type TEXT, blob BLOB, PRIMARY KEY (log_id, size, type));
"""


def in_folder(files: Iterable[tuple[str, bytes]], folder: Path) -> Path:
    for path, data in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def in_archive(files: Iterable[tuple[str, bytes]], place: Path, *, below: str = "") -> Path:
    with tarfile.open(place, "w:gz" if place.suffix == ".gz" else "w") as archive:
        for path, data in files:
            member = tarfile.TarInfo(below + path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return place


def in_sqlite(source: MemorySource, place: Path, *, log_id: int = 1, keyring: bytes | None = None) -> Path:
    """Write the columns of the ledger that a verifier reads. Called again, it adds another log."""
    frontier = Frontier()
    for entry in source.entries:
        frontier.append(leaf_hash(entry))
    with sqlite3.connect(place) as db:
        if not db.execute("SELECT 1 FROM sqlite_master").fetchall():
            db.executescript(SCHEMA)
        head = (log_id, source.origin, source.size, frontier.root(), frontier.to_bytes(), 0, False)
        db.execute("INSERT INTO ledger_head VALUES (?, ?, ?, ?, ?, ?, ?)", head)
        assert source.columns is not None
        for index, (entry, row) in enumerate(zip(source.entries, source.columns, strict=True)):
            values = (log_id, index, row.eid, row.kind, row.rid, row.attempt, entry, row.leaf)
            db.execute("INSERT INTO ledger_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        for path, hashes in source.tiles.items():
            tile = TileID.from_path(path)
            db.execute("INSERT INTO ledger_tile VALUES (?, ?, ?, ?)", (log_id, tile.level, tile.index, hashes))
        for size, root in source.commits:
            db.execute("INSERT INTO ledger_batch VALUES (?, ?, ?, 0)", (log_id, TreeSize(size), root))
        for size, note in source.heads:
            db.execute("INSERT INTO ledger_checkpoint VALUES (?, ?, ?)", (log_id, size, note))
        note = keyring if keyring is not None else signed_keyring()
        if note:
            db.execute("INSERT INTO ledger_anchor VALUES (?, 0, 'keyring', ?)", (log_id, note))
    db.close()
    return place
