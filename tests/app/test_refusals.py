import pytest

from phigate.app.refusals import RefusalTally
from phigate.audit.record import Kind
from tests.fakes import FakeLedger, FakeMetrics

pytestmark = pytest.mark.anyio


async def test_a_thousand_refusals_of_one_reason_are_one_entry() -> None:
    ledger, metrics = FakeLedger(), FakeMetrics()
    tally = RefusalTally(ledger, metrics)
    for _ in range(1000):
        tally.count("", "missing_key")
    tally.count("demo", "unknown_path")
    await tally.flush()
    assert [(d.kind, d.fields["reason"], d.fields["count"]) for d in ledger.drafts] == [
        (Kind.REFUSAL, "missing_key", 1000),
        (Kind.REFUSAL, "unknown_path", 1),
    ]
    assert metrics.counts["refusals", (("reason", "missing_key"),)] == 1000


async def test_counts_that_could_not_be_written_are_kept() -> None:
    ledger = FakeLedger(fail_from=0)
    tally = RefusalTally(ledger, FakeMetrics())
    tally.count("", "missing_key")
    await tally.flush()
    assert ledger.drafts == []
    ledger.fail_from = None
    tally.count("", "missing_key")
    await tally.close()
    assert [d.fields["count"] for d in ledger.drafts] == [2]


async def test_it_writes_by_itself_once_every_interval() -> None:
    ledger = FakeLedger()
    tally = RefusalTally(ledger, FakeMetrics(), every_s=0.01)
    await tally.start()
    tally.count("", "missing_key")
    import asyncio

    for _ in range(200):
        if ledger.drafts:
            break
        await asyncio.sleep(0.01)
    await tally.close()
    assert len(ledger.drafts) == 1
