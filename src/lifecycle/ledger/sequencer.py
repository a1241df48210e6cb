"""Gives committed events their place in the log. Writers take no global lock; whoever sequences does, for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update

from lifecycle.domain.streams import SYSTEM
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.envelope import system_entry
from lifecycle.ledger.many_rows import delete_many, insert_many
from lifecycle.ledger.tables import event_position, ledger_queue, log_entry, log_state, log_tree
from lifecycle.ledger.tree import EMPTY

queue = ledger_queue.c
_NEXT = (
    f"SELECT stream_id, version, entry FROM {ledger_queue.name} "  # noqa: S608 -- the name of our own table
    "ORDER BY event_id, stream_id, version LIMIT "
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
    waiting = c.exec_driver_sql(f"{_NEXT}{limit:d}").all()
    if not waiting:
        return 0
    streams, versions, entries = zip(*waiting, strict=True)
    insert_many(c, log_entry, {"position": range(size, size + len(waiting)), "entry": entries})
    insert_many(c, event_position, _positions(c, size, waiting))
    delete_many(c, ledger_queue, {"stream_id": streams, "version": versions})
    c.execute(update(log_state).values(size=size + len(waiting)))
    return len(waiting)


def _positions(c: Connection, size: int, waiting: Sequence[Row[Any, int, bytes]]) -> dict[str, list[Any]]:
    """Ids are as the driver has them, and so is that of the log's own stream."""
    own = SYSTEM.hex if c.dialect.name == "sqlite" else SYSTEM
    events = [(size + i, stream, version) for i, (stream, version, _) in enumerate(waiting) if stream != own]
    positions, streams, versions = zip(*events, strict=True) if events else ((), (), ())
    return {"position": list(positions), "stream_id": list(streams), "version": list(versions)}


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
