"""The log's tables: what waits for a place, the log itself, which leaf is whose, and what was published of it."""

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
    Text,
    UniqueConstraint,
    Uuid,
)

from lifecycle.columns import Instant

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

# One row: the tree over the leaves that the subject map covers. `frontier` is its right edge, `depth` that of the map.
# Whoever publishes locks it; its size only grows.
log_tree = Table(
    "log_tree",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1", name="ck_log_tree_one"), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("depth", SmallInteger, nullable=False),
    Column("streams", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
)

# Where the system entries among the leaves are: a bundle needs them all, and they are few among many.
log_system = Table(
    "log_system",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=False),
)

# The signed notes, oldest first; only a note may change, when witnesses add their signatures.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", Position, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

# The subject map at the newest tree: a bucket's leaves of 73 bytes in order of sid. An empty bucket has no row.
map_bucket = Table(
    "map_bucket",
    metadata,
    Column("bucket", Position, primary_key=True, autoincrement=False),
    Column("leaves", LargeBinary, nullable=False),
)

# The inner rows of its top tree, at every eighth height, 256 hashes a row: as the tiles of the log are.
map_tile = Table(
    "map_tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Position, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

# Streams whose evidence was deleted and whose map leaves do not say so yet.
map_expunged = Table(
    "map_expunged",
    metadata,
    Column("sid", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

# Over which leaves the record of an epoch's end has its root: hashes of sids, in order. They stay when a stream is
# expunged, so that everybody else's proof goes on.
final_record = Table(
    "final_record",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
