"""The vault's tables on their own: dumped often, and loaded into a database that was restored from an older backup."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, LargeBinary, Table, Uuid, delete, insert, select, update

from lifecycle.columns import Instant
from lifecycle.domain.subject.custody import MOVING
from lifecycle.errors import Invalid
from lifecycle.storage import custody_orders
from lifecycle.storage.database import Database
from lifecycle.storage.tables import stream_head
from lifecycle.vault.epochs import EpochKeys, epoch_commitment
from lifecycle.vault.files import KeyMissing
from lifecycle.vault.journal import ErasureJournal
from lifecycle.vault.journal_lines import JournalEntry
from lifecycle.vault.tables import custody_key, data_key, epoch, lookup, metadata, subject_key

AT_ONCE = 1_000
_TABLES = {table.name: table for table in metadata.sorted_tables}


class NotADump(Invalid):
    remedy = "give a file that `lifecycle vault backup` wrote, whole"

    def __init__(self, line: int) -> None:
        super().__init__(f"Line {line} is not of a dump of the vault.")


class DeadDump(Invalid):
    remedy = "give a dump of the present epoch: older ones died with their key"

    def __init__(self) -> None:
        super().__init__("The dump is of an epoch whose key does not exist any more.")


def dump(c: Connection, out: IO[bytes]) -> int:
    """Every row of the vault as a JSON line {"table", "row"}, in one snapshot; bytes in base64. Returns how many."""
    written = 0
    for table in _TABLES.values():
        for row in c.execute(select(table)):
            values = {str(name): _plain(value) for name, value in row._mapping.items()}
            out.write(orjson.dumps({"table": table.name, "row": values}) + b"\n")
            written += 1
    return written


def load(database: Database, keys: EpochKeys, journal: ErasureJournal, lines: Iterable[bytes]) -> int:
    """Put a dump in the place of the vault's tables, without whatever the journal says is gone; all or nothing.

    Keys of people whom the restored events do not know are left out: nothing of theirs is here. Returns the rows read.
    """
    doomed = journal.entries()
    with database.own() as c, _no_triggers(c):
        for table in reversed(_TABLES.values()):
            c.execute(delete(table))
        read = sum(_insert(c, rows) for rows in _batches(lines))
        _alive(c, keys)
        _forget(c, doomed)
        _fit(c)
        custody_orders.ask_for(c, (kind.kind for kind in MOVING), datetime.now(UTC))
    database.truncate_wal()
    return read


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, UUID | datetime) else value


def _batches(lines: Iterable[bytes]) -> Iterator[Mapping[Table, list[dict[str, Any]]]]:
    rows: dict[Table, list[dict[str, Any]]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            said = orjson.loads(line)
            table = _TABLES[said["table"]]
            row = said["row"]
            rows.setdefault(table, []).append({column.name: _read(column.type, row[column.name]) for column in table.c})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotADump(number) from None
        if number % AT_ONCE == 0:
            yield rows
            rows = {}
    yield rows


def _read(of: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(of, LargeBinary):
        return base64.b64decode(value, validate=True)
    if isinstance(of, Uuid):
        return UUID(value)
    return datetime.fromisoformat(value) if isinstance(of, Instant) else value


def _insert(c: Connection, rows: Mapping[Table, list[dict[str, Any]]]) -> int:
    for table, some in rows.items():
        c.execute(insert(table), some)
    return sum(map(len, rows.values()))


def _alive(c: Connection, keys: EpochKeys) -> None:
    """Whether what the dump wraps can be opened at all."""
    for row in c.execute(select(epoch).where(epoch.c.ended_at.is_(None))):
        try:
            if epoch_commitment(keys.load(row.epoch)) == row.commitment:
                return
        except KeyMissing:
            continue
    raise DeadDump


def _forget(c: Connection, doomed: Iterable[JournalEntry]) -> None:
    """A dump may be older than an erasure; nothing of it comes back."""
    for entry in doomed:
        mine = data_key.c.subject_id == entry.subject_id
        if entry.whole:
            for table in (data_key, custody_key, subject_key, lookup):
                c.execute(delete(table).where(table.c.subject_id == entry.subject_id))
        if entry.kids:
            c.execute(delete(data_key).where(mine, data_key.c.kid.in_(entry.kids)))
            inside = custody_key.c.subject_id == entry.subject_id
            c.execute(delete(custody_key).where(inside, custody_key.c.kid.in_(entry.kids)))
        if entry.identifiers:
            theirs = lookup.c.subject_id == entry.subject_id
            c.execute(delete(lookup).where(theirs, lookup.c.identifier_id.in_(entry.identifiers)))


def _fit(c: Connection) -> None:
    """The events are older than the keys: strangers' keys go, and heads take the generation of the keys."""
    known = select(stream_head.c.stream_id).scalar_subquery()
    for table in (data_key, custody_key, lookup, subject_key):
        c.execute(delete(table).where(table.c.subject_id.not_in(known)))
    newest = select(subject_key.c.generation).where(subject_key.c.subject_id == stream_head.c.stream_id)
    c.execute(update(stream_head).where(newest.exists()).values(generation=newest.scalar_subquery()))


@contextmanager
def _no_triggers(c: Connection) -> Iterator[None]:
    """On SQLite triggers refuse to change keys; within this transaction they are away. On PostgreSQL the owner may."""
    if c.dialect.name != "sqlite":
        yield
        return
    tables = ", ".join(f"'{name}'" for name in _TABLES)
    found = f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({tables})"  # noqa: S608
    rows = c.exec_driver_sql(found).all()
    for row in rows:
        c.exec_driver_sql(f"DROP TRIGGER {row.name}")
    yield
    for row in rows:
        c.exec_driver_sql(row.sql)
