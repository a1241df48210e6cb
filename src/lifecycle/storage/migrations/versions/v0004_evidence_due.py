"""When the evidence about erased people falls due to be deleted; for those whose erasure is final already, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lifecycle.columns import Instant
from lifecycle.storage.append_only import evidence_grants, evidence_triggers
from lifecycle.storage.evidence_periods import remember
from lifecycle.vault.tables import tombstone

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_due",
        sa.Column("stream_id", sa.Uuid, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_evidence_due_at", "evidence_due", ["at", "stream_id"])
    c = op.get_bind()
    remember(c, c.execute(sa.select(tombstone.c.subject_id)).scalars())
    for statement in evidence_triggers() if c.dialect.name == "sqlite" else evidence_grants():
        op.execute(sa.text(statement.replace(":", r"\:")))
