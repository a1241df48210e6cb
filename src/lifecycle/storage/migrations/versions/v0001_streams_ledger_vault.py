"""Streams, ledger and vault, with what keeps them append-only. History is never migrated backwards."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from lifecycle.columns import Instant
from lifecycle.storage.append_only import grant_statements, role_statements, trigger_statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite has no schemas; its table names are unique over all rooms.
POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if not on_sqlite:
        op.execute("CREATE SCHEMA vault")
        op.execute("CREATE SCHEMA projection")
    _streams()
    _commands_and_orders()
    _store()
    _ledger()
    _vault(None if on_sqlite else "vault")
    statements = (trigger_statements(),) if on_sqlite else (role_statements(), grant_statements())
    for several in statements:
        for statement in several:
            op.execute(sa.text(statement.replace(":", r"\:")))


def _key(name: str, of: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, of, primary_key=True, autoincrement=False, nullable=False)


def _is(name: str, of: Any) -> sa.Column[Any]:
    return sa.Column(name, of, nullable=False)


def _streams() -> None:
    op.create_table(
        "event_header",
        _key("stream_id", sa.Uuid),
        _key("version"),
        _is("event_id", sa.Uuid),
        _is("kind", sa.Text),
        _is("header", sa.LargeBinary),
        _is("salt", sa.LargeBinary),
    )
    op.create_table(
        "event_body",
        _key("stream_id", sa.Uuid),
        _key("version"),
        _key("part", sa.SmallInteger),
        _is("ct", sa.LargeBinary),
    )
    op.create_table(
        "stream_head",
        _key("stream_id", sa.Uuid),
        _is("sid", sa.LargeBinary),
        _is("version", sa.Integer),
        sa.Column("commitment", sa.LargeBinary),
        sa.Column("stream_key", sa.LargeBinary),
        _is("generation", sa.Integer),
        sa.Column("event_id", sa.Uuid),
        sa.Column("at", Instant),
        _is("fenced", sa.Boolean),
        sqlite_with_rowid=False,
    )


def _commands_and_orders() -> None:
    op.create_table(
        "command_seen",
        _key("stream_id", sa.Uuid),
        _key("cmd", sa.String(64)),
        _is("content_mac", sa.LargeBinary),
        _is("outcome", sa.Text),
        sa.Column("first_version", sa.Integer),
        sa.Column("last_version", sa.Integer),
        _is("at", Instant),
        sa.Column("answer_stream", sa.Uuid),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_command_seen_at", "command_seen", ["at"])
    op.create_table(
        "pending_erasure", _key("stream_id", sa.Uuid), _key("version"), _is("at", Instant), sqlite_with_rowid=False
    )
    op.create_table("epoch_erasure", _key("epoch"), _key("stream_id", sa.Uuid), sqlite_with_rowid=False)
    op.create_table("expunge_order", _key("stream_id", sa.Uuid), _is("at", Instant))


def _store() -> None:
    op.create_table(
        "simulated_clock",
        _key("one", sa.SmallInteger),
        _is("at", Instant),
        sa.CheckConstraint("one = 1", name="ck_simulated_clock_one"),
    )
    op.create_table("store_facts", _key("name", sa.Text), _is("value", sa.Text))
    op.create_table("tracking", _key("application_name", sa.Text), _is("notification_id", sa.BigInteger))
    op.create_table("lease", _key("duty", sa.Text), _is("holder", sa.Text), _is("until", Instant))


def _ledger() -> None:
    op.create_table(
        "ledger_queue",
        _key("stream_id", sa.Uuid),
        _key("version"),
        _is("event_id", sa.Uuid),
        _is("entry", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ledger_queue_event_id", "ledger_queue", ["event_id"])
    op.create_table("log_entry", _key("position", POSITION), _is("entry", sa.LargeBinary))
    op.create_table(
        "event_position",
        _key("position", POSITION),
        _is("stream_id", sa.Uuid),
        _is("version", sa.Integer),
        sa.UniqueConstraint("stream_id", "version", name="uq_event_position_stream_id_version"),
    )
    op.create_table(
        "log_state",
        _key("one", sa.SmallInteger),
        _is("size", sa.BigInteger),
        sa.CheckConstraint("one = 1", name="ck_log_state_one"),
    )


def _vault(schema: str | None) -> None:
    op.create_table(
        "epoch",
        _key("epoch"),
        _is("commitment", sa.LargeBinary),
        _is("began_at", Instant),
        sa.Column("ended_at", Instant),
        schema=schema,
    )
    op.create_table(
        "subject_key",
        _key("subject_id", sa.Uuid),
        _is("sid", sa.LargeBinary),
        _is("generation", sa.Integer),
        _is("epoch", sa.Integer),
        _is("record_kid", sa.Text),
        _is("wrapped", sa.LargeBinary),
        schema=schema,
    )
    op.create_index("subject_key_by_epoch", "subject_key", ["epoch"], schema=schema)
    op.create_table(
        "data_key",
        _key("subject_id", sa.Uuid),
        _key("kid", sa.Text),
        _is("hid", sa.Text),
        _is("wrapped", sa.LargeBinary),
        schema=schema,
    )
    _vault_of_the_installation(schema)


def _vault_of_the_installation(schema: str | None) -> None:
    op.create_table(
        "lookup",
        _key("token", sa.LargeBinary),
        _is("type", sa.Text),
        _is("subject_id", sa.Uuid),
        _is("identifier_id", sa.Text),
        _is("epoch", sa.Integer),
        _is("sealed", sa.LargeBinary),
        schema=schema,
    )
    op.create_index("lookup_by_subject", "lookup", ["subject_id"], schema=schema)
    op.create_index("lookup_by_epoch", "lookup", ["epoch"], schema=schema)
    op.create_table(
        "installation_key", _key("name", sa.Text), _key("epoch"), _is("wrapped", sa.LargeBinary), schema=schema
    )
    op.create_table(
        "tombstone", _key("subject_id", sa.Uuid), _is("at", Instant), _is("generation", sa.Integer), schema=schema
    )
    op.create_table("spent_command", _key("cmd", sa.Text), _is("until", Instant), schema=schema)
    op.create_index(
        op.f(f"ix_{schema + '_' if schema else ''}spent_command_until"), "spent_command", ["until"], schema=schema
    )
