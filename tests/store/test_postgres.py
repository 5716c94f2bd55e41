"""The ledger on PostgreSQL: the same meaning, several replicas at once, rows that nobody changes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from phigate.errors import LedgerStateError, UnavailableError
from phigate.store.duties import Rhythm
from phigate.store.key_folder import ledger_keys
from phigate.store.ledger import LedgerLimits, StoreLedger
from phigate.store.open import open_ledger
from phigate.store.postgres import PostgresStorage
from phigate.store.source import DatabaseSource
from phigate.store.storage import CommitUnknownError, StorageError, Trouble
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Report, Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import ORIGIN, an_intent, an_outcome

pytestmark = pytest.mark.anyio


def a_ledger(url: str, keys: Path, **options: Any) -> StoreLedger:
    name = options.pop("replica", "gw")
    return open_ledger(url, keys_folder=keys, origin=options.pop("origin", ORIGIN), replica=name, **options)


def records(url: str) -> list[Record]:
    with DatabaseSource(url) as source:
        return [parse_entry(bytes(row.entry)) for row in source.rows(0, source.size)]


def assert_verified(url: str) -> Report:
    with DatabaseSource(url) as source:
        report = verify(source, Demand())
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    return report


def administrate(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


async def test_exchanges_and_boots_verify_as_on_sqlite(postgres: str, tmp_path: Path) -> None:
    for _ in range(2):
        async with a_ledger(postgres, tmp_path) as ledger:
            drafts = [an_intent() for _ in range(300)]
            receipts = await asyncio.gather(*(ledger.append(draft) for draft in drafts))
            await asyncio.gather(*(ledger.append(an_outcome(d.rid, r)) for d, r in zip(drafts, receipts, strict=True)))
    report = assert_verified(postgres)
    assert report.boots == 2
    assert report.open_intents == []
    assert report.kinds["outcome"] == 600


async def test_two_replicas_in_one_process_share_the_log(postgres: str, tmp_path: Path) -> None:
    async with a_ledger(postgres, tmp_path, replica="a") as one, a_ledger(postgres, tmp_path, replica="b") as two:
        receipts = await asyncio.gather(*((one, two)[n % 2].append(an_intent()) for n in range(600)))
        first = an_intent()
        await one.append(first)
        with pytest.raises(UnavailableError) as caught:
            await two.append(an_intent(first.rid))
        assert caught.value.code == "entry_duplicate"
    assert len({receipt.index for receipt in receipts}) == 600
    report = assert_verified(postgres)
    assert report.kinds["genesis"] == 1
    assert report.boots == 2


async def test_replicas_that_start_at_once_begin_the_log_once(postgres: str, tmp_path: Path) -> None:
    ledgers = [a_ledger(postgres, tmp_path, replica=f"gw-{n}") for n in range(4)]
    await asyncio.gather(*(ledger.start() for ledger in ledgers))
    await asyncio.gather(*(ledger.append(an_intent()) for ledger in ledgers))
    await asyncio.gather(*(ledger.close() for ledger in ledgers))
    assert assert_verified(postgres).kinds["genesis"] == 1


async def test_two_origins_live_in_one_database(postgres: str, tmp_path: Path) -> None:
    other = "audit.test/phigate/2027h1"
    async with a_ledger(postgres, tmp_path) as one, a_ledger(postgres, tmp_path, origin=other) as two:
        await one.append(an_intent())
        await two.append(an_intent())
    for origin in (ORIGIN, other):
        with DatabaseSource(postgres, origin=origin) as source:
            assert verify(source, Demand()).verdict is Verdict.VERIFIED


def test_processes_racing_on_one_head_give_each_entry_one_place(postgres: str, tmp_path: Path) -> None:
    ledger_keys(tmp_path, origin=ORIGIN, now=1_795_000_000)
    command = [sys.executable, "-m", "tests.store.replica", postgres, str(tmp_path)]
    processes = [
        subprocess.Popen([*command, f"gw-{n}", "1.5", "3"], stdout=subprocess.PIPE, text=True) for n in range(4)
    ]
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    acknowledged = dict(line.split() for lines in outputs for line in lines if line != "ready")
    assert "refused" not in acknowledged
    stands = {str(index): record.rid for index, record in enumerate(records(postgres))}
    assert all(stands[index] == rid for index, rid in acknowledged.items())
    report = assert_verified(postgres)
    assert report.kinds["intent"] == sum(len(lines) - 1 for lines in outputs) == len(acknowledged)
    print(f"4 processes, {len(acknowledged)} acknowledged entries, 0 lost")


async def test_intents_of_a_dead_replica_end_after_its_lease_and_of_a_living_one_do_not(
    postgres: str, tmp_path: Path
) -> None:
    rhythm = Rhythm(heartbeat_s=0.1, reconcile_s=0.1, lease_s=0.5)
    async with a_ledger(postgres, tmp_path, replica="alive", rhythm=rhythm) as alive:
        mine = an_intent()
        await alive.append(mine)
        dead = a_ledger(postgres, tmp_path, replica="dead")
        await dead.start()
        lost = an_intent()
        await dead.append(lost)
        dead._duties.end = lambda: None  # type: ignore[method-assign]
        await dead.close()
        await asyncio.sleep(1.5)
        other = a_ledger(postgres, tmp_path, replica="other", rhythm=rhythm)
        await other.start()
        await asyncio.sleep(0.5)
        await other.close()
    ended = [(r.rid, r.fields["status"]) for r in records(postgres) if r.kind == "outcome"]
    assert ended == [(lost.rid, "unknown")]
    assert_verified(postgres)


FORBIDDEN = [
    *(
        f"DELETE FROM {t}"
        for t in ("ledger_entry", "ledger_batch", "ledger_checkpoint", "ledger_anchor", "ledger_head")
    ),
    *(f"UPDATE {t} SET log_id = 2" for t in ("ledger_entry", "ledger_batch", "ledger_checkpoint", "ledger_anchor")),
    *(f"TRUNCATE {t}" for t in ("ledger_entry", "ledger_batch", "ledger_checkpoint", "ledger_tile", "ledger_head")),
    "UPDATE ledger_head SET size = 1",
    "UPDATE ledger_head SET root = '\\x00'",
    "INSERT INTO ledger_entry SELECT * FROM ledger_entry ON CONFLICT (log_id, idx) DO UPDATE SET entry = '\\x00'",
]


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_rows_are_never_changed_even_with_ordinary_triggers_off(
    postgres: str, tmp_path: Path, statement: str, role: str
) -> None:
    async with a_ledger(postgres, tmp_path) as ledger:
        await ledger.append(an_intent())
    with pytest.raises(sa.exc.DBAPIError, match=r"never changed or deleted|only grows"):
        administrate(postgres, f"SET session_replication_role = {role}", statement)
    assert_verified(postgres)


async def test_a_rolled_back_database_stops_a_replica(postgres: str, tmp_path: Path) -> None:
    async with a_ledger(postgres, tmp_path, limits=LedgerLimits(deadline_s=1.0)) as ledger:
        await ledger.append(an_intent())
        early = ledger.writer.head
        assert early is not None
        await ledger.append(an_intent())
        administrate(
            postgres,
            "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
            "ALTER TABLE ledger_head DISABLE TRIGGER ALL",
            f"DELETE FROM ledger_entry WHERE idx >= {early.size}",
            f"UPDATE ledger_head SET size = {early.size}, root = '\\x{early.root.hex()}',"
            f" frontier = '\\x{early.frontier.hex()}'",
        )
        with pytest.raises(UnavailableError, match="it was rolled back"):
            await ledger.append(an_intent())


async def test_a_head_locked_by_somebody_else_is_unavailable_in_time_and_then_works(
    postgres: str, tmp_path: Path
) -> None:
    engine = sa.create_engine(postgres, poolclass=sa.pool.NullPool)
    async with a_ledger(postgres, tmp_path, limits=LedgerLimits(deadline_s=0.5)) as ledger:
        await ledger.append(an_intent())
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT * FROM ledger_head FOR UPDATE"))
            with pytest.raises(UnavailableError) as caught:
                await ledger.append(an_intent())
            assert caught.value.code == "ledger_unavailable"
            connection.rollback()
        for _ in range(50):
            try:
                await ledger.append(an_intent())
                break
            except UnavailableError:
                await asyncio.sleep(0.05)
    assert_verified(postgres)


async def test_a_server_cut_connection_is_replaced(postgres: str, tmp_path: Path) -> None:
    async with a_ledger(postgres, tmp_path) as ledger:
        for _ in range(5):
            await ledger.append(an_intent())
            administrate(
                postgres,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
        await ledger.append(an_intent())
    assert assert_verified(postgres).kinds["intent"] == 6


def test_a_server_that_forgets_is_refused(postgres: str) -> None:
    name = urlsplit(postgres).path.strip("/")
    administrate(postgres, f"ALTER DATABASE {name} SET synchronous_commit = off")
    storage = PostgresStorage(postgres)
    with pytest.raises(LedgerStateError, match="a server with synchronous_commit = on, found off"):
        storage.open()
    storage.close()
    storage.release()


def test_without_a_connection_nothing_is_pretended(tmp_path: Path) -> None:
    storage = PostgresStorage(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    with pytest.raises(StorageError) as caught:
        storage.open()
    assert caught.value.trouble is Trouble.DOWN
    with pytest.raises(StorageError, match="without a connection"):
        storage.begin(ORIGIN)
    with pytest.raises(CommitUnknownError):
        storage.commit()
    storage.rollback()
    storage.close()
    storage.release()
