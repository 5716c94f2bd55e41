"""Migrations: from nothing to the newest schema, which is what the tables say, on both databases; twice is once."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from phigate.store import migrate
from phigate.store.tables import BRANCHES


def differences(url: str, branch: str) -> list[object]:
    """Migrate an empty database and compare it with the tables of the branch."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        assert not migrate.current(connection, branch)
        connection.rollback()
        for _ in range(2):
            migrate.upgrade(connection, branch)
            connection.commit()
        assert migrate.current(connection, branch)
        metadata = sa.MetaData()
        for table in BRANCHES[branch]:
            table.to_metadata(metadata)
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


@pytest.mark.parametrize("branch", BRANCHES)
def test_an_empty_sqlite_file_becomes_what_the_tables_say(tmp_path: Path, branch: str) -> None:
    assert differences(f"sqlite:///{tmp_path}/x.db", branch) == []


@pytest.mark.parametrize("branch", BRANCHES)
def test_an_empty_postgresql_database_becomes_what_the_tables_say(postgres: str, branch: str) -> None:
    assert differences(postgres, branch) == []


def test_both_branches_may_share_a_database(postgres: str) -> None:
    engine = sa.create_engine(postgres, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        for branch in BRANCHES:
            migrate.upgrade(connection, branch)
            connection.commit()
        assert all(migrate.current(connection, branch) for branch in BRANCHES)


def test_no_migration_goes_back_and_every_one_says_its_rules() -> None:
    for path in (migrate.scripts() / "versions").glob("*.py"):
        assert "def downgrade" not in path.read_text(), "a ledger is never taken apart"
    assert "never updates or deletes an entry" in (migrate.scripts() / "script.py.mako").read_text()
