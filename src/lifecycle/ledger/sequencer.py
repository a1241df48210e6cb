"""Gives committed events their place in the log. Writers take no global lock; whoever sequences does, for a moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from lifecycle.domain.streams import SYSTEM
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.envelope import system_entry
from lifecycle.ledger.tables import ledger_queue, log_entry, log_state, log_tree
from lifecycle.ledger.tree import EMPTY

queue = ledger_queue.c

# Entries go from table to table without passing through this process. {own} is the id of the log's own stream, which
# has no positions. One statement on PostgreSQL, because each sees its own moment there: an event that is committed
# between two of them would be deleted without a place.
_MOVE = """
    WITH moved AS (
        DELETE FROM ledger_queue WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM ledger_queue ORDER BY event_id, stream_id, version LIMIT {limit:d}
        )) RETURNING event_id, stream_id, version, entry
    ), placed AS (
        SELECT {size:d} - 1 + row_number() OVER (ORDER BY event_id, stream_id, version) AS position, moved.* FROM moved
    ), entries AS (
        INSERT INTO log_entry (position, entry) SELECT position, entry FROM placed ORDER BY position
    ), positions AS (
        INSERT INTO event_position (position, stream_id, version)
        SELECT position, stream_id, version FROM placed WHERE stream_id <> '{own}' ORDER BY position
    )
    SELECT count(*) FROM placed
"""
# On SQLite the transaction has the whole database to itself.
_NEXT = "FROM ledger_queue ORDER BY event_id, stream_id, version LIMIT {limit:d}"
_PLACED = (
    "(SELECT {size:d} - 1 + row_number() OVER (ORDER BY event_id, stream_id, version) AS position, * "  # noqa: S608
    f"FROM (SELECT * {_NEXT}))"
)
_MOVE_ON_SQLITE = (
    f"INSERT INTO log_entry (position, entry) SELECT position, entry FROM {_PLACED}",  # noqa: S608 -- our own tables
    "INSERT INTO event_position (position, stream_id, version) "  # noqa: S608
    f"SELECT position, stream_id, version FROM {_PLACED} WHERE stream_id <> '{{own}}'",
    f"DELETE FROM ledger_queue WHERE (stream_id, version) IN (SELECT stream_id, version {_NEXT})",  # noqa: S608
)
_SIZE = select(log_state.c.size).with_for_update()


class LogMissing(StoreUnavailable):
    """Nothing can be sequenced before leaf 0 exists."""

    remedy = "run `lifecycle init`"


def sequence(c: Connection, limit: int = 4096) -> int:
    """Move up to `limit` waiting entries into the log, in the caller's transaction; return how many.

    Exactly once: the rows moved are those deleted, under the lock of the log's size. Nothing is skipped: it is a
    queue, not a cursor, so a late commit is simply found next time. Versions of a stream keep their order, because
    an event's id is greater than its predecessor's, and the predecessor was committed before it was written.
    """
    size = locked_size(c)
    moved = _move_on_sqlite(c, size, limit) if c.dialect.name == "sqlite" else _move(c, size, limit)
    if moved:
        c.execute(update(log_state).values(size=size + moved))
    return moved


def _move(c: Connection, size: int, limit: int) -> int:
    moved: int = c.exec_driver_sql(_MOVE.format(size=size, limit=limit, own=SYSTEM)).scalar_one()
    return moved


def _move_on_sqlite(c: Connection, size: int, limit: int) -> int:
    if not c.exec_driver_sql("SELECT EXISTS (SELECT 1 FROM ledger_queue)").scalar_one():
        return 0
    entries, *rest = (each.format(size=size, limit=limit, own=SYSTEM.hex) for each in _MOVE_ON_SQLITE)
    moved = c.exec_driver_sql(entries, execution_options={"preserve_rowcount": True}).rowcount
    for each in rest if moved else ():
        c.exec_driver_sql(each)
    return moved


def write_genesis(c: Connection, record: Mapping[str, Any]) -> None:
    """Write leaf 0. It says for ever what kind of store this is. Of the tree nothing is known yet."""
    c.execute(insert(log_entry).values(position=0, entry=system_entry(dict(record))))
    c.execute(insert(log_state).values(one=1, size=1))
    c.execute(insert(log_tree).values(one=1, size=0, root=EMPTY, frontier=b"", depth=0, streams=0, events=0))


def enqueue_system_entry(c: Connection, record: Mapping[str, Any], event_id: UUID) -> None:
    """Let a fact about the log or its keys wait for a place, in order of `event_id` (a UUIDv7) like events.

    Errors: two at the same instant get the same number, and the second transaction fails as a conflict does.
    """
    newest = select(func.coalesce(func.max(queue.version), 0) + 1).where(queue.stream_id == SYSTEM)
    version = c.execute(newest).scalar_one()
    entry = system_entry(dict(record))
    c.execute(insert(ledger_queue).values(stream_id=SYSTEM, version=version, event_id=event_id, entry=entry))


def waiting_entries(c: Connection) -> int:
    return c.execute(select(func.count()).select_from(ledger_queue)).scalar_one()


def log_size(c: Connection) -> int:
    """How many leaves there are; 0 before the genesis entry."""
    size: int | None = c.execute(select(log_state.c.size)).scalar_one_or_none()
    return size or 0


def locked_size(c: Connection) -> int:
    """How many leaves there are; nobody gives out positions until this transaction ends."""
    size: int | None = c.execute(_SIZE).scalar_one_or_none()
    if size is None:
        raise LogMissing("The log has no genesis entry.")
    return size
