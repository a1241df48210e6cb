"""Of whom keys have to move into custody or out of it: noted with the events that make it so, forgotten when done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, func, select

from lifecycle.storage.rows import insert_once
from lifecycle.storage.tables import event_header, pending_custody, stream_head
from lifecycle.value_lists import among
from lifecycle.vault.tables import chunks, custody_key

order = pending_custody.c


class Moving(NamedTuple):
    """Asked for by event `version` of a person's stream."""

    stream_id: UUID
    version: int


def pending(c: Connection) -> list[Moving]:
    return [
        Moving(row.stream_id, row.version)
        for row in c.execute(select(order.stream_id, order.version).order_by(order.at, order.stream_id, order.version))
    ]


def count(c: Connection) -> int:
    return c.execute(select(func.count()).select_from(pending_custody)).scalar_one()


def done(c: Connection, moved: Sequence[Moving]) -> None:
    for some in chunks(moved):
        pairs = [(each.stream_id, each.version) for each in some]
        c.execute(delete(pending_custody).where(among(order.stream_id, order.version, pairs)))


def ask_for(c: Connection, kinds: Iterable[str], at: datetime) -> None:
    """After keys came from elsewhere: everybody who has anything in custody, or ever had an event of these kinds."""
    restricted = select(event_header.c.stream_id).where(event_header.c.kind.in_(list(kinds)))
    inside = select(custody_key.c.subject_id)
    head = stream_head.c
    rows = c.execute(
        select(head.stream_id, head.version).where(head.stream_id.in_(restricted) | head.stream_id.in_(inside))
    )
    insert_once(c, pending_custody, [{"stream_id": r.stream_id, "version": r.version, "at": at} for r in rows])
