"""All events of many streams, past SQLAlchemy: it made an id and a row of each, which took as long as folding it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.ledger.many_rows import rows_with

_BEHIND = "SELECT stream_id, version, kind, header FROM event_header WHERE version > {after:d} AND stream_id"


def headers_of(c: Connection, stream_ids: Iterable[UUID], after: int = 0) -> Iterator[tuple[UUID, int, str, bytes]]:
    """Stream, version, kind and header, as the column holds it, of each event behind version `after`, in no order."""
    as_stored: dict[UUID | str, UUID] = {id.hex if c.dialect.name == "sqlite" else id: id for id in stream_ids}
    for stored, version, kind, header in rows_with(c, _BEHIND.format(after=after), as_stored, "uuid"):
        yield as_stored[stored], version, kind, header
