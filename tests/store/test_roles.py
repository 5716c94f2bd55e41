"""On PostgreSQL the gateway's role can add and nothing else; on SQLite no statement replaces a row."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
import sqlalchemy as sa

from phigate.errors import SettingsError
from phigate.store.doctoring import WARN, examine
from phigate.store.open import open_ledger
from phigate.store.roles import Roles, divide_rights
from phigate.store.source import DatabaseSource
from phigate.tlog.report import Verdict
from phigate.tlog.verify import Demand, verify
from tests.store.drafts import ORIGIN, an_intent

pytestmark = pytest.mark.anyio


@dataclass
class Divided:
    """One database, seen as its administrator, its writer and its auditor."""

    admin: str
    writer: str
    auditor: str
    roles: Roles


def run(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.fixture
def divided(postgres: str) -> Iterator[Divided]:
    tail = uuid.uuid4().hex[:8]
    roles = Roles(*(f"{name}_{tail}" for name in ("owner", "writer", "auditor")))
    divide_rights(postgres, roles)
    divide_rights(postgres, roles)  # twice is once
    parts = urlsplit(postgres)
    logins = {}
    for role in (roles.writer, roles.auditor):
        name = f"login_{role}"
        run(postgres, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'", f"GRANT {role} TO {name}")
        where = parts.netloc.rpartition("@")[2]
        logins[role] = urlunsplit(parts._replace(netloc=f"{name}:{quote('secret')}@{where}"))
    yield Divided(postgres, logins[roles.writer], logins[roles.auditor], roles)
    names = [roles.owner, roles.writer, roles.auditor, *(f"login_{r}" for r in (roles.writer, roles.auditor))]
    for name in names:
        run(postgres, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


async def test_a_gateway_needs_no_more_than_the_writers_rights(divided: Divided, tmp_path: Path) -> None:
    for _ in range(2):
        async with open_ledger(divided.writer, keys_folder=tmp_path, origin=ORIGIN, replica="gw") as ledger:
            for _ in range(3):
                await ledger.append(an_intent())
    with DatabaseSource(divided.auditor) as source:
        assert verify(source, Demand()).verdict is Verdict.VERIFIED


REFUSED = [
    "UPDATE ledger_entry SET entry = '\\x00'",
    "UPDATE ledger_tile SET hashes = '\\x00'",
    "UPDATE ledger_batch SET root = '\\x00'",
    "UPDATE ledger_checkpoint SET note = '\\x00'",
    "UPDATE ledger_anchor SET blob = '\\x00'",
    "UPDATE ledger_head SET origin = 'another'",
    "UPDATE ledger_head SET log_id = 7",
    *(f"DELETE FROM ledger_{name}" for name in ("entry", "tile", "batch", "checkpoint", "anchor", "head")),
    *(f"TRUNCATE ledger_{name}" for name in ("entry", "tile", "batch", "checkpoint", "anchor", "head")),
    "INSERT INTO ledger_entry SELECT * FROM ledger_entry ON CONFLICT (log_id, idx) DO UPDATE SET entry = '\\x00'",
    "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
    "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_fixed",
    "DROP TRIGGER ledger_entry_fixed ON ledger_entry",
    "CREATE TRIGGER mine BEFORE INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
    "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "DROP FUNCTION ledger_refuse() CASCADE",
    "DROP TABLE ledger_entry CASCADE",
    "ALTER TABLE ledger_entry RENAME TO gone",
    "CREATE TABLE public.ledger_shadow (x int)",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = 'x'",
]


async def test_a_stolen_writer_can_change_nothing(divided: Divided, tmp_path: Path) -> None:
    async with open_ledger(divided.writer, keys_folder=tmp_path, origin=ORIGIN, replica="gw") as ledger:
        await ledger.append(an_intent())
    for url in (divided.writer, divided.auditor):
        for statement in REFUSED:
            with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|must be owner"):
                run(url, statement)
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        run(divided.auditor, "INSERT INTO ledger_batch VALUES (1, 99, '\\x00', 0)")
    with DatabaseSource(divided.auditor) as source:
        assert verify(source, Demand()).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("statement", ["UPDATE ledger_head SET size = 0", "UPDATE ledger_head SET root = '\\x00'"])
async def test_the_head_only_grows_for_the_writer_too(divided: Divided, tmp_path: Path, statement: str) -> None:
    async with open_ledger(divided.writer, keys_folder=tmp_path, origin=ORIGIN, replica="gw") as ledger:
        await ledger.append(an_intent())
    with pytest.raises(sa.exc.DBAPIError, match="only grows"):
        run(divided.writer, statement)


async def test_the_writer_owns_nothing_and_doctor_says_so_of_who_does(divided: Divided, tmp_path: Path) -> None:
    engine = sa.create_engine(divided.admin, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        owners = set(
            connection.execute(sa.text("SELECT tableowner FROM pg_tables WHERE tablename LIKE 'ledger_%'")).scalars()
        )
    assert owners == {divided.roles.owner}
    said = [f.what for f in examine(divided.admin, keys=tmp_path) if f.level == WARN]
    assert any("could switch the triggers off" in what for what in said), said
    said = [f.what for f in examine(divided.writer, keys=tmp_path)]
    assert "the gateway's role can add and nothing else" in said


@pytest.mark.parametrize("names", [("a", "a", "b"), ("a;b", "c", "d"), ("", "b", "c"), ("A", "b", "c")])
def test_role_names_are_plain(names: tuple[str, str, str]) -> None:
    with pytest.raises(SettingsError, match="three different role names"):
        Roles(*names)


def test_a_login_that_may_not_create_roles_is_told(divided: Divided) -> None:
    with pytest.raises(SettingsError, match=r"refuses to divide rights \(42501\): connect as who may create roles"):
        divide_rights(divided.writer, Roles("x_owner", "x_writer", "x_auditor"))


# -- SQLite: the traps of INSERT OR REPLACE ---------------------------------------------------------------------------


REPLACING = [
    "INSERT OR REPLACE INTO ledger_entry SELECT log_id, idx, eid, kind, rid, attempt, x'00', leaf FROM ledger_entry",
    "REPLACE INTO ledger_entry SELECT log_id, idx, eid, kind, rid, attempt, x'00', leaf FROM ledger_entry",
    # The next index, an id that stands.
    "INSERT OR REPLACE INTO ledger_entry SELECT 1, MAX(idx) + 1, MAX(eid), 'x', NULL, NULL, x'', x'' FROM ledger_entry",
    "INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE true ON CONFLICT DO UPDATE SET entry = x''",
    "INSERT OR IGNORE INTO ledger_entry SELECT log_id, idx + 5, 'x', kind, NULL, NULL, entry, leaf FROM ledger_entry",
    "UPDATE OR REPLACE ledger_entry SET idx = 0",
    "INSERT OR REPLACE INTO ledger_batch SELECT log_id, size, x'00', ts FROM ledger_batch",
    "INSERT OR REPLACE INTO ledger_checkpoint SELECT log_id, size, x'00' FROM ledger_checkpoint",
    "INSERT OR REPLACE INTO ledger_anchor SELECT log_id, size, type, x'00' FROM ledger_anchor",
    "INSERT OR REPLACE INTO ledger_head SELECT log_id, origin, 0, x'00', x'', 0, 0 FROM ledger_head",
    "DELETE FROM ledger_entry",
    "UPDATE ledger_head SET size = 0",
]


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("statement", REPLACING)
async def test_no_statement_replaces_a_row_of_sqlite(tmp_path: Path, statement: str, recursive: str) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    async with open_ledger(url, keys_folder=tmp_path / "keys", origin=ORIGIN, replica="gw", min_free_bytes=0) as ledger:
        await ledger.append(an_intent())
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    connection.execute(f"PRAGMA recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError, match=r"not the next row|never (changed|deleted)|only grows"):
        connection.execute(statement)
    connection.close()
    with DatabaseSource(url) as source:
        assert verify(source, Demand()).verdict is Verdict.VERIFIED
