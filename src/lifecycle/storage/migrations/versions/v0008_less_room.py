"""What is kept beside the events takes less room: ids of commands as bytes, no second copy of a key, no audit trail."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from lifecycle.columns import HexDigits, Instant
from lifecycle.storage.append_only import custody_triggers

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# They were named by the projector, who owns them; who migrates may take its role. The trail is read from the events.
_TRAIL = (
    "DROP TABLE IF EXISTS {schema}audit_trail",
    "DELETE FROM {schema}projection_position WHERE name = 'audit-trail'",
)


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.drop_index("ix_command_seen_at", "command_seen")
    if is_sqlite:
        _commands_as_bytes()
        _data_keys_without_rowid()
    else:
        op.execute("ALTER TABLE command_seen ALTER COLUMN cmd TYPE bytea USING decode(cmd, 'hex')")
    _forget_the_trail("" if is_sqlite else "projection.")


def _commands_as_bytes() -> None:
    _driver().create_function("from_hex", 1, bytes.fromhex, deterministic=True)
    op.rename_table("command_seen", "command_seen_before")
    op.create_table(
        "command_seen",
        sa.Column("stream_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("cmd", HexDigits, primary_key=True, nullable=False),
        sa.Column("content_mac", sa.LargeBinary, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("first_version", sa.Integer),
        sa.Column("last_version", sa.Integer),
        sa.Column("at", Instant, nullable=False),
        sa.Column("answer_stream", sa.Uuid),
        sa.Column("told", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    columns = "content_mac, outcome, first_version, last_version, at, answer_stream, told"
    op.execute(
        f"INSERT INTO command_seen (stream_id, cmd, {columns})"  # noqa: S608 -- constants
        f" SELECT stream_id, from_hex(cmd), {columns} FROM command_seen_before"
    )
    op.drop_table("command_seen_before")


def _data_keys_without_rowid() -> None:
    """The triggers go with the table, and come again."""
    op.rename_table("data_key", "data_key_before")
    op.create_table(
        "data_key",
        sa.Column("subject_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("kid", sa.Text, primary_key=True, nullable=False),
        sa.Column("hid", sa.Text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO data_key SELECT subject_id, kid, hid, wrapped FROM data_key_before")
    op.drop_table("data_key_before")
    for statement in custody_triggers():
        if " ON data_key " in statement:
            op.execute(sa.text(statement))


def _forget_the_trail(schema: str) -> None:
    if not sa.inspect(op.get_bind()).has_table("projection_position", schema=schema.rstrip(".") or None):
        return
    if schema:
        op.execute("SET LOCAL ROLE lifecycle_projector")
    for statement in _TRAIL:
        op.execute(statement.format(schema=schema))
    if schema:
        op.execute("RESET ROLE")


def _driver() -> Any:
    return op.get_bind().connection.driver_connection
