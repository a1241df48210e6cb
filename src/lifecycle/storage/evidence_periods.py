"""Whose evidence waits for the end of its period: a row for everybody whose whole erasure is final, until its order.

The period counts from the event that calls the whole erasure final, as the record says it: earlier a copy could still
have been read, and what the evidence is kept for is to show that this has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Select, delete, exists, select

from lifecycle.domain.streams import access_stream_of, is_access_stream, is_person_stream
from lifecycle.domain.subject.events import ErasureCompleted, ErasureFinalised
from lifecycle.ledger.envelope import read_header
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.rows import insert_once
from lifecycle.storage.tables import epoch_erasure, event_header, evidence_due, expunge_order, pending_erasure
from lifecycle.value_lists import one_of

column = evidence_due.c


class Waiting(NamedTuple):
    """A person, by the record's stream, and since when the erasure is final."""

    subject_id: UUID
    since: datetime


def final_since(c: Connection, people: Iterable[UUID]) -> dict[UUID, datetime]:
    """Of these people those whose whole erasure is final, and since when, by their records alone."""
    epochs: dict[UUID, set[int]] = {}
    ended: dict[tuple[UUID, int], datetime] = {}
    head = event_header.c
    for some in in_chunks(person for person in people if is_person_stream(person)):
        said = one_of(head.stream_id, some) & head.kind.in_((ErasureCompleted.kind, ErasureFinalised.kind))
        for row in c.execute(select(head.stream_id, head.kind, head.header).where(said)):
            header = read_header(row.header)
            if row.kind == ErasureFinalised.kind:
                ended[row.stream_id, header.data["epoch"]] = header.at
            elif header.data["whole"]:
                epochs.setdefault(row.stream_id, set()).add(header.data["epoch"])
    return {
        person: max(ended[person, epoch] for epoch in of)
        for person, of in epochs.items()
        if all((person, epoch) in ended for epoch in of)
    }


def remember(c: Connection, streams: Iterable[UUID]) -> None:
    """In the transaction that ends the waiting for finality: from here on their period runs."""
    final = final_since(c, streams)
    insert_once(c, evidence_due, [{"stream_id": person, "at": at} for person, at in sorted(final.items())])


def waiting(c: Connection, before: datetime, limit: int) -> list[Waiting]:
    """The one selector: final before that instant, the earliest first. Costs what it returns."""
    return [Waiting(row[0], row[1]) for row in c.execute(_waiting().where(column.at < before).limit(limit))]


def first_waiting(c: Connection) -> Waiting | None:
    row = c.execute(_waiting().limit(1)).first()
    return None if row is None else Waiting(row[0], row[1])


def _waiting() -> Select[UUID, datetime]:
    """Who has an erasure under way besides, of an identifier say, waits until that is final too."""
    under_way = [exists().where(table.c.stream_id == column.stream_id) for table in (pending_erasure, epoch_erasure)]
    chosen = select(column.stream_id, column.at).where(*(~each for each in under_way))
    return chosen.order_by(column.at, column.stream_id)


def order(c: Connection, people: Sequence[UUID], at: datetime) -> None:
    """From here on both streams of these people are to go, whatever a later policy says."""
    streams = [stream for person in people for stream in (person, access_stream_of(person))]
    insert_once(c, expunge_order, [{"stream_id": stream, "at": at} for stream in streams])
    c.execute(delete(evidence_due).where(one_of(column.stream_id, people)))


def ordered(c: Connection) -> list[UUID]:
    """People of whom something may be left of what was ordered to go."""
    streams: Collection[UUID] = c.execute(select(expunge_order.c.stream_id)).scalars().all()
    return sorted(stream for stream in streams if not is_access_stream(stream))
