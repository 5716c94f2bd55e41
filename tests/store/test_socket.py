"""The ledger through a file socket: the same port, one process that appends, nothing twice."""

from __future__ import annotations

import asyncio
import json
import stat
import struct
from collections import Counter
from pathlib import Path

import pytest

from phigate.audit.record import JSON, Draft, Kind, Receipt
from phigate.errors import LedgerStateError, UnavailableError
from phigate.store.ledger_socket import MAX_FRAME, LedgerClient, serve_ledger
from phigate.store.open import new_id
from tests.store.drafts import FIELDS, an_intent

pytestmark = pytest.mark.anyio


class SlowLedger:
    """Appends to a list, as late as told; counts how often each id was appended."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.eids: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: UnavailableError | None = None
        self.said: str | None = None

    async def append_as(self, draft: Draft, *, eid: str) -> Receipt:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.eids[eid] += 1
        self.drafts.append(draft)
        return Receipt("audit.test/x", len(self.drafts) - 1, b"\x01" * 32, len(self.drafts), b"\x02" * 32)

    def last_at(self) -> float:
        return 1_795_000_000.5

    def ready(self) -> str | None:
        return self.said

    def size(self) -> int:
        return len(self.drafts)

    def alarm(self) -> str | None:
        return self.said

    def gauges(self) -> dict[str, float]:
        return {"ledger_size": float(len(self.drafts))}


async def test_workers_append_through_one_process(tmp_path: Path) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path), LedgerClient(path) as one, LedgerClient(path) as two:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        drafts = [an_intent() for _ in range(20)]
        receipts = await asyncio.gather(*((one, two)[n % 2].append(draft) for n, draft in enumerate(drafts)))
        assert sorted(receipt.index for receipt in receipts) == list(range(20))
        assert receipts[0] == Receipt("audit.test/x", receipts[0].index, b"\x01" * 32, receipts[0].size, b"\x02" * 32)
        assert sorted(ledger.drafts, key=lambda d: d.rid) == sorted(drafts, key=lambda d: d.rid)
        assert (one.last_at(), one.ready()) == (1_795_000_000.5, None)
        assert max(one.size(), two.size()) == 20
    assert not path.exists()
    assert one.ready() == "the process that appends cannot be reached"


async def test_a_refusal_and_the_state_travel(tmp_path: Path) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    ledger.error, ledger.said = UnavailableError("no room", code="ledger_full"), "no room"
    async with serve_ledger(ledger, path), LedgerClient(path) as client:
        with pytest.raises(UnavailableError, match="no room") as caught:
            await client.append(an_intent())
        assert caught.value.code == "ledger_full"
        assert (client.alarm(), client.gauges()) == ("no room", {"ledger_size": 0.0})
        assert client.ready() == "no room"


async def test_an_answer_lost_with_the_connection_is_asked_for_again_and_nothing_is_appended_twice(
    tmp_path: Path,
) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path), LedgerClient(path) as client:
        ledger.gate.clear()
        waiting = [asyncio.create_task(client.append(an_intent())) for _ in range(10)]
        await asyncio.sleep(0.05)
        assert client._writer is not None
        client._writer.transport.abort()
        await asyncio.sleep(0.1)
        ledger.gate.set()
        receipts = await asyncio.gather(*waiting)
    assert sorted(receipt.index for receipt in receipts) == list(range(10))
    assert set(ledger.eids.values()) == {1}


async def test_a_process_that_comes_back_is_found_again(tmp_path: Path) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path):
        client = LedgerClient(path)
        await client.start()
        await client.append(an_intent())
    late = asyncio.create_task(client.append(an_intent()))
    await asyncio.sleep(0.05)
    assert client.ready() is not None
    async with serve_ledger(ledger, path):
        assert (await late).index == 1
    await client.close()


async def test_nobody_there_is_an_error_in_time(tmp_path: Path) -> None:
    client = LedgerClient(tmp_path / "none.sock", deadline_s=0.02)
    with pytest.raises(UnavailableError, match="the process that appends cannot be reached"):
        await client.start()


async def test_an_entry_that_is_not_durable_in_time_is_refused(tmp_path: Path) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path), LedgerClient(path, deadline_s=0.1) as client:
        ledger.gate.clear()
        with pytest.raises(UnavailableError, match=r"durable within 0.1 s") as caught:
            await client.append(an_intent())
        assert caught.value.code == "ledger_unavailable"
        ledger.gate.set()
        assert (await client.append(an_intent())).index >= 0


async def test_a_draft_with_text_never_reaches_the_socket(tmp_path: Path) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path), LedgerClient(path) as client:
        with pytest.raises(UnavailableError) as caught:
            await client.append(Draft(Kind.INTENT, {**FIELDS, "app": "Maria da Silva"}, new_id(), 1))
        assert caught.value.code == "entry_refused"
        many: dict[str, JSON] = {name: [name[0] * 120] * 250 for name in ("rules", "tags", "flags", "overrides")}
        with pytest.raises(UnavailableError, match="bytes"):
            await client.append(Draft(Kind.INTENT, {**FIELDS, **many, "obligations": ["o" * 128] * 256}, new_id(), 1))
    assert ledger.drafts == []


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff", struct.pack(">I", MAX_FRAME + 1), b"\x00\x00\x00\x02[]", b"\x00"]
)
async def test_what_is_no_frame_ends_the_connection(tmp_path: Path, data: bytes) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path), LedgerClient(path) as client:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(2):
            while await reader.read(1000):
                pass
        writer.close()
        assert (await client.append(an_intent())).index == 0


async def test_a_frame_that_is_no_request_ends_the_connection(tmp_path: Path) -> None:
    ledger, path = SlowLedger(), tmp_path / "l.sock"
    async with serve_ledger(ledger, path):
        reader, writer = await asyncio.open_unix_connection(path)
        body = json.dumps({"n": 1}).encode()
        writer.write(struct.pack(">I", len(body)) + body)
        async with asyncio.timeout(2):
            while await reader.read(1000):
                pass
        writer.close()


async def test_a_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises((LedgerStateError, OSError)):
        async with serve_ledger(SlowLedger(), tmp_path / ("x" * 120)):
            pass
