"""Keys of what is stored only, sealed to a custody key, and who is to be moved there or back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lifecycle.columns import Instant
from lifecycle.storage.append_only import custody_grants, custody_triggers

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TRIGGERS_BEFORE = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('data_key', 'subject_key')"

# Who had something restricted before there was custody: what is stored only of them is moved at the next start.
_RESTRICTED_BEFORE = """
INSERT INTO pending_custody (stream_id, version, at)
SELECT event_header.stream_id, max(event_header.version), max(stream_head.at)
FROM event_header JOIN stream_head ON stream_head.stream_id = event_header.stream_id
WHERE event_header.kind = 'processing-restricted/1' GROUP BY event_header.stream_id
"""


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "custody_key",
        sa.Column("subject_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("kid", sa.Text, primary_key=True, nullable=False),
        sa.Column("hid", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        schema=None if is_sqlite else "vault",
    )
    op.create_index("custody_key_by_epoch", "custody_key", ["epoch"], schema=None if is_sqlite else "vault")
    op.create_table(
        "pending_custody",
        sa.Column("stream_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sqlite_with_rowid=False,
    )
    if is_sqlite:
        for name in op.get_bind().execute(sa.text(_TRIGGERS_BEFORE)).scalars().all():
            op.execute(sa.text(f"DROP TRIGGER {name}"))
    for statement in custody_triggers() if is_sqlite else custody_grants():
        op.execute(sa.text(statement.replace(":", r"\:")))
    op.execute(sa.text(_RESTRICTED_BEFORE))
