"""Say of each key whose it is: an app's, which may ask models, or an auditor's, who may read the ledger.

Safe beside the previous release: it knows neither the column nor, by their prefix, the keys of auditors.

Revision: state_0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "state_0002"
down_revision = "state_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("app_key", sa.Column("kind", sa.Text, nullable=False, server_default="app"))
