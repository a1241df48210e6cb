"""Tables written with events. Each has the stream's id in every unique key, so that it can be spread by stream."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

from lifecycle.columns import HexDigits, Instant
from lifecycle.storage.packing import PackedHeader

metadata = MetaData()

# The exact bytes that were hashed into the log. Readable by anybody with the store; holds no words of a person.
event_header = Table(
    "event_header",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("header", PackedHeader, nullable=False),
    Column("salt", LargeBinary, nullable=False),
)

# The sealed parts of an event; `part` is the index in the header's list. Erasing deletes these rows.
event_body = Table(
    "event_body",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("ct", LargeBinary, nullable=False),
)

# Where a stream stands. Every append moves it, and fails when somebody else moved it first. Before a stream's first
# event (version 0) there is nothing to commit to.
stream_head = Table(
    "stream_head",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("sid", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
    Column("commitment", LargeBinary),
    Column("stream_key", LargeBinary),
    Column("generation", Integer, nullable=False),
    Column("event_id", Uuid),
    Column("at", Instant),
    Column("fenced", Boolean, nullable=False),
    Index("ix_stream_head_sid", "sid"),
    sqlite_with_rowid=False,
)

# Which commands a stream has seen, for 90 days. `cmd` is a keyed hash, `content_mac` the first half of another. No
# index by time: forgetting goes through the table a few times a day, and an index would be kept at every append.
command_seen = Table(
    "command_seen",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("cmd", HexDigits, primary_key=True),
    Column("content_mac", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("first_version", Integer),
    Column("last_version", Integer),
    Column("at", Instant, nullable=False),
    Column("answer_stream", Uuid),
    Column("told", LargeBinary),  # what its events do not say of the answer, without any value: message, effects
    sqlite_with_rowid=False,
)

# Erasures that were ordered and are not completed: what the saga resumes, and what permits deleting.
pending_erasure = Table(
    "pending_erasure",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# People of whom something is to go into custody, or out of it, since the event `version`: what the process starts from,
# and what permits moving keys. Written with the events that make it so.
pending_custody = Table(
    "pending_custody",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# Erasures that are completed and await the end of their epoch.
epoch_erasure = Table(
    "epoch_erasure",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("stream_id", Uuid, primary_key=True),
    sqlite_with_rowid=False,
)

# Whose whole erasure is final, and since when: at the end of the policy's period the evidence goes too. By the record's
# stream; the second stream goes with it.
evidence_due = Table(
    "evidence_due",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("at", Instant, nullable=False),
    Index("ix_evidence_due_at", "at", "stream_id"),
    sqlite_with_rowid=False,
)

# Streams whose evidence may be deleted too; only then do headers and positions let go.
expunge_order = Table(
    "expunge_order",
    metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# The clock of a simulated store. An ordinary store has no row here.
simulated_clock = Table(
    "simulated_clock",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1", name="ck_simulated_clock_one"), primary_key=True),
    Column("at", Instant, nullable=False),
)

# What this store is: simulated or not, its origin, its format. Written once.
store_facts = Table(
    "store_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# How far followers written with the eventsourcing library have read. Our projections keep theirs themselves.
tracking = Table(
    "tracking",
    metadata,
    Column("application_name", Text, primary_key=True),
    Column("notification_id", BigInteger, nullable=False),
)

# How far each process has followed the log: the next position that it looks at.
reaction_position = Table(
    "reaction_position",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

# One row: how far into the erasure journal this database has come. A journal that says more is that of a later day.
journal_seen = Table(
    "journal_seen",
    metadata,
    Column("one", SmallInteger, CheckConstraint("one = 1", name="ck_journal_seen_one"), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("chain", Text, nullable=False),
)

# Duties that one process at a time has, until when. Used where there are no session locks.
lease = Table(
    "lease",
    metadata,
    Column("duty", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Instant, nullable=False),
)

# Written by an append, in the order of writing: rows that others may contend for come first.
WRITTEN_BY_AN_APPEND = (
    stream_head,
    event_header,
    event_body,
    command_seen,
    pending_erasure,
    pending_custody,
    epoch_erasure,
)
