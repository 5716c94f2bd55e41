"""Segments: the ledger moves on when a half year is over or when told, loses nothing, and each side names the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from phigate.audit.record import Draft, Kind, Receipt, Status
from phigate.errors import LedgerStateError, UnavailableError
from phigate.store.duties import Rhythm
from phigate.store.key_folder import ROOT, ledger_keys
from phigate.store.places import find_segment, segments
from phigate.store.rolling import RollingLedger, begun
from phigate.store.source import DatabaseSource
from phigate.tlog.chain import Chain, join
from phigate.tlog.record import Record, parse_entry
from phigate.tlog.report import Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import an_intent, an_outcome

pytestmark = pytest.mark.anyio
NAME = "audit.test/phigate"
FIRST, SECOND, THIRD = (f"{NAME}/{half}" for half in ("2026h2", "2027h1", "2027h2"))
NOVEMBER = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
JANUARY = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
JULY = datetime(2027, 7, 1, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self) -> None:
        self.at_s = NOVEMBER

    def __call__(self) -> float:
        self.at_s += 1e-4
        return self.at_s


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


def a_ledger(url: str, keys: Path, clock: Callable[[], float], **options: Any) -> RollingLedger:
    defaults: dict[str, Any] = {"origin": NAME, "replica": "gw", "min_free_bytes": 0, "look_every_s": 60.0}
    return RollingLedger(url, keys_folder=keys, now=clock, **{**defaults, **options})


def checked(url: str) -> Chain:
    reports = []
    for segment in segments(url):
        with DatabaseSource(url, origin=segment.origin) as source:
            reports.append(verify(source, Demand()))
    return join(reports, whole=True)


def assert_whole(url: str) -> Chain:
    chain = checked(url)
    assert chain.verdict is Verdict.VERIFIED, chain.to_text()
    return chain


def records(url: str) -> list[Record]:
    found = []
    for segment in segments(url):
        with DatabaseSource(url, origin=segment.origin) as source:
            found += [parse_entry(bytes(row.entry)) for row in source.rows(0, source.size)]
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return url_of(tmp_path) if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


async def test_a_half_year_that_is_over_closes_its_segment(url: str, tmp_path: Path) -> None:
    clock = Clock()
    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        first = await ledger.append(an_intent())
        assert first.origin == FIRST
        await ledger.look()
        assert ledger.origin == FIRST, "the half year is not over"
        clock.at_s = JANUARY
        await ledger.look()
        assert ledger.origin == SECOND
        assert (await ledger.append(an_intent())).origin == SECOND
        assert ledger.alarm() is None
    reports = assert_whole(url).reports
    assert [(each.origin, each.closed, each.next) for each in reports] == [(FIRST, True, SECOND), (SECOND, False, "")]
    assert reports[1].previous == {"origin": FIRST, "size": reports[0].size, "root": reports[0].root.hex()}
    assert reports[0].newest is not None
    assert reports[0].newest.size == reports[0].size, "the last head is signed"
    stamps = [each.ts for each in records(url)]
    assert stamps == sorted(stamps)


async def test_on_sqlite_each_segment_is_a_file(tmp_path: Path) -> None:
    clock = Clock()
    for at_s in (NOVEMBER, JANUARY, JULY):
        clock.at_s = at_s
        async with a_ledger(url_of(tmp_path), tmp_path / "keys", clock) as ledger:
            await ledger.append(an_intent())
    files = [each.url.rpartition("/")[2] for each in segments(url_of(tmp_path))]
    assert files == ["ledger.db", "ledger-2027h1.db", "ledger-2027h2.db"]
    assert len(assert_whole(url_of(tmp_path)).reports) == 3
    assert begun(tmp_path / "keys", NAME) == [FIRST, SECOND, THIRD]


async def test_without_an_origin_the_newest_segment_is_read(url: str, tmp_path: Path) -> None:
    clock = Clock()
    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        clock.at_s = JANUARY
        await ledger.look()
        for origin in (None, NAME, SECOND):
            assert find_segment(url, origin).origin == SECOND
        assert find_segment(url, FIRST).closed


async def test_an_exchange_that_a_close_cuts_in_two_is_whole_in_both(url: str, tmp_path: Path) -> None:
    clock = Clock()
    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        draft = an_intent()
        intent = await ledger.append(draft)
        clock.at_s = JANUARY
        await ledger.look()
        outcome = an_outcome(draft.rid, intent)
        outcome.fields["intent"]["log"] = intent.origin  # type: ignore[index,call-overload]
        assert (await ledger.append(outcome)).origin == SECOND
    chain = assert_whole(url)
    assert chain.notes == []
    assert [(each.log, each.intent.index) for each in chain.reports[1].carried] == [(FIRST, intent.index)]


async def test_a_command_closes_a_segment_early_under_a_number(url: str, tmp_path: Path) -> None:
    async with a_ledger(url, tmp_path / "keys", Clock()) as ledger:
        closing = Draft(Kind.SEGMENT_CLOSE, {"next": f"{FIRST}-2", "why": "emergency"})
        receipt = await ledger.append(closing)
        assert receipt.origin == FIRST
        assert ledger.origin == f"{FIRST}-2"
        with pytest.raises(UnavailableError, match="begun already"):
            await ledger.append(Draft(Kind.SEGMENT_CLOSE, {"next": FIRST}))
    assert [each.origin for each in assert_whole(url).reports] == [FIRST, f"{FIRST}-2"]


@pytest.mark.parametrize("name", ["audit.test/other/2027h1", f"{NAME}/2026h1", NAME])
async def test_a_close_that_does_not_lead_on_is_refused(tmp_path: Path, name: str) -> None:
    async with a_ledger(url_of(tmp_path), tmp_path / "keys", Clock()) as ledger:
        with pytest.raises(UnavailableError, match="that follows") as caught:
            await ledger.append(Draft(Kind.SEGMENT_CLOSE, {"next": name}))
        assert caught.value.code == "entry_refused"
        assert (await ledger.append(an_intent())).origin == FIRST


async def test_nothing_is_lost_or_doubled_when_a_segment_closes_under_load(url: str, tmp_path: Path) -> None:
    """Fault 33."""
    clock = Clock()
    known: dict[str, Receipt] = {}
    stop = False

    async def client(ledger: RollingLedger) -> None:
        while not stop:
            draft = an_intent()
            receipt = await ledger.append(draft)
            known[draft.rid] = receipt
            outcome = an_outcome(draft.rid, receipt)
            outcome.fields["intent"]["log"] = receipt.origin  # type: ignore[index,call-overload]
            await ledger.append(outcome)

    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        clients = [asyncio.create_task(client(ledger)) for _ in range(16)]
        for number in (2, 3, 4):
            await asyncio.sleep(0.1)
            await ledger.append(Draft(Kind.SEGMENT_CLOSE, {"next": f"{FIRST}-{number}"}))
        await asyncio.sleep(0.1)
        stop = True
        await asyncio.gather(*clients)
    chain = assert_whole(url)
    assert chain.notes == [], "each exchange has its outcome, here or in the next segment"
    stands = [(each.rid, each.log) for each in records(url) if each.kind == "intent"]
    assert sorted(stands) == sorted((rid, receipt.origin) for rid, receipt in known.items())
    assert len(chain.reports) == 4
    print(f"{len(stands)} exchanges over {len(chain.reports)} segments, 0 lost, 0 twice")


async def test_replicas_follow_the_one_that_closes(postgres: str, tmp_path: Path) -> None:
    clock = Clock()
    keys = tmp_path / "keys"
    one, other = (a_ledger(postgres, keys, clock, replica=name) for name in ("gw-1", "gw-2"))
    async with one, other:
        await asyncio.gather(one.append(an_intent()), other.append(an_intent()))
        clock.at_s = JANUARY
        await one.look()
        assert (await other.append(an_intent())).origin == SECOND
        await one.append(Draft(Kind.SEGMENT_CLOSE, {"next": f"{SECOND}-2"}))
        clock.at_s = JULY
        await asyncio.gather(one.look(), other.look())
        receipts = await asyncio.gather(*(each.append(an_intent()) for each in (one, other) * 8))
        assert {each.origin for each in receipts} == {THIRD}
    assert len(assert_whole(postgres).reports) == 4


async def test_a_crash_between_close_and_genesis_is_mended_at_the_start(url: str, tmp_path: Path) -> None:
    clock = Clock()
    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        await ledger.append(an_intent())
        ledger_keys(tmp_path / "keys", origin=SECOND, now=clock())
        assert ledger._current is not None
        await ledger._current.append(Draft(Kind.SEGMENT_CLOSE, {"next": SECOND}))  # and no more
    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        assert (await ledger.append(an_intent())).origin == SECOND
    assert_whole(url)


async def test_an_exchange_of_a_boot_that_died_before_the_close_ends_unknown_in_the_next(
    url: str, tmp_path: Path
) -> None:
    clock = Clock()
    async with a_ledger(url, tmp_path / "keys", clock) as ledger:
        intent = await ledger.append(an_intent())
        clock.at_s = JANUARY
        await ledger.look()
    clock.at_s += 1000  # the lease is over
    for _ in range(2):
        async with a_ledger(url, tmp_path / "keys", clock):
            pass
    (ending,) = [each for each in records(url) if each.kind == "outcome"]
    assert (ending.log, ending.fields["status"], ending.fields["by"]) == (SECOND, Status.UNKNOWN.value, "reconciler")
    assert ending.fields["intent"] == {"idx": intent.index, "leaf": intent.leaf.hex(), "log": FIRST}
    assert assert_whole(url).notes == []


async def test_an_exchange_that_is_still_served_is_left_alone_after_a_close(url: str, tmp_path: Path) -> None:
    clock = Clock()
    rhythm = Rhythm(reconcile_s=0.01, lease_s=0.0)
    async with a_ledger(url, tmp_path / "keys", clock, rhythm=rhythm) as ledger:
        draft = an_intent()
        intent = await ledger.append(draft)
        clock.at_s = JANUARY
        await ledger.look()
        await asyncio.sleep(0.1)
        outcome = an_outcome(draft.rid, intent)
        outcome.fields["intent"]["log"] = intent.origin  # type: ignore[index,call-overload]
        await ledger.append(outcome)
    ends = [each.fields["status"] for each in records(url) if each.kind == "outcome"]
    assert ends == ["ok"]


async def test_without_keys_for_the_next_segment_the_old_one_goes_on_with_an_alarm(tmp_path: Path) -> None:
    clock = Clock()
    async with a_ledger(url_of(tmp_path), tmp_path / "keys", clock) as ledger:
        offline = (tmp_path / "keys" / ROOT).rename(tmp_path / ROOT)
        clock.at_s = JANUARY
        await ledger.look()
        assert (await ledger.append(an_intent())).origin == FIRST
        assert "the half year of" in str(ledger.alarm())
        assert ledger.ready() is None, "a missing key is no reason to stop a hospital"
        offline.rename(tmp_path / "keys" / ROOT)
        await ledger.look()
        assert ledger.alarm() is None
        assert ledger.origin == SECOND


async def test_an_old_copy_in_which_the_segment_is_still_open_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    async with a_ledger(url_of(tmp_path), tmp_path / "keys", clock) as ledger:
        await ledger.append(an_intent())
    copy = (tmp_path / "ledger.db").read_bytes()
    clock.at_s = JANUARY
    async with a_ledger(url_of(tmp_path), tmp_path / "keys", clock) as ledger:
        await ledger.append(an_intent())
    (tmp_path / "ledger.db").write_bytes(copy)
    (tmp_path / "ledger-2027h1.db").unlink()
    with pytest.raises(LedgerStateError, match=f"{SECOND}.*restored from a backup"):
        await a_ledger(url_of(tmp_path), tmp_path / "keys", clock).start()


async def test_a_setting_with_a_half_year_names_the_first_segment(tmp_path: Path) -> None:
    clock = Clock()
    for at_s, origin in ((NOVEMBER, FIRST), (JANUARY, SECOND), (JULY, THIRD)):
        clock.at_s = at_s
        async with a_ledger(url_of(tmp_path), tmp_path / "keys", clock, origin=FIRST) as ledger:
            assert ledger.origin == origin
