"""The tables, with the same meaning on SQLite and PostgreSQL. What guards them is in migrations/versions.

Branches of migrations, since they may live in different databases: ``ledger`` (append-only; on SQLite one file per
segment), ``state`` (app keys, and what was held back; rows come and go), ``replay`` (signed contexts already taken).

The columns ``eid``, ``kind``, ``rid`` and ``attempt`` of an entry are indexes only: the entry's bytes are the
evidence, and the verifier compares these columns to them.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

HEAD: Final = sa.Table(
    "ledger_head",
    METADATA,
    sa.Column("log_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("origin", sa.Text, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    sa.Column("last_ts", sa.BigInteger, nullable=False),  # microseconds since 1970, the largest so far
    sa.Column("closed", sa.Boolean, nullable=False),
)

ENTRY: Final = sa.Table(
    "ledger_entry",
    METADATA,
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
    # NULLs are never equal: entries about no exchange do not collide.
    sa.UniqueConstraint("log_id", "rid", "attempt", "kind", name="ledger_entry_once"),
)

TILE: Final = sa.Table(
    "ledger_tile",
    METADATA,
    sa.Column("log_id", sa.Integer, nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),  # 256 hashes: full tiles only
    sa.PrimaryKeyConstraint("log_id", "level", "n"),
)

BATCH: Final = sa.Table(
    "ledger_batch",
    METADATA,
    sa.Column("log_id", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("ts", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("log_id", "size"),
)

CHECKPOINT: Final = sa.Table(
    "ledger_checkpoint",
    METADATA,
    sa.Column("log_id", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("log_id", "size"),
)

ANCHOR: Final = sa.Table(
    "ledger_anchor",
    METADATA,
    sa.Column("log_id", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("blob", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("log_id", "size", "type"),
)

APP_KEY: Final = sa.Table(
    "app_key",
    METADATA,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("app", sa.Text, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),  # seconds since 1970
    sa.Column("revoked_at", sa.BigInteger),
    sa.Column("kind", sa.Text, nullable=False, server_default="app"),  # "app" or "auditor": what the key opens
)

HELD: Final = sa.Table(
    "held_part",
    METADATA,
    sa.Column("app", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("holds", sa.Text, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),  # seconds since 1970
    sa.PrimaryKeyConstraint("app", "digest"),
    sa.Index("held_part_until", "until"),
)

TAKEN: Final = sa.Table(
    "context_taken",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("until", sa.BigInteger, nullable=False),  # seconds since 1970
    sa.Index("context_taken_until", "until"),
)

SUBJECT: Final = sa.Table(
    "vault_subject",
    METADATA,
    sa.Column("lookup", sa.LargeBinary, primary_key=True),  # keyed digest of a patient's number
    sa.Column("wrapped", sa.LargeBinary, nullable=False),  # the patient's key, under the wrapping key of ``epoch``
    sa.Column("epoch", sa.Integer, nullable=False),
)

SUBJECT_EXCHANGE: Final = sa.Table(
    "vault_exchange",
    METADATA,
    sa.Column("lookup", sa.LargeBinary, nullable=False),
    sa.Column("rid", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("lookup", "rid"),
)

EPOCH: Final = sa.Table(
    "vault_epoch",
    METADATA,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),  # the one row
    sa.Column("epoch", sa.Integer, nullable=False),
)

ERASURE: Final = sa.Table(
    "vault_erasure",
    METADATA,
    sa.Column("eid", sa.Text, primary_key=True),  # of the entry that is still to be written
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("article", sa.Text, nullable=False),
    sa.Column("exchanges", sa.BigInteger, nullable=False),
)

BRANCHES: Final[dict[str, tuple[sa.Table, ...]]] = {
    "ledger": (HEAD, ENTRY, TILE, BATCH, CHECKPOINT, ANCHOR),
    "state": (APP_KEY, HELD),
    "replay": (TAKEN,),
    "vault": (SUBJECT, SUBJECT_EXCHANGE, EPOCH, ERASURE),
}
