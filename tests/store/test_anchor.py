"""The anchor notices a database that was restored, rewritten or replaced, and moves only forwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phigate.errors import LedgerStateError, SettingsError
from phigate.signing import Ed25519Signer, in_memory
from phigate.store.anchor import AnchorFile
from phigate.tlog.checkpoint import Checkpoint
from phigate.tlog.merkle import TreeSize
from phigate.tlog.note import sign_note
from tests.store.drafts import ORIGIN, an_intent
from tests.store.test_ledger import a_ledger, assert_verified

pytestmark = pytest.mark.anyio
SIGNER = in_memory(ORIGIN)


def head(size: int, byte: int = 1) -> Checkpoint:
    return Checkpoint(ORIGIN, TreeSize(size), bytes([byte]) * 32)


def note(checkpoint: Checkpoint, signer: Ed25519Signer = SIGNER) -> bytes:
    return sign_note(checkpoint.to_text(), [(signer.key, signer.sign)]).to_bytes()


@pytest.fixture
def anchor(tmp_path: Path) -> AnchorFile:
    AnchorFile.create(tmp_path / "anchor.note")
    return AnchorFile(tmp_path / "anchor.note", origin=ORIGIN, key=SIGNER.key)


def no_root(size: int) -> bytes | None:
    raise AssertionError(f"asked for {size}")


def test_it_begins_empty_and_moves_to_what_extends_it(anchor: AnchorFile) -> None:
    assert anchor.read() is None
    anchor.advance(note(head(3)), head(3), root_at=no_root)
    anchor.advance(note(head(3)), head(3), root_at=no_root)
    anchor.advance(note(head(9, 2)), head(9, 2), root_at=lambda size: head(size).root)
    assert anchor.read() == head(9, 2)
    anchor.advance(note(head(5)), head(5), root_at=no_root)
    assert anchor.read() == head(9, 2), "another replica was quicker"
    assert [path.name for path in anchor.path.parent.iterdir() if "new" in path.name] == []


@pytest.mark.parametrize("later", [head(3, 2), head(4, 2)])
def test_it_never_moves_to_another_history(anchor: AnchorFile, later: Checkpoint) -> None:
    anchor.advance(note(head(3)), head(3), root_at=no_root)
    for root in (None, b"\x07" * 32):
        with pytest.raises(LedgerStateError, match="does not extend its anchor of 3 entries: forked"):
            anchor.advance(note(later), later, root_at=lambda _, root=root: root)  # type: ignore[misc]
    assert anchor.read() == head(3)


def test_a_missing_or_foreign_anchor_is_a_question_for_people(anchor: AnchorFile) -> None:
    with pytest.raises(SettingsError, match="never overwritten"):
        AnchorFile.create(anchor.path)
    anchor.path.write_bytes(note(head(3), in_memory(ORIGIN)))
    with pytest.raises(LedgerStateError, match=f"is no checkpoint of {ORIGIN}"):
        anchor.read()
    anchor.path.unlink()
    with pytest.raises(LedgerStateError, match="without it a restored backup would go unseen"):
        anchor.read()


async def test_a_restored_backup_is_not_continued(tmp_path: Path) -> None:
    async with a_ledger(tmp_path) as ledger:
        await ledger.append(an_intent())
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    async with a_ledger(tmp_path) as ledger:
        await ledger.append(an_intent())
    (tmp_path / "ledger.db").unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "ledger.db")
    with pytest.raises(LedgerStateError, match=r"to extend its anchor of 8 entries, found 4: .* ledger recover"):
        await a_ledger(tmp_path).start()


async def test_an_empty_database_in_the_place_of_a_full_one_is_not_begun(tmp_path: Path) -> None:
    async with a_ledger(tmp_path):
        pass
    (tmp_path / "ledger.db").unlink()
    with pytest.raises(LedgerStateError, match="anchor of 3 entries, found 0"):
        await a_ledger(tmp_path).start()


async def test_the_database_of_another_log_of_the_same_size_is_not_continued(tmp_path: Path) -> None:
    for name in ("a", "b"):
        async with a_ledger(tmp_path / name) as ledger:
            await ledger.append(an_intent())
    shutil.copy(tmp_path / "b" / "ledger.db", tmp_path / "a" / "ledger.db")
    with pytest.raises(LedgerStateError, match="does not extend its anchor of 4 entries: forked"):
        await a_ledger(tmp_path / "a").start()


async def test_a_log_whose_anchor_is_gone_does_not_start(tmp_path: Path) -> None:
    async with a_ledger(tmp_path):
        pass
    next((tmp_path / "keys").glob("anchor-*.note")).unlink()
    with pytest.raises(LedgerStateError, match="expected the anchor"):
        await a_ledger(tmp_path).start()


async def test_a_head_ahead_of_its_anchor_goes_on(tmp_path: Path) -> None:
    """A crash between COMMIT and the anchor: nothing is wrong, the next start publishes."""
    ledger = a_ledger(tmp_path)
    await ledger.start()
    await ledger.append(an_intent())
    ledger._duties.end = lambda: None  # type: ignore[method-assign]
    await ledger.close()
    async with a_ledger(tmp_path) as again:
        await again.append(an_intent())
    assert_verified(tmp_path)
