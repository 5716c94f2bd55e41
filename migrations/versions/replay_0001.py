"""Create the table of signed contexts that were taken. Rows come, and go once their contexts have expired.

Revision: replay_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "replay_0001"
down_revision = None
branch_labels = ("replay",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "context_taken",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("context_taken_until", "context_taken", ["until"])
