"""Create the vault: one key a patient, wrapped; the exchanges of each; erasures whose entry is still to be written.

Rows are deleted here on purpose: a patient's key that is gone makes all of that patient's tags noise.

Revision: vault_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "vault_0001"
down_revision = None
branch_labels = ("vault",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_subject",
        sa.Column("lookup", sa.LargeBinary, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
    op.create_table(
        "vault_exchange",
        sa.Column("lookup", sa.LargeBinary, nullable=False),
        sa.Column("rid", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("lookup", "rid"),
    )
    op.create_table(
        "vault_epoch",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
    op.create_table(
        "vault_erasure",
        sa.Column("eid", sa.Text, primary_key=True),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("article", sa.Text, nullable=False),
        sa.Column("exchanges", sa.BigInteger, nullable=False),
    )
