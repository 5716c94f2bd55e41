"""Signed contexts are taken once: by one of many workers, across a restart, until they have expired."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phigate.errors import UnavailableError
from phigate.store.replays import StoredReplays

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 12, 15, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(minutes=3)
KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at.timestamp()


def memory(place: Path, clock: Clock | None = None, *, max_rows: int = 1000) -> StoredReplays:
    return StoredReplays(place / "contexts.db", key=KEY, now=clock or Clock(), max_rows=max_rows)


async def test_a_context_is_taken_once(tmp_path: Path) -> None:
    replays = memory(tmp_path)
    assert await replays.take("ehr", "one", until=UNTIL) is True
    assert await replays.take("ehr", "one", until=UNTIL) is False
    assert await replays.take("ehr", "two", until=UNTIL) is True
    assert await replays.take("lab", "one", until=UNTIL) is True
    replays.close()


async def test_of_many_that_come_together_one_is_taken(tmp_path: Path) -> None:
    one, other = memory(tmp_path), memory(tmp_path)
    asked = [each.take("ehr", f"jti-{n % 10}", until=UNTIL) for n in range(300) for each in (one, other)]
    taken = await asyncio.gather(*asked)
    assert taken.count(True) == 10
    one.close()
    other.close()


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    first = memory(tmp_path)
    assert await first.take("ehr", "one", until=UNTIL)
    first.close()
    second = memory(tmp_path)
    assert await second.take("ehr", "one", until=UNTIL) is False
    second.close()


_WORKER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from phigate.store.replays import StoredReplays

async def main():
    replays = StoredReplays(Path(sys.argv[1]), key=b"k" * 32)
    until = datetime.now(UTC) + timedelta(minutes=5)
    taken = await asyncio.gather(*(replays.take("ehr", f"jti-{n}", until=until) for n in range(50)))
    replays.close()
    print(taken.count(True))

asyncio.run(main())
"""


def test_of_several_processes_each_context_has_one_that_took_it(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(tmp_path / "contexts.db")], stdout=subprocess.PIPE, env=dict(os.environ)
        )
        for _ in range(3)
    ]
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(counts) == 50


async def test_what_has_expired_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    clock = Clock()
    replays = memory(tmp_path, clock, max_rows=3)
    for name in ("one", "two"):
        await replays.take("ehr", name, until=UNTIL)
    clock.at = NOW + timedelta(minutes=2)
    await replays.take("ehr", "three", until=clock.at + timedelta(minutes=9))
    clock.at = NOW + timedelta(minutes=3, seconds=30)
    # The first two have expired by now, so there is room again, and they could not be verified any more.
    assert await replays.take("ehr", "four", until=clock.at + timedelta(minutes=9)) is True
    assert await replays.take("ehr", "three", until=UNTIL) is False
    replays.close()


async def test_too_many_alive_is_a_refusal_and_none_is_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    replays = memory(tmp_path, clock, max_rows=2)
    for name in ("one", "two"):
        await replays.take("ehr", name, until=NOW + timedelta(hours=1))
    clock.at = NOW + timedelta(minutes=2)
    with pytest.raises(UnavailableError, match="too many signed contexts") as raised:
        await replays.take("ehr", "three", until=NOW + timedelta(hours=1))
    assert raised.value.code == "context_window_full"
    clock.at = NOW + timedelta(hours=2)
    assert await replays.take("ehr", "three", until=NOW + timedelta(hours=3)) is True
    replays.close()


async def test_a_context_that_cannot_be_remembered_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "contexts.db").write_bytes(b"this is no database, and must not become one" * 40)
    replays = memory(tmp_path)
    with pytest.raises(UnavailableError) as raised:
        await replays.take("ehr", "one", until=UNTIL)
    assert raised.value.code == "state_unavailable"
    replays.close()


async def test_a_caller_that_goes_does_not_stop_the_others(tmp_path: Path) -> None:
    replays = memory(tmp_path)
    gone = asyncio.create_task(replays.take("ehr", "one", until=UNTIL))
    await asyncio.sleep(0)
    gone.cancel()
    assert await replays.take("ehr", "two", until=UNTIL) is True
    assert await replays.take("ehr", "one", until=UNTIL) is False  # taken all the same: never twice
    replays.close()


async def test_the_file_holds_no_name(tmp_path: Path) -> None:
    replays = memory(tmp_path)
    await replays.take("ehr", "jane-roe-1968", until=UNTIL)
    replays.close()
    assert b"jane" not in (tmp_path / "contexts.db").read_bytes()
