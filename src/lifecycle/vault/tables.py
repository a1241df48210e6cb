"""The vault's tables: wrapped keys, blind index and tombstones, written in the same transaction as the events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy import Row as ReadRow

from lifecycle.columns import Instant

Row: TypeAlias = dict[str, Any]  # to be inserted
Answer: TypeAlias = ReadRow[*tuple[Any, ...]]  # as it was read
T = TypeVar("T")

CHUNK = 5_000  # of an IN list: far below SQLite's 32,766 variables and PostgreSQL's 65,535

# On PostgreSQL a schema of its own; SQLite's engine maps it away (schema_translate_map), so names are unique over all.
VAULT = "vault"
metadata = MetaData(schema=VAULT)

epoch = Table(
    "epoch",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("commitment", LargeBinary, nullable=False),  # of the key in the file, so that a wrong file is noticed
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

subject_key = Table(
    "subject_key",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("sid", LargeBinary, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("record_kid", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Index("subject_key_by_epoch", "epoch"),
)

data_key = Table(
    "data_key",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("hid", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The keys of what is stored only: not wrapped by the person's key, but sealed to the epoch's custody key, whose private
# half no ordinary session loads. Ordinary roles may see that a key is here, and never the key.
custody_key = Table(
    "custody_key",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("hid", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("custody_key_by_epoch", "epoch"),
)

# The token alone is the key (the type is hashed into it). The one global index: its key cannot have the subject in it.
lookup = Table(
    "lookup",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    Column("type", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("identifier_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("lookup_by_subject", "subject_id"),
    Index("lookup_by_epoch", "epoch"),
)

installation_key = Table(
    "installation_key",
    metadata,
    Column("name", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("generation", Integer, nullable=False),
)

spent_command = Table(
    "spent_command",
    metadata,
    Column("cmd", Text, primary_key=True),
    Column("until", Instant, nullable=False, index=True),
)


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
