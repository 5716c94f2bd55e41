"""The ledger's speed, each with one command; what is printed names its conditions.

python -m tests.bench.ledger verify FOLDER N     build N signed entries (once), verify them with all cores
python -m tests.bench.ledger start FOLDER N      N entries, filler but for the tail: time of a cold start
python -m tests.bench.ledger export FOLDER       memory that exporting the log of `verify` takes
phigate ledger hammer …                          entries a second, and the latency of an intent with --rate
"""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from phigate.audit.record import JSON, Draft, Kind
from phigate.store.duties import Rhythm
from phigate.store.evidence import write_export
from phigate.store.hammer import _FIELDS
from phigate.store.ledger import StoreLedger
from phigate.store.open import new_id, open_ledger
from phigate.store.source import DatabaseSource
from phigate.store.verifying import verify_log
from phigate.tlog.merkle import Frontier
from phigate.tlog.tile import WIDTH, subtree
from phigate.tlog.verify import Demand

ORIGIN = "bench.invalid/phigate"


def a_ledger(folder: Path, **options: Any) -> StoreLedger:
    url = f"sqlite:///{folder}/ledger.db"
    return open_ledger(url, keys_folder=folder / "keys", origin=ORIGIN, replica="bench", min_free_bytes=0, **options)


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


async def fill(folder: Path, entries: int) -> None:
    async with a_ledger(folder) as ledger:

        async def client() -> None:
            while ledger.size() < entries:
                rid = new_id()
                intent = await ledger.append(Draft(Kind.INTENT, _FIELDS, rid, 1))
                named: dict[str, JSON] = {"idx": intent.index, "leaf": intent.leaf.hex()}
                await ledger.append(Draft(Kind.OUTCOME, {"intent": named, "status": "ok", "latency_ms": 812}, rid, 1))

        await asyncio.gather(*(client() for _ in range(128)))


def verify(folder: Path, entries: int) -> None:
    if not (folder / "ledger.db").exists():
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(fill(folder, entries))
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        began, used = time.monotonic(), cpu_s()
        report = verify_log(source, Demand())
        wall, used = time.monotonic() - began, cpu_s() - used
        each_us, million_s = used / source.size * 1e6, wall / source.size * 1e6
        print(
            f"{source.size} entries, {report.verdict.name}: {wall:.1f} s on {os.cpu_count()} cores as busy as they are"
        )
        print(f"{each_us:.0f} us of CPU each: a million {million_s:.0f} s here, {each_us / 2:.0f} s on two idle cores")


def bulk(folder: Path, entries: int) -> None:
    """Put filler below the tail: rows with true leaf hashes and tiles, and a head that they lead to."""
    connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    leaves = [bytes(row[0]) for row in connection.execute("SELECT leaf FROM ledger_entry ORDER BY idx")]
    first, tree = len(leaves), Frontier()
    rows: list[list[bytes]] = [[] for _ in range(8)]
    connection.execute("BEGIN")

    def close(level: int, hashes: list[bytes], n: int) -> None:
        connection.execute("INSERT INTO ledger_tile VALUES (1, ?, ?, ?)", (level, n, b"".join(hashes)))
        root = subtree(hashes, 8, 0)
        rows[level + 1].append(root)
        if level == 0:
            tree.append_subtree(root, 8)
        if len(rows[level + 1]) == WIDTH:
            above, rows[level + 1] = rows[level + 1], []
            close(level + 1, above, n // WIDTH)

    for n in range(entries // WIDTH):
        start = n * WIDTH
        fresh = [(k, b"filler %d" % k) for k in range(max(start, first), start + WIDTH)]
        made = [(1, k, f"filler-{k:012d}", "refusal", None, None, e, sha256(b"\x00" + e).digest()) for k, e in fresh]
        connection.executemany("INSERT INTO ledger_entry VALUES (?,?,?,?,?,?,?,?)", made)
        close(0, [*leaves[start : start + WIDTH], *(row[7] for row in made)], n)
    head = (tree.size, tree.root(), tree.to_bytes())
    connection.execute("UPDATE ledger_head SET size = ?, root = ?, frontier = ?", head)
    connection.execute("INSERT INTO ledger_batch VALUES (1, ?, ?, 0)", head[:2])
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.close()


async def once(folder: Path) -> None:
    async with a_ledger(folder):
        pass


async def tail(folder: Path) -> None:
    async with a_ledger(folder, rhythm=Rhythm(heartbeat_s=0.2, reconcile_s=0.1)) as ledger:
        for _ in range(2000):
            await ledger.append(Draft(Kind.INTENT, _FIELDS, new_id(), 1))
        await asyncio.sleep(1.0)


async def time_start(folder: Path, size_mb: int) -> None:
    began, used = time.monotonic(), cpu_s()
    ledger = a_ledger(folder)
    await ledger.start()
    wall, used = time.monotonic() - began, cpu_s() - used
    print(f"start with {ledger.size()} entries, {size_mb} MB: {wall:.2f} s, {used:.2f} s of CPU")
    await ledger.close()


def start(folder: Path, entries: int) -> None:
    if not (folder / "ledger.db").exists():
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(once(folder))
        bulk(folder, entries)
        asyncio.run(tail(folder))
    for _ in range(2):
        asyncio.run(time_start(folder, (folder / "ledger.db").stat().st_size >> 20))


def export(folder: Path) -> None:
    with DatabaseSource(f"sqlite:///{folder}/ledger.db") as source:
        note = source.published()
        assert note is not None
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        began = time.monotonic()
        place = folder / "export.tar"
        place.unlink(missing_ok=True)
        written = write_export(source, note, place)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        took = time.monotonic() - began
        place.unlink()
    print(f"{source.size} entries, {written >> 20} MB in {took:.1f} s; memory {before} MB before, {peak} MB at most")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["verify", folder, entries]:
            verify(Path(folder), int(entries))
        case ["start", folder, entries]:
            start(Path(folder), int(entries))
        case ["export", folder]:
            export(Path(folder))
        case _:
            sys.exit(__doc__)
