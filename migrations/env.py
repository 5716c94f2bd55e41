"""Run migrations on the connection that phigate hands over: one at a time, each in its own transaction.

On PostgreSQL an advisory lock keeps two starting replicas apart, and short timeouts keep a migration from standing
in the way of the ledger: it fails and is tried again rather than wait for a lock. SQLite is kept apart by its file.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from phigate.store.tables import METADATA

ADVISORY_LOCK = 7_016_200_519  # any number that nobody else uses


def run(connection: sa.Connection) -> None:
    """Bring the branch that was asked for to its head."""
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=True)
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET lock_timeout = '4s'"))
        connection.execute(sa.text("SET statement_timeout = '60s'"))
        connection.execute(sa.text("SET phigate.ddl = 'migration'"))  # see ledger_0002
        connection.execute(sa.text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
        connection.commit()
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})"))
            connection.commit()


run(context.config.attributes["connection"])
