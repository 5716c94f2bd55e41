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

from phigate.audit.record import Draft, Kind
from phigate.errors import LedgerStateError, SettingsError
from phigate.store.doctoring import BAD, WARN, examine
from phigate.store.open import open_ledger
from phigate.store.places import segments
from phigate.store.retention import destroy
from phigate.store.roles import Roles, divide_rights
from phigate.store.rolling import RollingLedger
from phigate.store.source import DatabaseSource
from phigate.store.verifying_all import verify_ledger
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
    assert divide_rights(postgres, roles)
    assert divide_rights(postgres, roles)  # twice is once
    parts = urlsplit(postgres)
    logins = {}
    for role in (roles.writer, roles.auditor):
        name = f"login_{role}"
        run(postgres, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'", f"GRANT {role} TO {name}")
        where = parts.netloc.rpartition("@")[2]
        logins[role] = urlunsplit(parts._replace(netloc=f"{name}:{quote('secret')}@{where}"))
    yield Divided(postgres, logins[roles.writer], logins[roles.auditor], roles)
    run(postgres, "DROP EVENT TRIGGER phigate_ledger_ddl", "DROP EVENT TRIGGER phigate_ledger_drop")
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


async def test_the_writer_begins_segments_and_only_the_owner_drops_one(divided: Divided, tmp_path: Path) -> None:
    name, keys = "audit.test/phigate", tmp_path / "keys"
    async with RollingLedger(divided.writer, keys_folder=keys, origin=name, replica="gw") as ledger:
        for _ in range(2):
            await ledger.append(an_intent())
            await ledger.append(Draft(Kind.SEGMENT_CLOSE, {"next": ledger._next()}))
        await ledger.append(an_intent())
    old, _, live = segments(divided.auditor)
    assert verify_ledger(segments(divided.auditor), Demand()).verdict is Verdict.VERIFIED
    with pytest.raises(LedgerStateError, match=r"only the owner of the tables may: .* --as-owner"):
        destroy(old, keep=tmp_path, note=b"head")
    assert len(segments(divided.auditor)) == 3
    run(divided.admin, f"GRANT {divided.roles.owner} TO login_{divided.roles.auditor}")
    destroy(old, keep=tmp_path, note=b"head", owner=divided.auditor)
    assert [each.origin for each in segments(divided.auditor)][1:] == [live.origin]
    engine = sa.create_engine(divided.admin, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        left = {each for each in sa.inspect(connection).get_table_names() if each[-2:] == f"_{old.log_id}"}
        assert left == set()
        said = connection.exec_driver_sql("SELECT DISTINCT tag FROM ledger_ddl WHERE why = 'drop'").scalars().all()
    assert sorted(said) == ["ALTER TABLE", "DROP TABLE"]
    assert [f.what for f in examine(divided.writer, keys=keys) if f.level == BAD] == []
    async with RollingLedger(divided.writer, keys_folder=keys, origin=name, replica="gw") as ledger:
        await ledger.append(an_intent())  # what was dropped stands in nobody's way


REACHING = [
    "INSERT INTO ledger_entry_1 SELECT * FROM ledger_entry_1",
    "UPDATE ledger_entry_1 SET entry = '\\x00'",
    "TRUNCATE ledger_entry_1",
    "DROP TABLE ledger_entry_1",
    "ALTER TABLE ledger_entry DETACH PARTITION ledger_entry_1",
    "SELECT ledger_open_log()",
    "INSERT INTO ledger_ddl (who, tag, object, why) VALUES ('x', 'x', 'x', 'x')",
    "DELETE FROM ledger_ddl",
    "DROP EVENT TRIGGER phigate_ledger_ddl",
]


async def test_the_writer_reaches_no_partition_beside_its_table(divided: Divided, tmp_path: Path) -> None:
    async with open_ledger(divided.writer, keys_folder=tmp_path, origin=ORIGIN, replica="gw") as ledger:
        await ledger.append(an_intent())
    for statement in REACHING:
        with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|must be owner|only be called as triggers"):
            run(divided.writer, statement)


@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_partitions_refuse_even_a_superuser_who_does_not_say_so(
    divided: Divided, tmp_path: Path, role: str
) -> None:
    async with open_ledger(divided.writer, keys_folder=tmp_path, origin=ORIGIN, replica="gw") as ledger:
        await ledger.append(an_intent())
    for table in ("ledger_entry", "ledger_entry_1"):
        for statement in (f"UPDATE {table} SET kind = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(sa.exc.DBAPIError, match="rows are never changed or deleted"):
                run(divided.admin, f"SET session_replication_role = {role}", statement)


async def test_who_goes_around_the_guards_leaves_traces(divided: Divided, tmp_path: Path) -> None:
    async with open_ledger(divided.writer, keys_folder=tmp_path, origin=ORIGIN, replica="gw") as ledger:
        await ledger.append(an_intent())
    assert [f.what for f in examine(divided.writer, keys=tmp_path) if f.level == BAD] == []
    run(
        divided.admin,
        "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_fixed",
        "UPDATE ledger_entry SET attempt = 9 WHERE idx = 2",
        "ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_fixed",
        "SELECT pg_stat_force_next_flush()",
    )
    run(divided.admin, "CREATE OR REPLACE FUNCTION ledger_x() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    run(divided.admin, "DROP FUNCTION ledger_x()")
    bad = [f.what for f in examine(divided.writer, keys=tmp_path) if f.level == BAD]
    assert "1 rows of ledger_entry_1 were changed or deleted" in bad
    for what in ("ALTER TABLE public.ledger_entry", "CREATE FUNCTION public.ledger_x()", "DROP FUNCTION"):
        assert any(what in each and "changed the schema" in each for each in bad), (what, bad)


def test_a_login_that_is_no_superuser_divides_rights_and_is_told_what_lacks(postgres: str) -> None:
    tail = uuid.uuid4().hex[:8]
    login, roles = f"a_{tail}", Roles(f"o_{tail}", f"w_{tail}", f"r_{tail}")
    base = urlsplit(postgres)
    name = base.path[1:]
    run(
        postgres,
        f"CREATE ROLE {login} LOGIN CREATEROLE PASSWORD 'secret'",
        f"GRANT ALL ON DATABASE {name} TO {login}",
        f"ALTER SCHEMA public OWNER TO {login}",
    )
    url = urlunsplit(base._replace(netloc=f"{login}:secret@{base.netloc.rpartition('@')[2]}"))
    assert not divide_rights(url, roles)
    said = [f.what for f in examine(url, keys=Path("/nowhere"))]
    assert any("changes of the schema are not written down" in what for what in said), said
    for role in (roles.owner, roles.writer, roles.auditor, login):
        run(postgres, f"DROP OWNED BY {role} CASCADE")
    for role in (roles.owner, roles.writer, roles.auditor, login):
        run(postgres, f"DROP ROLE {role}")


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
