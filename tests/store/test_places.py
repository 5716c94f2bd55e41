"""Names and places of segments."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from phigate.errors import SettingsError
from phigate.store.places import (
    end_of,
    find_segment,
    following_newest,
    half_of,
    half_year,
    ledger_name,
    newest_origin,
    next_origin,
    place_of,
    segments,
)
from phigate.store.sqlite import SQLiteStorage
from phigate.tlog.errors import IncompleteError

NAME = "audit.test/phigate"


def at(*date: int) -> float:
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("origin", "name", "half"),
    [
        (f"{NAME}/2026h2", NAME, "2026h2"),
        (f"{NAME}/2026h2-2", NAME, "2026h2"),
        (f"{NAME}/2026h2-r1-2", NAME, "2026h2"),
        (NAME, NAME, ""),
        (f"{NAME}/2026h3", f"{NAME}/2026h3", ""),
        (f"{NAME}/2026h2-", f"{NAME}/2026h2-", ""),
        (f"{NAME}/２０２６h2", f"{NAME}/２０２６h2", ""),
    ],
)
def test_a_segment_is_named_by_ledger_and_half_year(origin: str, name: str, half: str) -> None:
    assert (ledger_name(origin), half_of(origin)) == (name, half)


def test_half_years_end_where_the_next_begins() -> None:
    assert half_year(at(2026, 6, 30, 23, 59, 59)) == "2026h1"
    assert half_year(at(2026, 7, 1)) == "2026h2"
    for half in ("2026h1", "2026h2"):
        end = end_of(half).timestamp()
        assert half_year(end - 1) == half
        assert half_year(end) > half


def test_the_next_origin_is_new_whatever_was_taken_and_never_runs_back() -> None:
    first = f"{NAME}/2026h2"
    assert next_origin(first, at_s=at(2027, 1, 2)) == f"{NAME}/2027h1"
    assert next_origin(first, at_s=at(2027, 1, 2), taken=[f"{NAME}/2027h1"]) == f"{NAME}/2027h1-2"
    assert next_origin(first, at_s=at(2026, 11, 1)) == f"{first}-2"
    assert next_origin(f"{first}-2", at_s=at(2026, 11, 1), taken=[f"{first}-3"]) == f"{first}-4"
    assert next_origin(f"{NAME}/2027h1", at_s=at(2026, 11, 1)) == f"{NAME}/2027h1-2"
    assert next_origin(NAME, at_s=at(2026, 11, 1)) == first


def a_log(path: Path, origin: str) -> None:
    storage = SQLiteStorage(path)
    storage.open()
    storage.begin(origin)
    storage.create(origin)
    storage.commit()
    storage.close()
    storage.release()


def test_a_new_segment_gets_a_file_of_its_own_beside_the_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert place_of(url, f"{NAME}/2026h2") == url
    a_log(tmp_path / "ledger.db", f"{NAME}/2026h2")
    assert place_of(url, f"{NAME}/2026h2") == url
    beside = place_of(url, f"{NAME}/2027h1-2")
    assert beside == f"sqlite:///{tmp_path}/ledger-2027h1-2.db"
    a_log(tmp_path / "ledger-2027h1-2.db", f"{NAME}/2027h1-2")
    assert place_of(url, f"{NAME}/2027h1-2") == beside
    assert place_of("postgresql+psycopg://x/y", f"{NAME}/2027h1") == "postgresql+psycopg://x/y"


def test_other_files_in_the_folder_are_not_looked_at(tmp_path: Path) -> None:
    a_log(tmp_path / "ledger.db", f"{NAME}/2026h2")
    for name in ("ledger-notes.db", "other-2027h1.db", "ledger-2027h1.db.bak"):
        (tmp_path / name).write_bytes(b"no database")
    assert [each.origin for each in segments(f"sqlite:///{tmp_path}/ledger.db")] == [f"{NAME}/2026h2"]


def test_a_segment_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    a_log(tmp_path / "ledger.db", f"{NAME}/2026h2")
    (tmp_path / "ledger-2027h1.db").write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(IncompleteError, match="cannot be read"):
        segments(f"sqlite:///{tmp_path}/ledger.db")


def test_several_ledgers_in_one_place_must_be_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    a_log(tmp_path / "ledger.db", f"{NAME}/2026h2")
    a_log(tmp_path / "ledger-2027h1.db", "audit.test/other/2027h1")
    with pytest.raises(SettingsError, match="name one of"):
        find_segment(url, None)
    assert find_segment(url, NAME).origin == f"{NAME}/2026h2"
    with pytest.raises(IncompleteError, match="found none"):
        find_segment(url, "audit.test/third")


def test_the_newest_origin_is_the_setting_until_there_is_one(tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path}/ledger.db", [0.0]
    newest = following_newest(url, NAME, every_s=2.0, mono=lambda: now[0])
    assert newest() == newest_origin(url, NAME) == NAME
    a_log(tmp_path / "ledger.db", f"{NAME}/2026h2")
    assert newest() == NAME, "it looks again after two seconds"
    now[0] = 2.0
    assert newest() == f"{NAME}/2026h2"
