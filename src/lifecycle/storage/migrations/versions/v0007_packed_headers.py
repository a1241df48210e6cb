"""Headers are stored packed from here on, which earlier programs cannot read; those that are there stay as they are."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column holds bytes as before."""
