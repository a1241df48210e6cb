"""What the subject map asks about streams: their sids, and whose whole erasure is completed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from sqlalchemy import Connection, Row, select

from lifecycle.domain.streams import access_stream_of, is_access_stream, is_person_stream, subject_of_access
from lifecycle.domain.subject.events import ErasureCompleted
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.integration import Erasure, StreamFacts
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.tables import event_header, stream_head

_HEADS = select(stream_head.c.stream_id, stream_head.c.sid, stream_head.c.fenced)


def facts_of(c: Connection, stream_ids: Collection[UUID]) -> Mapping[UUID, StreamFacts]:
    """As `lifecycle.ledger.integration.FactsOf` wants them. Only a fenced stream can be that of somebody erased."""
    heads = [
        row for some in in_chunks(stream_ids) for row in c.execute(_HEADS.where(stream_head.c.stream_id.in_(some)))
    ]
    erasures = _erasures(c, {_record_of(row.stream_id) for row in heads if row.fenced})
    return {row.stream_id: StreamFacts(row.sid, erasures.get(_record_of(row.stream_id))) for row in heads}


def _record_of(stream_id: UUID) -> UUID:
    return subject_of_access(stream_id) if is_access_stream(stream_id) else stream_id


def _erasures(c: Connection, records: Iterable[UUID]) -> dict[UUID, Erasure]:
    """The event by which each of these people was erased whole, if it was."""
    found: dict[UUID, Erasure] = {}
    for some in in_chunks(record for record in records if is_person_stream(record)):
        sids = _sids(c, some)
        completed = _completed(c, some)
        found |= {row.stream_id: Erasure(row.stream_id, row.version, sids[row.stream_id]) for row in completed}
    return found


def _completed(c: Connection, records: Collection[UUID]) -> list[Row[UUID, int, bytes]]:
    head = event_header.c
    rows = c.execute(
        select(head.stream_id, head.version, head.header).where(
            head.stream_id.in_(records), head.kind == ErasureCompleted.kind
        )
    )
    return [row for row in rows if read_header(row.header).data["whole"]]


def _sids(c: Connection, records: Collection[UUID]) -> dict[UUID, tuple[bytes, ...]]:
    both = [stream for record in records for stream in (record, access_stream_of(record))]
    rows = c.execute(_HEADS.where(stream_head.c.stream_id.in_(both)))
    found: dict[UUID, tuple[bytes, ...]] = {}
    for row in rows:
        record = _record_of(row.stream_id)
        found[record] = (*found.get(record, ()), row.sid)
    return found
