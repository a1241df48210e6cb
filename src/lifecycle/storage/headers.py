"""Headers past SQLAlchemy, thousands by one statement: an id and a row for each took as long as folding it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.ledger.many_rows import rows_of, rows_with
from lifecycle.storage.packing import unpacked

_TOGETHER = 5_000
_BEHIND = "SELECT stream_id, version, kind, header FROM event_header WHERE version > {after:d} AND stream_id"
_FOUND = "SELECT h.stream_id, h.version, h.header FROM {wanted} CROSS JOIN event_header h WHERE {same}"
_ON_SQLITE = _FOUND.format(
    wanted="json_each(?)",
    same="h.stream_id = json_extract(json_each.value, '$[0]') AND h.version = json_extract(json_each.value, '$[1]')",
)
_ON_POSTGRESQL = _FOUND.format(
    wanted="unnest(%b::uuid[], %b::int[]) w (stream_id, version)",
    same="h.stream_id = w.stream_id AND h.version = w.version",
)


def headers_of(c: Connection, stream_ids: Iterable[UUID], after: int = 0) -> Iterator[tuple[UUID, int, str, bytes]]:
    """Stream, version, kind and header, as the column holds it, of each event behind version `after`, in no order."""
    as_stored: dict[UUID | str, UUID] = {id.hex if c.dialect.name == "sqlite" else id: id for id in stream_ids}
    for stored, version, kind, header in rows_with(c, _BEHIND.format(after=after), as_stored, "uuid"):
        yield as_stored[stored], version, kind, header


def headers_at(c: Connection, places: Sequence[tuple[UUID, int]]) -> Iterator[tuple[UUID, int, bytes]]:
    """Stream, version and header of those of these events that are there. Each is found by the key of its table."""
    for start in range(0, len(places), _TOGETHER):
        some = places[start : start + _TOGETHER]
        if c.dialect.name == "sqlite":
            by_text = {stream.hex: stream for stream, _ in some}
            rows = rows_of(c, _ON_SQLITE, (json.dumps([(stream.hex, version) for stream, version in some]),))
            yield from ((by_text[stream], version, unpacked(header)) for stream, version, header in rows)
        else:
            rows = rows_of(c, _ON_POSTGRESQL, ([stream for stream, _ in some], [version for _, version in some]))
            yield from ((stream, version, unpacked(header)) for stream, version, header in rows)
