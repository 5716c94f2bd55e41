"""The database itself refuses to change or lose a row: triggers, recursive triggers, authorizer, file mode."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from phigate.errors import LedgerStateError
from phigate.store.growth import advance, frontier_of, full_tiles
from phigate.store.sqlite import SQLiteStorage
from phigate.store.storage import CommitUnknownError, Growth, Row, StorageError, Trouble
from phigate.tlog.merkle import leaf_hash

ORIGIN = "audit.test/x"
TABLES = ["ledger_entry", "ledger_tile", "ledger_batch", "ledger_checkpoint", "ledger_anchor", "ledger_head"]


def write(storage: SQLiteStorage, count: int) -> None:
    head = storage.begin(ORIGIN) or storage.create(ORIGIN)
    rows = []
    for idx in range(head.size, head.size + count):
        entry = b"entry %d" % idx
        rows.append(Row(idx, f"e{idx}", "intent", f"r{idx}", 1, entry, leaf_hash(entry)))
    leaves = [row.leaf for row in rows]
    tiles = full_tiles(storage, log_id=1, size=head.size, leaves=leaves)
    grown = advance(head, frontier_of(head), leaves=leaves, ts=1)
    storage.grow(Growth(rows, tiles, grown, 1))
    storage.add_checkpoint(1, grown.size, b"note")
    storage.add_anchor(1, grown.size, "keyring", b"blob")
    storage.commit()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "ledger.db")
    storage.open()
    write(storage, 300)
    yield storage
    storage.close()
    storage.release()


@pytest.fixture
def outside(storage: SQLiteStorage) -> Iterator[sqlite3.Connection]:
    """Another program with the file open, and SQLite's default settings."""
    connection = sqlite3.connect(storage.path, isolation_level=None)
    yield connection
    connection.close()


FORBIDDEN = [
    *(f"DELETE FROM {table}" for table in TABLES),
    *(f"UPDATE {table} SET log_id = 2" for table in TABLES),
    *(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1" for table in TABLES),
    *(f"REPLACE INTO {table} SELECT * FROM {table} LIMIT 1" for table in TABLES),
    "UPDATE ledger_entry SET entry = x'00' WHERE idx = 3",
    # a new place, so that only the unique indexes are in the way: OR REPLACE would delete the old row
    (
        "INSERT OR REPLACE INTO ledger_entry SELECT log_id, 300, eid, kind, 'r', attempt, entry, leaf"
        " FROM ledger_entry WHERE idx = 3"
    ),
    (
        "INSERT OR REPLACE INTO ledger_entry SELECT log_id, 300, 'new', kind, rid, attempt, entry, leaf"
        " FROM ledger_entry WHERE idx = 3"
    ),
    (
        "INSERT INTO ledger_entry SELECT log_id, 301, 'new', kind, 'new', attempt, entry, leaf"
        " FROM ledger_entry WHERE idx = 3"
    ),
    "UPDATE ledger_head SET size = 1",
    "UPDATE ledger_head SET root = zeroblob(32)",
    "UPDATE ledger_head SET last_ts = 0",
    "INSERT INTO ledger_batch VALUES (1, 2, zeroblob(32), 0)",
    "INSERT INTO ledger_checkpoint VALUES (1, 2, zeroblob(32))",
    "INSERT INTO ledger_tile VALUES (1, 0, 7, zeroblob(32))",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_another_program_cannot_change_or_replace_rows(outside: sqlite3.Connection, statement: str) -> None:
    before = list(outside.iterdump())
    with pytest.raises(sqlite3.IntegrityError, match=r"never (changed|deleted)|not the next row|only grows"):
        outside.execute(statement)
    assert list(outside.iterdump()) == before


@pytest.mark.parametrize(
    "statement",
    [
        *FORBIDDEN,
        "DROP TRIGGER ledger_entry_next",
        "DROP TABLE ledger_entry",
        "ALTER TABLE ledger_entry RENAME TO gone",
        "CREATE TEMP TRIGGER t BEFORE INSERT ON ledger_entry BEGIN SELECT 1; END",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA writable_schema = ON",
        "ATTACH DATABASE ':memory:' AS other",
    ],
)
def test_this_process_cannot_either(storage: SQLiteStorage, statement: str) -> None:
    with pytest.raises(StorageError):
        storage._run(statement)
    storage.rollback()
    assert len(storage.rows(1, 0, 1000)) == 300


def test_the_connection_syncs_every_commit(storage: SQLiteStorage) -> None:
    said = {name: storage._run(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "mmap_size")}
    assert said == {"journal_mode": "wal", "synchronous": 2, "mmap_size": 0}
    assert storage._run("PRAGMA recursive_triggers")[0][0] == 1


def test_the_file_is_for_its_owner_alone(storage: SQLiteStorage) -> None:
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"):
        assert stat.S_IMODE((storage.path.parent / name).stat().st_mode) == 0o600


def test_a_second_writer_is_kept_out_until_the_first_lets_go(storage: SQLiteStorage) -> None:
    other = SQLiteStorage(storage.path)
    with pytest.raises(LedgerStateError, match=r"only process that appends to ledger.db"):
        other.open()
    storage.close()
    with pytest.raises(LedgerStateError):
        other.open()  # closed for a moment is not given up
    storage.open()
    write(storage, 1)


def test_without_a_connection_nothing_is_pretended(tmp_path: Path) -> None:
    storage = SQLiteStorage(tmp_path / "x.db")
    with pytest.raises(StorageError, match="without a connection"):
        storage.begin(ORIGIN)
    with pytest.raises(StorageError, match="without a connection"):
        storage._many("", [(1,)])
    with pytest.raises(CommitUnknownError):
        storage.commit()
    storage.rollback()
    storage.close()
    storage.release()


def test_a_locked_database_is_down_and_a_damaged_one_damaged(
    storage: SQLiteStorage, outside: sqlite3.Connection
) -> None:
    storage._run("PRAGMA busy_timeout = 10")
    outside.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as caught:
        storage.begin(ORIGIN)
    assert caught.value.trouble is Trouble.DOWN
    outside.execute("ROLLBACK")
    with pytest.raises(StorageError) as caught:
        storage._run("SELECT no_such_column FROM ledger_entry")
    assert caught.value.trouble is Trouble.DAMAGED


def test_a_full_disk_is_full(storage: SQLiteStorage) -> None:
    pages = storage._run("PRAGMA page_count")[0][0]
    storage._run(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError) as caught:
        write(storage, 2000)
    assert caught.value.trouble is Trouble.FULL
    storage.rollback()
    storage._run("PRAGMA max_page_count = 1000000")
    write(storage, 2000)
    assert len(storage.leaves(1, 0, 5000)) == 2300


def test_a_folder_that_cannot_be_written_to_is_down(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    storage = SQLiteStorage(tmp_path / "ledger.db")
    storage._take_lock()
    storage.path = blocked / "ledger.db"
    with pytest.raises(StorageError) as caught:
        storage.open()
    assert caught.value.trouble is Trouble.DOWN
    storage.release()


def test_lookups_find_what_stands(storage: SQLiteStorage) -> None:
    found = storage.find(1, ["e3", "e299", "e300"])
    assert found == {f"e{n}": (n, leaf_hash(b"entry %d" % n)) for n in (3, 299)}
    assert storage.taken(1, [("r3", 1, "intent"), ("r3", 1, "outcome")]) == {("r3", 1, "intent")}
    assert storage.batch_root(1, 300) is not None
    assert storage.batch_root(1, 299) is None
    assert storage.newest_checkpoint(1) == b"note"
    assert storage.newest_anchor(1, "keyring") == b"blob"
    assert storage.newest_anchor(1, "tsa") is None
    assert [row.idx for row in storage.open_intents(1, 298)] == [298, 299]
    assert len(storage.tiles(1, 0, 0, 9)) == 1


def test_a_closed_log_never_grows(storage: SQLiteStorage) -> None:
    storage.begin(ORIGIN)
    storage.close_head(1)
    storage.commit()
    with pytest.raises(StorageError) as caught:
        write(storage, 1)
    assert caught.value.trouble is Trouble.CLASH
    storage.rollback()
    head = storage.begin(ORIGIN)
    assert head is not None
    assert head.closed
    storage.rollback()
