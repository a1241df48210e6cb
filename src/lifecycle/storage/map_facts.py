"""What the subject map asks about streams: their sids, and whose whole erasure is completed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from sqlalchemy import Connection, Row, select

from lifecycle.domain.streams import access_stream_of, is_access_stream, is_person_stream, subject_of_access
from lifecycle.domain.subject.events import ErasureCompleted
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.integration import Erasure, StreamFacts
from lifecycle.ledger.many_rows import rows_with
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.tables import event_header, stream_head
from lifecycle.value_lists import one_of

_HEADS = select(stream_head.c.stream_id, stream_head.c.sid, stream_head.c.fenced)
_HEADS_OF = "SELECT stream_id, sid, fenced FROM stream_head WHERE stream_id"


def facts_of(c: Connection, stream_ids: Collection[UUID]) -> Mapping[UUID, StreamFacts]:
    """As `lifecycle.ledger.integration.FactsOf` wants them. Only a fenced stream can be that of somebody erased."""
    # As the driver has them: of thousands of streams hardly one is fenced, so few ids are read.
    ids = {stream.hex if c.dialect.name == "sqlite" else stream: stream for stream in stream_ids}
    heads = [(ids[row[0]], *row[1:]) for row in rows_with(c, _HEADS_OF, (each.hex for each in stream_ids), "uuid")]
    erasures = _erasures(c, {_record_of(stream) for stream, _, is_fenced in heads if is_fenced})
    return {
        stream: StreamFacts(sid, erasures.get(_record_of(stream)) if erasures else None) for stream, sid, _ in heads
    }


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
            one_of(head.stream_id, records), head.kind == ErasureCompleted.kind
        )
    )
    return [row for row in rows if read_header(row.header).data["whole"]]


def _sids(c: Connection, records: Collection[UUID]) -> dict[UUID, tuple[bytes, ...]]:
    both = [stream for record in records for stream in (record, access_stream_of(record))]
    rows = c.execute(_HEADS.where(one_of(stream_head.c.stream_id, both)))
    found: dict[UUID, tuple[bytes, ...]] = {}
    for row in rows:
        record = _record_of(row.stream_id)
        found[record] = (*found.get(record, ()), row.sid)
    return found
