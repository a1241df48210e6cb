"""Gives committed events their place in the log. Writers take no global lock; whoever sequences does, for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from lifecycle.domain.streams import SYSTEM
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.envelope import system_entry
from lifecycle.ledger.tables import event_position, ledger_queue, log_entry, log_state, log_tree
from lifecycle.ledger.tree import EMPTY

queue = ledger_queue.c
_NEXT = select(queue.stream_id, queue.version, queue.entry).order_by(queue.event_id, queue.stream_id, queue.version)
_SIZE = select(log_state.c.size).with_for_update()
_PLACED = delete(ledger_queue).where(queue.stream_id == bindparam("of"), queue.version == bindparam("at"))


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
    waiting = c.execute(_NEXT.limit(limit)).all()
    if not waiting:
        return 0
    c.execute(insert(log_entry), [{"position": size + i, "entry": row.entry} for i, row in enumerate(waiting)])
    if events := _positions(size, waiting):
        c.execute(insert(event_position), events)
    c.execute(_PLACED, [{"of": row.stream_id, "at": row.version} for row in waiting])
    c.execute(update(log_state).values(size=size + len(waiting)))
    return len(waiting)


def _positions(size: int, waiting: Sequence[Row[UUID, int, bytes]]) -> list[dict[str, Any]]:
    return [
        {"position": size + i, "stream_id": row.stream_id, "version": row.version}
        for i, row in enumerate(waiting)
        if row.stream_id != SYSTEM
    ]


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
