"""Create the append-only tables of the ledger, and the triggers that keep them so.

The triggers are defence in depth; the proof is the signed tree. SQLite: BEFORE DELETE does not fire for INSERT OR
REPLACE unless ``recursive_triggers`` is on, so that BEFORE INSERT refuses every row that would replace another.
PostgreSQL: triggers are ENABLE ALWAYS, since ordinary ones are silent under ``session_replication_role = replica``.

Revision: ledger_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ledger_0001"
down_revision = None
branch_labels = ("ledger",)
depends_on = None

# table -> condition under which a new row would not be the next one, in SQLite's words
NOT_NEXT = {
    "ledger_entry": (
        "NEW.idx <> (SELECT COALESCE(MAX(idx) + 1, 0) FROM ledger_entry WHERE log_id = NEW.log_id)"
        " OR EXISTS (SELECT 1 FROM ledger_entry WHERE log_id = NEW.log_id AND eid = NEW.eid)"
        " OR EXISTS (SELECT 1 FROM ledger_entry WHERE log_id = NEW.log_id AND rid = NEW.rid"
        " AND attempt = NEW.attempt AND kind = NEW.kind)"
    ),
    "ledger_tile": (
        "NEW.n <> (SELECT COALESCE(MAX(n) + 1, 0) FROM ledger_tile WHERE log_id = NEW.log_id AND level = NEW.level)"
    ),
    "ledger_batch": "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM ledger_batch WHERE log_id = NEW.log_id)",
    "ledger_checkpoint": (
        "NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM ledger_checkpoint WHERE log_id = NEW.log_id)"
    ),
    "ledger_anchor": (
        "EXISTS (SELECT 1 FROM ledger_anchor WHERE log_id = NEW.log_id AND size = NEW.size AND type = NEW.type)"
    ),
    "ledger_head": "EXISTS (SELECT 1 FROM ledger_head WHERE log_id = NEW.log_id OR origin = NEW.origin)",
}
HEAD_MOVES = (
    "NEW.log_id <> OLD.log_id OR NEW.origin <> OLD.origin OR NEW.last_ts < OLD.last_ts OR OLD.closed"
    " OR NEW.size < OLD.size OR (NEW.size = OLD.size AND (NEW.root <> OLD.root OR NEW.frontier <> OLD.frontier))"
)


def upgrade() -> None:
    _create_log()
    _create_evidence()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _create_log() -> None:
    op.create_table(
        "ledger_head",
        sa.Column("log_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.Text, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("last_ts", sa.BigInteger, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("log_id", sa.Integer, nullable=False),
        sa.Column("idx", sa.BigInteger, nullable=False),
        sa.Column("eid", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rid", sa.Text),
        sa.Column("attempt", sa.Integer),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "idx"),
        sa.UniqueConstraint("log_id", "eid", name="ledger_entry_eid"),
        sa.UniqueConstraint("log_id", "rid", "attempt", "kind", name="ledger_entry_once"),
    )
    op.create_table(
        "ledger_tile",
        sa.Column("log_id", sa.Integer, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "level", "n"),
    )


def _create_evidence() -> None:
    op.create_table(
        "ledger_batch",
        sa.Column("log_id", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("ts", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "size"),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("log_id", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "size"),
    )
    op.create_table(
        "ledger_anchor",
        sa.Column("log_id", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "size", "type"),
    )


def _guard_sqlite() -> None:
    for table, condition in NOT_NEXT.items():
        _trigger(f"{table}_next", f"BEFORE INSERT ON {table} WHEN {condition}", f"{table}: not the next row")
        _trigger(f"{table}_no_delete", f"BEFORE DELETE ON {table}", f"{table}: rows are never deleted")
        if table != "ledger_head":
            _trigger(f"{table}_no_update", f"BEFORE UPDATE ON {table}", f"{table}: rows are never changed")
    _trigger("ledger_head_grows", f"BEFORE UPDATE ON ledger_head WHEN {HEAD_MOVES}", "ledger_head: only grows")


def _trigger(name: str, when: str, message: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _guard_postgres() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$"
        " BEGIN RAISE EXCEPTION '%: rows are never changed or deleted', TG_TABLE_NAME"
        " USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE FUNCTION ledger_head_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$"
        f" BEGIN IF {HEAD_MOVES} THEN RAISE EXCEPTION 'ledger_head: only grows'"
        " USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
    )
    for table in NOT_NEXT:
        events = "DELETE" if table == "ledger_head" else "UPDATE OR DELETE"
        _always(table, f"{table}_fixed", f"BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()")
        _always(
            table,
            f"{table}_no_truncate",
            f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
        )
    _always(
        "ledger_head",
        "ledger_head_moves",
        "BEFORE UPDATE ON ledger_head FOR EACH ROW EXECUTE FUNCTION ledger_head_grows()",
    )


def _always(table: str, name: str, definition: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {definition}")
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
