"""The log's tables: what waits for a place, the log itself, and which leaf belongs to which event."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
    Uuid,
)

metadata = MetaData()

# On SQLite only INTEGER makes the position the key of the row itself.
Position = BigInteger().with_variant(Integer, "sqlite")

# Written with the event, deleted when it has its place. No foreign key ties it to the event (settled rule 8).
ledger_queue = Table(
    "ledger_queue",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("event_id", Uuid, nullable=False, index=True),
    Column("entry", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The leaves in order; position = leaf index, without gaps. Rows are never changed and never deleted.
log_entry = Table(
    "log_entry",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
)

# Which leaf is whose: the link that expunging cuts.
event_position = Table(
    "event_position",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("stream_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("stream_id", "version", name="uq_event_position_stream_id_version"),
)

# One row: how many leaves there are. Whoever gives out positions locks it.
log_state = Table(
    "log_state",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1", name="ck_log_state_one"), primary_key=True),
    Column("size", BigInteger, nullable=False),
)
