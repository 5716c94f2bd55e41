"""What comes and goes: held parts for a day, app keys as hashes, MAC keys wrapped."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from phigate.errors import SettingsError, UnavailableError
from phigate.policy.decision import Hold
from phigate.store.app_keys import CACHE_S, StoredAppKeys, create_key, list_keys, revoke_key
from phigate.store.held import REMEMBER_S, StoredHeldParts
from phigate.store.mac_keys import WRAPPING, DayKeys
from phigate.store.state import StateDatabase

pytestmark = pytest.mark.anyio
TAG, RESIDUAL = frozenset({Hold.TAG}), frozenset({Hold.RESIDUAL})


class Clock:
    def __init__(self, at: float = 1_795_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def digests(start: int, end: int) -> list[bytes]:
    return [n.to_bytes(32, "big") for n in range(start, end)]


async def test_a_held_part_keeps_its_reasons_for_a_day_in_its_app_only(tmp_path: Path) -> None:
    clock = Clock()
    held = StoredHeldParts(tmp_path / "held.db", now=clock)
    await held.hold("triage", digests(0, 3), TAG)
    clock.at += 3600
    await held.hold("triage", digests(2, 4), RESIDUAL)
    assert await held.limits("triage", digests(0, 1)) == TAG
    assert await held.limits("triage", digests(2, 3)) == TAG | RESIDUAL
    assert await held.limits("triage", digests(4, 1500)) == frozenset()
    assert await held.limits("other", digests(0, 4)) == frozenset()
    clock.at += REMEMBER_S - 3600
    assert await held.limits("triage", digests(0, 2)) == frozenset()
    assert await held.limits("triage", digests(2, 3)) == TAG | RESIDUAL, "the later hold renewed it"
    held.close()


async def test_held_parts_survive_a_restart_and_are_shared(tmp_path: Path) -> None:
    one, two = (StoredHeldParts(tmp_path / "held.db", now=Clock()) for _ in range(2))
    await one.hold("triage", digests(0, 1200), TAG)
    assert await two.limits("triage", digests(1199, 1200)) == TAG
    assert await two.limits("triage", []) == frozenset()
    await two.hold("triage", [], TAG)
    await two.hold("triage", digests(0, 1), frozenset())
    one.close()
    two.close()


async def test_memory_is_bounded_and_forgets_the_oldest(tmp_path: Path) -> None:
    clock = Clock()
    held = StoredHeldParts(tmp_path / "held.db", now=clock, max_rows=100)
    for n in range(5):
        await held.hold("triage", digests(50 * n, 50 * n + 50), TAG)
        clock.at += 61
    with sqlite3.connect(tmp_path / "held.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM held_part").fetchone()[0] <= 150
    assert await held.limits("triage", digests(200, 250)) == TAG
    assert await held.limits("triage", digests(0, 50)) == frozenset()
    held.close()


async def test_a_key_names_its_app_and_is_stored_as_a_hash_alone(tmp_path: Path) -> None:
    database = StateDatabase(tmp_path / "keys.db")
    key_id, key = create_key(database, "triage", now=1_795_000_000)
    assert key.startswith("pg_")
    assert len(key) == 46
    keys = StoredAppKeys(tmp_path / "keys.db")
    assert await keys.app_of(key) == "triage"
    for unknown in ("", "pg_", key[:-1], key + "A", key.swapcase(), "pg_" + "A" * 43, "clé \ud800", "x" * 100_000):
        assert await keys.app_of(unknown) is None
    assert key.encode() not in (tmp_path / "keys.db").read_bytes()
    assert key[3:].encode() not in (tmp_path / "keys.db").read_bytes()
    assert [(k.key_id, k.app, k.created_at, k.revoked_at) for k in list_keys(database)] == [
        (key_id, "triage", 1_795_000_000, None)
    ]
    keys.close()
    database.close()


async def test_a_key_opens_the_doors_of_its_kind_alone(tmp_path: Path) -> None:
    database = StateDatabase(tmp_path / "keys.db")
    app, auditor = (create_key(database, "same-name", now=1, kind=kind)[1] for kind in ("app", "auditor"))
    assert auditor.startswith("pgaudit_")
    keys = StoredAppKeys(tmp_path / "keys.db")
    for _ in range(2):  # the second time from the cache
        assert (await keys.app_of(app), await keys.auditor_of(app)) == ("same-name", None)
        assert (await keys.app_of(auditor), await keys.auditor_of(auditor)) == (None, "same-name")
    assert sorted(key.kind for key in list_keys(database)) == ["app", "auditor"]
    keys.close()
    database.close()


async def test_a_revoked_key_ends_within_seconds(tmp_path: Path) -> None:
    clock = Clock(0.0)
    database = StateDatabase(tmp_path / "keys.db")
    key_id, key = create_key(database, "triage", now=1)
    keys = StoredAppKeys(tmp_path / "keys.db", mono=clock)
    assert await keys.app_of(key) == "triage"
    revoke_key(database, key_id, now=2)
    assert await keys.app_of(key) == "triage", "answered from memory"
    clock.at += CACHE_S
    assert await keys.app_of(key) is None
    with pytest.raises(SettingsError, match="expected the id of a key that is not revoked"):
        revoke_key(database, key_id, now=3)
    keys.close()
    database.close()


async def test_a_database_that_fails_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_bytes(b"this is no database" * 100)
    keys = StoredAppKeys(tmp_path / "keys.db")
    with pytest.raises(UnavailableError) as caught:
        await keys.app_of("pg_x")
    assert caught.value.code == "state_unavailable"
    keys.close()


def test_another_kind_of_url_is_refused() -> None:
    with pytest.raises(SettingsError, match="sqlite:/// or postgresql"):
        StateDatabase("mysql://x").do(lambda connection: connection.close())


def test_mac_keys_change_with_the_day_and_are_shared(tmp_path: Path) -> None:
    clock = Clock()
    one = DayKeys(tmp_path / "mac", wrapping_folder=tmp_path / "keys", now=clock)
    two = DayKeys(tmp_path / "mac", wrapping_folder=tmp_path / "keys", now=clock)
    today = one.key()
    assert len(today) == 32
    assert today == two.key() == one.key_of(int(clock.at // 86400))
    size, mac = one.mac(b"body")
    running = two.running()
    running.update(b"bo")
    running.update(b"dy")
    assert running.result() == (size, mac)
    clock.at += 86400
    assert one.key() != today
    assert one.key_of(int(clock.at // 86400) - 1) == today


def test_a_wrapped_mac_key_shows_nothing_and_opens_for_its_day_alone(tmp_path: Path) -> None:
    keys = DayKeys(tmp_path / "mac", wrapping_folder=tmp_path / "keys", now=Clock())
    key = keys.key()
    (path,) = (tmp_path / "mac").iterdir()
    assert key not in path.read_bytes()
    path.rename(path.with_name("2026-11-19.mackey"))
    with pytest.raises(SettingsError, match=f"expected 2026-11-19.mackey wrapped under {WRAPPING}"):
        keys.key_of(20776)
    (tmp_path / "keys" / WRAPPING).chmod(0o644)
    with pytest.raises(SettingsError, match="expected mode 0600"):
        DayKeys(tmp_path / "mac", wrapping_folder=tmp_path / "keys", now=Clock()).key()


def _first_use(path: str) -> str:
    import asyncio as aio

    held = StoredHeldParts(Path(path))
    try:
        aio.run(held.limits("demo", [b"d" * 32]))
    finally:
        held.close()
    return "ok"


def test_workers_that_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    import concurrent.futures
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=spawn) as pool:
        assert list(pool.map(_first_use, [str(tmp_path / "held.db")] * 3)) == ["ok"] * 3


async def test_a_look_in_place_waits_for_no_lock_and_the_thread_then_does(tmp_path: Path) -> None:
    held = StoredHeldParts(tmp_path / "held.db", now=Clock())
    await held.hold("triage", digests(0, 2), TAG)
    database = held._database
    assert database.peek("SELECT holds FROM held_part", ()) == [("tag",), ("tag",)]
    other = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert database.peek("SELECT holds FROM held_part", ()) is None
    asking = asyncio.create_task(held.limits("triage", digests(0, 1)))
    await asyncio.sleep(0.05)
    assert not asking.done(), "it waits in the thread, and the loop goes on"
    other.execute("COMMIT")
    assert await asking == TAG
    assert database.peek("SELECT holds FROM no_such_table", ()) is None
    other.close()
    held.close()


def test_nothing_is_read_in_place_before_the_database_is_open(tmp_path: Path) -> None:
    assert StateDatabase(tmp_path / "held.db").peek("SELECT 1", ()) is None
    assert StateDatabase("postgresql://nowhere/x").peek("SELECT 1", ()) is None
