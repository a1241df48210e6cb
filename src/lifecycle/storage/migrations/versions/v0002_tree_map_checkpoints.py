"""What is published of the log: its tree, the subject map, the checkpoints."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

from lifecycle.columns import Instant
from lifecycle.storage.append_only import publishing_grants, publishing_triggers

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _tree()
    _map()
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in publishing_triggers() if on_sqlite else publishing_grants():
        op.execute(sa.text(statement.replace(":", r"\:")))
    # A log that was begun by an earlier version: nothing of it is published yet.
    begun = "INSERT INTO log_tree SELECT 1, 0, :root, :frontier, 0, 0, 0 FROM log_state"
    op.execute(sa.text(begun).bindparams(root=sha256(b"").digest(), frontier=b""))


def _key(name: str, of: Any = POSITION) -> sa.Column[Any]:
    return sa.Column(name, of, primary_key=True, autoincrement=False, nullable=False)


def _is(name: str, of: Any) -> sa.Column[Any]:
    return sa.Column(name, of, nullable=False)


def _tree() -> None:
    op.create_table(
        "log_tree",
        _key("one", sa.SmallInteger),
        _is("size", sa.BigInteger),
        _is("root", sa.LargeBinary),
        _is("frontier", sa.LargeBinary),
        _is("depth", sa.SmallInteger),
        _is("streams", sa.BigInteger),
        _is("events", sa.BigInteger),
        sa.CheckConstraint("one = 1", name="ck_log_tree_one"),
    )
    op.create_table("log_system", _key("position"))
    op.create_table("checkpoint", _key("size"), _is("note", sa.Text), _is("at", Instant))


def _map() -> None:
    op.create_table("map_bucket", _key("bucket"), _is("leaves", sa.LargeBinary))
    op.create_table("map_tile", _key("level", sa.SmallInteger), _key("number"), _is("hashes", sa.LargeBinary))
    op.create_table("map_expunged", _key("sid", sa.LargeBinary), sqlite_with_rowid=False)
