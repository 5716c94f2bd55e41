"""A full disk: one word for it wherever it is met, and room kept for the ends of exchanges that run."""

from __future__ import annotations

import asyncio
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from phigate.audit.record import Receipt
from phigate.errors import UnavailableError
from phigate.store.ledger import LedgerLimits, StoreLedger
from phigate.store.open import open_ledger
from phigate.store.reserve import Reserve
from phigate.store.source import DatabaseSource
from phigate.store.storage import Trouble
from phigate.tlog.report import Report, Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import ORIGIN, an_intent, an_outcome
from tests.store.faulty import FaultyStorage

pytestmark = pytest.mark.anyio
KiB = 1024


def a_ledger(disk: Path, keys: Path, **options: Any) -> StoreLedger:
    return open_ledger(
        f"sqlite:///{disk}/ledger.db", keys_folder=keys, origin=ORIGIN, replica="gw", min_free_bytes=0, **options
    )


def faulty(ledger: StoreLedger) -> FaultyStorage:
    storage = FaultyStorage(ledger.writer.storage)
    ledger.writer.storage = cast("Any", storage)
    return storage


def verified(disk: Path) -> Report:
    with DatabaseSource(f"sqlite:///{disk}/ledger.db") as source:
        report = verify(source, Demand())
    assert report.verdict is Verdict.VERIFIED, report.to_text()
    return report


async def fill(ledger: StoreLedger) -> tuple[list[tuple[str, Receipt]], UnavailableError]:
    """Begin exchanges until one is refused; return those that began."""
    began = []
    for _ in range(5000):
        draft = an_intent()
        try:
            began.append((draft.rid, await ledger.append(draft)))
        except UnavailableError as error:
            return began, error
    raise AssertionError("the disk never filled")


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


@pytest.mark.parametrize("method", ["grow", "commit"])
async def test_a_full_disk_has_one_code_wherever_it_is_met_and_is_said_at_once(tmp_path: Path, method: str) -> None:
    async with a_ledger(tmp_path, tmp_path / "keys", limits=LedgerLimits(deadline_s=30.0)) as ledger:
        storage = faulty(ledger)
        storage.plan = [(method, Trouble.FULL, False)]
        storage.calls.clear()
        with pytest.raises(UnavailableError, match="full") as caught:
            await asyncio.wait_for(ledger.append(an_intent()), 5)
        assert caught.value.code == "ledger_full"
        await ledger.append(an_intent())
        assert "open" not in storage.calls, "another connection needs room itself"
    assert verified(tmp_path).kinds["intent"] == 1


async def test_a_commit_that_met_the_full_disk_and_stands_all_the_same_is_there_once(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, tmp_path / "keys") as ledger:
        faulty(ledger).plan = [("commit", Trouble.FULL, True)]
        draft = an_intent()
        with pytest.raises(UnavailableError) as caught:
            await ledger.append(draft)
        assert caught.value.code == "ledger_full"
        await ledger.append(an_intent())
    assert verified(tmp_path).kinds["intent"] == 2


async def test_a_deadline_that_passes_while_the_disk_is_full_says_so(tmp_path: Path) -> None:
    async with a_ledger(tmp_path, tmp_path / "keys") as ledger:
        ledger.writer.full = True
        assert ledger.writer.code == "ledger_full"
        await ledger.append(an_intent())
        assert ledger.writer.code == "ledger_unavailable"


async def test_the_reserve_lets_open_exchanges_end_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    async with a_ledger(small_disk, tmp_path / "keys", reserve_bytes=256 * KiB) as ledger:
        reserve = small_disk / "ledger.reserve"
        assert reserve.stat().st_size == 256 * KiB
        began, error = await fill(ledger)
        assert error.code == "ledger_full"
        await asyncio.gather(*(ledger.append(an_outcome(rid, intent)) for rid, intent in began[-5:]))
        assert not reserve.exists()
        with pytest.raises(UnavailableError, match="reserve") as caught:
            await ledger.append(an_intent())
        assert caught.value.code == "ledger_full"
        assert "reserve" in str(ledger.ready())
        remount = ["mount", "-o", "remount,size=8m", str(small_disk)]
        await asyncio.to_thread(lambda: subprocess.run(remount, check=True))
        await ledger.append(an_outcome(*began[0]))
        for _ in range(100):
            if ledger.ready() is None:
                break
            await asyncio.sleep(0.02)
        await ledger.append(an_intent())
        assert reserve.exists()
    report = verified(small_disk)
    assert report.kinds["outcome"] == 6
    assert report.kinds["loss"] >= 1


async def test_a_ledger_on_a_disk_without_room_for_the_reserve_takes_no_new_exchange(
    small_disk: Path, tmp_path: Path
) -> None:
    async with a_ledger(small_disk, tmp_path / "keys", reserve_bytes=2048 * KiB) as ledger:
        with pytest.raises(UnavailableError, match="reserve of 2 MiB"):
            await ledger.append(an_intent())


def test_a_reserve_is_made_given_back_and_made_again_when_there_is_plenty(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r", 4 * KiB)
    assert reserve.missing() is not None
    assert not reserve.release()
    assert reserve.hold()
    assert reserve.hold()
    assert reserve.missing() is None
    assert reserve.release()
    assert not (tmp_path / "r").exists()
    assert reserve.hold()
    assert Reserve(tmp_path / "r", 4 * KiB).hold(), "a reserve that a dead process left is taken over"
    none = Reserve(tmp_path / "none", 0)
    assert none.hold()
    assert none.missing() is None
    assert not none.release()


def test_room_that_was_just_given_back_is_not_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve(tmp_path / "r", 4 * KiB)
    assert reserve.hold()
    assert reserve.release()
    monkeypatch.setattr(reserve, "_free_bytes", lambda: 15 * KiB)
    assert not reserve.hold()


def test_an_error_that_is_not_about_room_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        Reserve(tmp_path / "missing" / "r", 4 * KiB).hold()
    assert caught.value.errno == errno.ENOENT
    assert not list(tmp_path.iterdir())
