"""${message}

Rules for every migration:
- It runs beside the previous release: add first, remove one release later.
- It takes no long lock: no rewrite of a ledger table, indexes on PostgreSQL are built concurrently.
- It never updates or deletes an entry, and never loosens a trigger that stops that.
- It runs on SQLite and on PostgreSQL, and there is no way down: a ledger is never taken apart.

Revision: ${up_revision}
After: ${down_revision | comma,n}
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "raise NotImplementedError"}
