"""Who may do what in a PostgreSQL ledger: an owner that nobody logs in as, a writer that can only add, an auditor.

    owner     NOLOGIN; owns the tables, so that only its members can change triggers or drop a segment
    writer    SELECT, INSERT, and UPDATE of the moving columns of the head; for the gateway's login
    auditor   SELECT; for readers of the database

A segment is begun by a trigger that has the owner's rights, and nothing else of them. Where the server lets us, event
triggers write down every change of the schema. Defence in depth: the proof is the signed tree. The gateway's login is
made a member by the database's administrator: ``GRANT phigate_writer TO gateway``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from phigate.errors import SettingsError
from phigate.store.migrate import current, upgrade
from phigate.store.tables import BRANCHES

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_FUNCTIONS: Final = (
    "ledger_refuse()",
    "ledger_head_grows()",
    "ledger_open_log()",
    "ledger_saw_ddl()",
    "ledger_saw_drop()",
)
_EVENTS: Final = {
    "phigate_ledger_ddl": "ON ddl_command_end EXECUTE FUNCTION ledger_saw_ddl()",
    "phigate_ledger_drop": "ON sql_drop EXECUTE FUNCTION ledger_saw_drop()",
}
_TABLES: Final = "SELECT relname FROM pg_class WHERE relname ~ '^ledger_' AND relkind IN ('r', 'p') ORDER BY 1"
_MOVING: Final = "size, root, frontier, last_ts, closed"  # of the head; its triggers let it only grow


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the three."""

    owner: str = "phigate_owner"
    writer: str = "phigate_writer"
    auditor: str = "phigate_auditor"

    def __post_init__(self) -> None:
        names = (self.owner, self.writer, self.auditor)
        if not all(_NAME.fullmatch(name) for name in names) or len(set(names)) != 3:
            raise SettingsError("expected three different role names of a-z, 0-9 and _")


def divide_rights(url: str, roles: Roles) -> bool:
    """Bring the schema up to date, create the roles that are missing, and give each what it needs and no more.

    Returns whether changes of the schema are written down from now on: only a superuser can have that done.
    Connect as somebody who may create roles. Safe to repeat. Raises `SettingsError` when the server refuses.
    """
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            if not current(connection, "ledger"):
                connection.rollback()
                upgrade(connection, "ledger")
                connection.commit()
            connection.rollback()
            connection.execute(sa.text("SET LOCAL phigate.ddl = 'roles'"))
            for statement in _statements(connection, roles):
                connection.execute(sa.text(statement))
            watched = _watch(connection)
            connection.commit()
            return watched
    except sa.exc.SQLAlchemyError as error:
        state = getattr(getattr(error, "orig", None), "sqlstate", None) or type(error).__name__
        raise SettingsError(
            f"the server refuses to divide rights ({state}): connect as who may create roles"
        ) from error
    finally:
        engine.dispose()


def _statements(connection: sa.Connection, roles: Roles) -> list[str]:
    there = set(connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars())
    me = connection.execute(sa.text("SELECT quote_ident(current_user)")).scalar_one()
    tables = [table.name for table in BRANCHES["ledger"]]
    every = ", ".join(tables)
    owned = connection.execute(sa.text(_TABLES)).scalars().all()  # partitions, and what is seen of the schema, as well
    grown = ", ".join(name for name in owned if name != "ledger_head")
    readable = f"{every}, ledger_ddl, alembic_version"
    return [
        *(f"CREATE ROLE {role} NOLOGIN" for role in (roles.owner, roles.writer, roles.auditor) if role not in there),
        f"GRANT {roles.owner} TO {me}",  # to give a table away one must be a member of who gets it
        f"GRANT USAGE, CREATE ON SCHEMA public TO {roles.owner}",
        *(f"ALTER TABLE {name} OWNER TO {roles.owner}" for name in (*owned, "alembic_version")),
        *(f"ALTER FUNCTION {name} OWNER TO {roles.owner}" for name in _FUNCTIONS),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"REVOKE ALL ON {', '.join(owned)}, alembic_version FROM PUBLIC, {roles.writer}, {roles.auditor}",
        f"GRANT USAGE ON SCHEMA public TO {roles.writer}, {roles.auditor}",
        f"GRANT SELECT ON {readable} TO {roles.writer}, {roles.auditor}",
        f"GRANT INSERT ON {every} TO {roles.writer}",
        f"GRANT UPDATE ({_MOVING}) ON ledger_head TO {roles.writer}",
        f"REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {grown} FROM {roles.writer}",
    ]


def _watch(connection: sa.Connection) -> bool:
    there = set(connection.execute(sa.text("SELECT evtname FROM pg_event_trigger WHERE evtenabled = 'A'")).scalars())
    try:
        with connection.begin_nested():
            for name, event in _EVENTS.items():
                if name not in there:
                    connection.execute(sa.text(f"DROP EVENT TRIGGER IF EXISTS {name}"))
                    connection.execute(sa.text(f"CREATE EVENT TRIGGER {name} {event}"))
                    connection.execute(sa.text(f"ALTER EVENT TRIGGER {name} ENABLE ALWAYS"))
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "42501":
            raise
        return False
    return True
