"""Migrations: from nothing to the newest schema, which is what the tables say, on both databases; twice is once."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from phigate.store import migrate
from phigate.store.open import open_ledger
from phigate.store.source import DatabaseSource
from phigate.store.tables import BRANCHES
from phigate.tlog.report import Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import an_intent


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
        options = {"include_name": lambda name, *_: name != "ledger_ddl"}  # PostgreSQL alone has it
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


@pytest.mark.parametrize("branch", BRANCHES)
def test_an_empty_sqlite_file_becomes_what_the_tables_say(tmp_path: Path, branch: str) -> None:
    assert differences(f"sqlite:///{tmp_path}/x.db", branch) == []


@pytest.mark.parametrize("branch", BRANCHES)
def test_an_empty_postgresql_database_becomes_what_the_tables_say(postgres: str, branch: str) -> None:
    assert differences(postgres, branch) == []


@pytest.mark.anyio
async def test_a_ledger_of_the_schema_before_goes_on_in_partitions(postgres: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        command.upgrade(migrate.configuration(connection), "ledger_0001")
        connection.commit()
        connection.exec_driver_sql("CREATE TABLE kept AS SELECT version_num FROM alembic_version")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ledger_0002'")  # so that it is left alone
        connection.commit()
    for name in ("audit.test/one", "audit.test/two"):
        async with open_ledger(postgres, keys_folder=tmp_path, origin=name, replica="gw") as ledger:
            for _ in range(300):
                await ledger.append(an_intent())
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = (SELECT version_num FROM kept)")
        connection.exec_driver_sql("DROP TABLE kept")
        connection.commit()
    for name in ("audit.test/one", "audit.test/two"):
        async with open_ledger(postgres, keys_folder=tmp_path, origin=name, replica="gw") as ledger:
            await ledger.append(an_intent())
        with DatabaseSource(postgres, origin=name) as source:
            assert verify(source, Demand()).verdict is Verdict.VERIFIED
            assert source.size > 300
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM ledger_entry_1").scalar_one() > 300
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM ledger_entry_2").scalar_one() > 300
        assert not sa.inspect(connection).has_table("ledger_entry_before")


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
