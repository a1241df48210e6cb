"""How far each process has followed the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lifecycle.storage.append_only import reaction_grants

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reaction_position",
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name != "sqlite":
        for statement in reaction_grants():
            op.execute(sa.text(statement))
