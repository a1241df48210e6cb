"""What outlives a restore: proofs of finality, how far the erasure journal was seen; and answers kept in full."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lifecycle.storage.append_only import final_triggers, restoring_grants

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "final_record",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal_seen",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.CheckConstraint("one = 1", name="ck_journal_seen_one"),
    )
    op.create_index("ix_stream_head_sid", "stream_head", ["sid"])
    op.add_column("command_seen", sa.Column("told", sa.LargeBinary))
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in final_triggers() if on_sqlite else restoring_grants():
        op.execute(sa.text(statement.replace(":", r"\:")))
