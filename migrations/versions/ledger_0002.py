"""On PostgreSQL: one partition a segment, made when its head is inserted, and a record of every change of the schema.

A segment is dropped as a table, never row by row. Its partitions are made by a trigger that runs with the rights of
the tables' owner, so that the gateway's login, which may only add, can begin a segment. Rows that stand are copied
once; the ledger takes no entry meanwhile. SQLite has one file a segment, and needs none of this.

Revision: ledger_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None

# table -> its keys by the name of each; every one begins with log_id, as a key of a partitioned table must
KEYS = {
    "ledger_entry": {
        "ledger_entry_pkey": "PRIMARY KEY (log_id, idx)",
        "ledger_entry_eid": "UNIQUE (log_id, eid)",
        "ledger_entry_once": "UNIQUE (log_id, rid, attempt, kind)",
    },
    "ledger_tile": {"ledger_tile_pkey": "PRIMARY KEY (log_id, level, n)"},
    "ledger_batch": {"ledger_batch_pkey": "PRIMARY KEY (log_id, size)"},
    "ledger_checkpoint": {"ledger_checkpoint_pkey": "PRIMARY KEY (log_id, size)"},
    "ledger_anchor": {"ledger_anchor_pkey": "PRIMARY KEY (log_id, size, type)"},
}
_OWN_RIGHTS = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"
# A table made apart and then attached: CREATE TABLE … PARTITION OF would stop every append to the other segments.
# Row triggers come with the attachment, in the state of the parent's; those on statements do not.
_OPEN_LOG = f"""
CREATE FUNCTION ledger_open_log() RETURNS trigger {_OWN_RIGHTS} AS $$
DECLARE parent text; child text; before text := COALESCE(current_setting('phigate.ddl', TRUE), '');
BEGIN
  PERFORM set_config('phigate.ddl', 'segment', TRUE);
  FOREACH parent IN ARRAY ARRAY['{"', '".join(KEYS)}'] LOOP
    child := format('%s_%s', parent, NEW.log_id);
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING INDEXES)', child, parent);
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES IN (%s)', parent, child, NEW.log_id);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON public.%I FOR EACH STATEMENT'
                   ' EXECUTE FUNCTION public.ledger_refuse()', parent || '_no_truncate', child);
    EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER %I', child, parent || '_no_truncate');
  END LOOP;
  PERFORM set_config('phigate.ddl', before, TRUE);
  RETURN NULL;
END $$
"""
# phigate.ddl is set by phigate's own changes. Whoever may change the schema can set it too, or switch the event
# trigger off: this tells of mistakes and of the clumsy; the proof is the signed tree.
_SAW_DDL = f"""
CREATE FUNCTION ledger_saw_ddl() RETURNS event_trigger {_OWN_RIGHTS} AS $$
DECLARE seen record; reason text := COALESCE(current_setting('phigate.ddl', TRUE), '');
BEGIN
  FOR seen IN SELECT object_identity AS name FROM pg_event_trigger_ddl_commands() LOOP
    IF seen.name ~ 'ledger_' THEN
      INSERT INTO public.ledger_ddl (who, tag, object, why) VALUES (session_user, TG_TAG, seen.name, reason);
      IF reason = '' THEN
        RAISE WARNING 'the ledger''s schema was changed: % on % by %', TG_TAG, seen.name, session_user;
      END IF;
    END IF;
  END LOOP;
END $$
"""
_SAW_DROP = _SAW_DDL.replace("ledger_saw_ddl()", "ledger_saw_drop()").replace(
    "pg_event_trigger_ddl_commands()",
    "pg_event_trigger_dropped_objects() WHERE object_type IN ('table', 'trigger', 'function')",
)


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL statement_timeout = 0")  # as long as the copying takes
    op.execute(_OPEN_LOG)
    for table, keys in KEYS.items():
        _partition(table, keys)
    _always(
        "ledger_head",
        "ledger_head_opens",
        "AFTER INSERT ON ledger_head FOR EACH ROW EXECUTE FUNCTION ledger_open_log()",
    )
    _copy()
    _watch_ddl()


def _partition(table: str, keys: dict[str, str]) -> None:
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    for name in keys:
        op.execute(f"ALTER TABLE {table}_before RENAME CONSTRAINT {name} TO {name}_before")
    op.execute(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS) PARTITION BY LIST (log_id)")
    for name, key in keys.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key}")
    _guard(table)


def _guard(table: str) -> None:
    refuse = "EXECUTE FUNCTION ledger_refuse()"
    _always(table, f"{table}_fixed", f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {refuse}")
    _always(table, f"{table}_no_truncate", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}")


def _copy() -> None:
    """Give the logs that stand their partitions, by inserting their heads anew, and move the rows there."""
    heads = "log_id, origin, size, root, frontier, last_ts, closed"
    op.execute(f"CREATE TEMP TABLE heads_before ON COMMIT DROP AS SELECT {heads} FROM ledger_head")
    op.execute("ALTER TABLE ledger_head DISABLE TRIGGER ledger_head_fixed")
    op.execute("DELETE FROM ledger_head")
    op.execute("ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_fixed")
    op.execute(f"INSERT INTO ledger_head ({heads}) SELECT {heads} FROM heads_before ORDER BY log_id")
    for table in KEYS:
        columns = ", ".join(each["name"] for each in sa.inspect(op.get_bind()).get_columns(f"{table}_before"))
        op.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}_before")
        op.execute(f"DROP TABLE {table}_before")


def _watch_ddl() -> None:
    op.execute(
        "CREATE TABLE ledger_ddl (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " at timestamptz NOT NULL DEFAULT clock_timestamp(), who text NOT NULL, tag text NOT NULL,"
        " object text NOT NULL, why text NOT NULL)"
    )
    _guard("ledger_ddl")
    op.execute(_SAW_DDL)
    op.execute(_SAW_DROP)


def _always(table: str, name: str, definition: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {definition}")
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
