"""What keeps the rows of a PostgreSQL ledger as they are, and the traces of whoever went around it.

Triggers refuse changes; the server counts rows that were changed or deleted all the same; an event trigger writes down
changes of the schema. None of it is proof against a superuser, who can remove the traces too: the proof is the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

Ask = Callable[[str], list[Any]]  # one statement without parameters -> its rows

# Every table of the ledger and each of its partitions has two; the heads have two more.
_UNGUARDED: Final = (
    "SELECT c.relname FROM pg_class AS c WHERE c.relname ~ '^ledger_(head|entry|tile|batch|checkpoint|anchor|ddl)'"
    " AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
    " AND (SELECT COUNT(*) FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)"
    " < CASE WHEN c.relname = 'ledger_head' THEN 4 ELSE 2 END ORDER BY 1"
)
_SILENT: Final = (
    "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid"
    " WHERE c.relname ~ '^ledger_' AND NOT tgisinternal AND tgenabled <> 'A' ORDER BY 1"
)
_CHANGED: Final = (
    "SELECT relname, n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'"
    " AND relname ~ '^ledger_(entry|tile|batch|checkpoint|anchor|ddl)' AND n_tup_upd + n_tup_del > 0 ORDER BY 1"
)
_WATCHED: Final = (
    "SELECT COUNT(*) FROM pg_event_trigger WHERE evtname IN ('phigate_ledger_ddl', 'phigate_ledger_drop')"
    " AND evtenabled = 'A'"
)
_UNEXPLAINED: Final = "SELECT n, tag, object, who FROM ledger_ddl WHERE why = '' ORDER BY n DESC LIMIT 20"


def traces(ask: Ask) -> Iterator[str]:
    """Yield what shows that somebody went around the guards, or could now: nothing on a ledger that was left alone."""
    for (table,) in ask(_UNGUARDED):
        yield f"{table} lacks a trigger that keeps its rows"
    for (table,) in ask(_SILENT):
        yield f"a trigger of {table} is not ENABLE ALWAYS"
    for table, count in ask(_CHANGED):
        yield f"{count} rows of {table} were changed or deleted"
    for _, tag, name, who in ask(_UNEXPLAINED):
        yield f"{who} changed the schema: {tag} {name}"


def schema_is_watched(ask: Ask) -> bool:
    """Return whether changes of the schema are written down (see `roles.divide_rights`)."""
    return bool(ask(_WATCHED)[0][0] == 2)
