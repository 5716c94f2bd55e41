"""Who may do what in a PostgreSQL ledger: an owner that nobody logs in as, a writer that can only add, an auditor.

    owner     NOLOGIN; owns the tables, so that only its members can change triggers or drop a segment
    writer    SELECT, INSERT, and UPDATE of the moving columns of the head; for the gateway's login
    auditor   SELECT; for readers of the database

Defence in depth: the proof is the signed tree. The gateway's login is made a member by the database's administrator:
``GRANT phigate_writer TO gateway``.
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
_FUNCTIONS: Final = ("ledger_refuse()", "ledger_head_grows()")
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


def divide_rights(url: str, roles: Roles) -> None:
    """Bring the schema up to date, create the roles that are missing, and give each what it needs and no more.

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
            for statement in _statements(connection, roles):
                connection.execute(sa.text(statement))
            connection.commit()
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
    grown = ", ".join(name for name in tables if name != "ledger_head")
    return [
        *(f"CREATE ROLE {role} NOLOGIN" for role in (roles.owner, roles.writer, roles.auditor) if role not in there),
        f"GRANT {roles.owner} TO {me}",  # to give a table away one must be a member of who gets it
        f"GRANT USAGE, CREATE ON SCHEMA public TO {roles.owner}",
        *(f"ALTER TABLE {name} OWNER TO {roles.owner}" for name in (*tables, "alembic_version")),
        *(f"ALTER FUNCTION {name} OWNER TO {roles.owner}" for name in _FUNCTIONS),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"REVOKE ALL ON {every}, alembic_version FROM PUBLIC, {roles.writer}, {roles.auditor}",
        f"GRANT USAGE ON SCHEMA public TO {roles.writer}, {roles.auditor}",
        f"GRANT SELECT ON {every}, alembic_version TO {roles.writer}, {roles.auditor}",
        f"GRANT INSERT ON {every} TO {roles.writer}",
        f"GRANT UPDATE ({_MOVING}) ON ledger_head TO {roles.writer}",
        f"REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {grown} FROM {roles.writer}",
    ]
