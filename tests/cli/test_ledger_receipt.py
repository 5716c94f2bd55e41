"""What a caller was told can be held against the log later."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from phigate.audit.record import Receipt
from phigate.cli.ledger import ledger
from phigate.store.open import open_ledger
from tests.store.drafts import ORIGIN, an_intent

WRONG = "f" * 64


async def append(folder: Path, count: int) -> list[Receipt]:
    options: dict[str, Any] = {"keys_folder": folder / "keys", "origin": ORIGIN, "replica": "gw", "min_free_bytes": 0}
    async with open_ledger(f"sqlite:///{folder}/ledger.db", **options) as opened:
        return [await opened.append(an_intent()) for _ in range(count)]


def ask(folder: Path, record: str, leaf: str, tree: str, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(ledger, ["receipt", record, leaf, tree, str(folder / "ledger.db"), *more])
    return done.exit_code, done.output


def headers(receipt: Receipt) -> tuple[str, str, str]:
    return receipt.record_id, receipt.leaf.hex(), f"{receipt.size}:{receipt.root.hex()}"


def test_a_receipt_holds_as_long_as_the_log_goes_on(tmp_path: Path) -> None:
    receipts = asyncio.run(append(tmp_path, 5))
    asyncio.run(append(tmp_path, 300))
    for receipt in receipts:
        status, text = ask(tmp_path, *headers(receipt))
        assert (status, text) == (0, f"{receipt.record_id}: stands, and the log extends the tree of then\n")
    assert json.loads(ask(tmp_path, *headers(receipts[0]), "--json")[1]) == {
        "record": receipts[0].record_id,
        "holds": True,
    }


def test_a_receipt_beyond_the_tree_or_of_another_history_is_a_fork(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    asyncio.run(append(tmp_path, 2))
    shutil.copy(tmp_path / "ledger.db", old)
    receipt = asyncio.run(append(tmp_path, 5))[-1]
    status, text = ask(old, *headers(receipt))
    assert status == 3
    assert "it was rolled back" in text
    record, leaf, tree = headers(receipt)
    for wrong, said in (
        ((record, WRONG, tree), "another entry stands at"),
        ((record, leaf, f"{receipt.size}:{WRONG}"), "it was forked"),
        ((f"{ORIGIN}#{receipt.size}", leaf, tree), "can stand in a tree of"),
    ):
        status, text = ask(tmp_path, *wrong)
        assert status == 3, text
        assert said in text


@pytest.mark.parametrize(
    "arguments", [("x", WRONG, f"1:{WRONG}"), ("a#1", "x", f"1:{WRONG}"), ("a#1", WRONG, f"0:{WRONG}")]
)
def test_what_is_no_receipt_is_a_usage_error(tmp_path: Path, arguments: tuple[str, str, str]) -> None:
    status, text = ask(tmp_path, *arguments)
    assert status == 64
    assert "as the headers have them" in text
