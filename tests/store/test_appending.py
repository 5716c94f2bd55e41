"""A command appends to the ledger of a running gateway through its socket, and by itself where none runs."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phigate.audit.record import Draft, Kind
from phigate.errors import LedgerStateError
from phigate.store.appending import SOCKET, LedgerDoor, appending
from phigate.store.ledger_socket import LedgerClient
from phigate.store.open import new_id
from phigate.store.rolling import RollingLedger
from tests.store.drafts import an_intent

pytestmark = pytest.mark.anyio
NAME = "audit.test/phigate"


@pytest.fixture
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:  # a socket's path has 107 bytes
        yield Path(folder)


def a_ledger(folder: Path) -> RollingLedger:
    options: dict[str, Any] = {"origin": NAME, "min_free_bytes": 0, "look_every_s": 60.0}
    return RollingLedger(f"sqlite:///{folder}/ledger.db", keys_folder=folder / "keys", **options)


def place(folder: Path) -> dict[str, Any]:
    return {"keys": folder / "keys", "origin": NAME, "state": folder, "min_free_bytes": 0}


async def test_a_command_appends_while_the_gateway_runs(state: Path) -> None:
    url = f"sqlite:///{state}/ledger.db"
    async with a_ledger(state) as running:
        door = LedgerDoor(running, state)
        await door.start()
        eid, draft = new_id(), an_intent()
        async with appending(url, **place(state)) as ledger:
            assert isinstance(ledger, LedgerClient)
            receipt = await ledger.append_as(draft, eid=eid)
            assert (await ledger.append_as(draft, eid=eid)).index == receipt.index, "the same id stands once"
            after = f"{running.origin}-2"
            await ledger.append_as(Draft(Kind.SEGMENT_CLOSE, {"next": after, "why": "command"}), eid=new_id())
            assert running.origin == after
        await door.close()
        assert not (state / SOCKET).exists()
        with pytest.raises(LedgerStateError, match="only process"):
            async with appending(url, **place(state)):
                pass


async def test_a_socket_that_a_dead_gateway_left_is_no_hindrance(state: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(state / SOCKET))
    left.close()
    async with appending(f"sqlite:///{state}/ledger.db", **place(state)) as ledger:
        assert isinstance(ledger, RollingLedger)
        assert (await ledger.append_as(an_intent(), eid=new_id())).origin.startswith(f"{NAME}/")


async def test_a_path_that_no_socket_can_have_leaves_the_door_closed(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    async with a_ledger(tmp_path) as running:
        door = LedgerDoor(running, deep)
        await door.start()
        await door.close()
    assert not deep.exists()
