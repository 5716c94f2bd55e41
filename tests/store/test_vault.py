"""The vault: tags that only a patient's own key connects, keys that can be destroyed, and backups that open nothing."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phigate.deid.subjects import Reference
from phigate.errors import SettingsError, UnavailableError
from phigate.store.open import new_id
from phigate.store.vault import Vault

pytestmark = pytest.mark.anyio
PATIENT = "Ærø-123.456"
T = "us-north"


def a_vault(folder: Path, *, place: Path | str | None = None) -> Vault:
    return Vault(place or folder / "vault.db", keys=folder / "keys")


@pytest.fixture(params=["sqlite", "postgresql"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    place = None if request.param == "sqlite" else str(request.getfixturevalue("postgres"))
    vault = a_vault(tmp_path, place=place)
    yield vault
    vault.close()


def wraps(keys: Path) -> list[str]:
    return sorted(path.name for path in keys.glob("vault-kek-*.key"))


async def test_a_tag_is_the_same_within_an_exchange_and_another_in_the_next(vault: Vault) -> None:
    reference = vault.lookups.declared(T, PATIENT)
    one, other = new_id(), new_id()
    first = await vault.tags(one, [reference])
    assert first == await vault.tags(one, [reference])
    assert await vault.tags(other, [reference]) != first
    assert [source for source, _ in first] == ["declared"]
    assert len(first[0][1]) == 32
    assert await vault.tags(one, []) == ()


async def test_the_exchanges_of_a_patient_are_found_by_any_spelling_of_the_number(vault: Vault) -> None:
    rids = [new_id() for _ in range(3)]
    for rid in rids[:2]:
        await vault.tags(rid, [vault.lookups.declared(T, PATIENT)])
    await vault.tags(rids[2], [vault.lookups.declared(T, "somebody else")])
    found = vault.exchanges(vault.lookups.all_of(T, "ærø 123456"))
    assert set(found) == set(rids[:2])
    assert found[rids[0]] == {tag for _, tag in await vault.tags(rids[0], [vault.lookups.declared(T, PATIENT)])}
    assert vault.exchanges(vault.lookups.all_of("another tenant", PATIENT)) == {}


async def test_an_erased_patient_is_nowhere_and_the_others_are_as_before(vault: Vault, tmp_path: Path) -> None:
    """Fault 31, the vault's part."""
    mine, theirs = (vault.lookups.declared(T, name) for name in (PATIENT, "other"))
    rid, both = new_id(), new_id()
    await vault.tags(rid, [mine])
    before = await vault.tags(both, [mine, theirs])
    done = vault.erase(vault.lookups.all_of(T, PATIENT), eid=new_id(), request="erasure-7", article="gdpr.art.17")
    assert done.count == 2
    assert vault.rekey() == 1
    assert wraps(tmp_path / "keys") == ["vault-kek-2.key"]
    assert vault.exchanges(vault.lookups.all_of(T, PATIENT)) == {}
    after = await vault.tags(both, [mine, theirs])
    assert after[1] == before[1]
    assert after[0] != before[0], "a new key: the old tags belong to nobody"


async def test_a_backup_from_before_an_erasure_opens_nothing(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    reference = vault.lookups.declared(T, PATIENT)
    await vault.tags(new_id(), [reference])
    shutil.copy(tmp_path / "vault.db", tmp_path / "backup.db")
    vault.erase([reference.lookup], eid=new_id(), request="erasure-7", article="gdpr.art.17")
    vault.rekey()
    vault.close()
    restored = a_vault(tmp_path, place=tmp_path / "backup.db")
    with pytest.raises(SettingsError, match=r"vault-kek-1\.key"):
        restored.exchanges([reference.lookup])
    with pytest.raises(UnavailableError) as caught:
        await restored.tags(new_id(), [reference])
    assert caught.value.code == "vault_unavailable"


async def test_no_number_and_no_bare_key_is_in_the_files(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    rid = new_id()
    ((_, tag),) = await vault.tags(rid, [vault.lookups.declared(T, PATIENT)])
    data = (tmp_path / "vault.db").read_bytes()
    for text in (PATIENT, "123456", "123.456", T, tag):
        assert text.encode() not in data
    assert rid.encode() in data
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PATIENT not in repr(vault.lookups) + repr(vault.lookups.declared(T, PATIENT))


async def test_an_erasure_waits_for_its_entry_through_a_crash(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    done = vault.erase([b"nobody"], eid=new_id(), request="erasure-8", article="lgpd.art.18")
    vault.close()
    again = a_vault(tmp_path)
    assert again.pending() == [done]
    again.written(done.eid)
    assert again.pending() == []


async def test_a_wrapping_key_that_a_crash_left_is_not_used(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    reference = vault.lookups.declared(T, PATIENT)
    rid = new_id()
    tags = await vault.tags(rid, [reference])
    left = tmp_path / "keys" / "vault-kek-2.key"
    left.write_bytes(b"x" * 32)
    left.chmod(0o600)
    assert vault.rekey() == 1
    assert left.read_bytes() != b"x" * 32
    assert await vault.tags(rid, [reference]) == tags


async def test_two_processes_tag_one_patient_alike_while_a_third_rekeys(tmp_path: Path) -> None:
    vaults = [a_vault(tmp_path) for _ in range(3)]
    reference = vaults[0].lookups.declared(T, PATIENT)
    rid = new_id()
    await vaults[0].tags(rid, [reference])

    async def rekey() -> None:
        for _ in range(5):
            await asyncio.to_thread(vaults[2].rekey)

    async def ask(vault: Vault) -> set[tuple[tuple[str, str], ...]]:
        return {await vault.tags(rid, [reference]) for _ in range(10)}

    found = await asyncio.gather(ask(vaults[0]), ask(vaults[1]), rekey())
    assert found[0] is not None
    assert found[1] is not None
    assert len(found[0] | found[1]) == 1


async def test_a_vault_that_cannot_be_used_is_said_by_one_code(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    (tmp_path / "vault.db").write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(UnavailableError) as caught:
        await vault.tags(new_id(), [Reference("declared", b"x")])
    assert caught.value.code == "vault_unavailable"


async def test_exchanges_that_wait_together_share_a_transaction_and_each_gets_its_own(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    patients = [vault.lookups.declared(T, str(4_000_000 + n % 7)) for n in range(60)]
    begun = 0
    run = vault._database.run

    async def counted(work: Any) -> Any:
        nonlocal begun
        begun += 1
        return await run(work)

    vault._database.run = counted  # type: ignore[method-assign]
    together = await asyncio.gather(*(vault.tags(f"rid-{n}", [who]) for n, who in enumerate(patients)))
    assert begun <= 3
    alone = [await vault.tags(f"rid-{n}", [who]) for n, who in enumerate(patients)]
    assert together == alone
    assert len({tags[0][1] for tags in together}) == 60, "another tag in each exchange"
    vault.close()


async def test_a_damaged_row_stops_its_own_exchange_alone(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    one, other = (vault.lookups.declared(T, n) for n in ("4471902", "4471903"))
    await vault.tags("rid-0", [one])
    with sqlite3.connect(tmp_path / "vault.db") as raw:
        raw.execute("UPDATE vault_subject SET wrapped = zeroblob(60)")
    results = await asyncio.gather(
        *(vault.tags(f"rid-{n}", [who]) for n, who in enumerate((other, one, other), 1)), return_exceptions=True
    )
    assert isinstance(results[1], UnavailableError)
    assert results[1].code == "vault_unavailable"
    assert isinstance(results[0], tuple)
    assert isinstance(results[2], tuple)
    vault.close()
