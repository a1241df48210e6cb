"""Headers past SQLAlchemy, thousands by one statement: an id and a row for each took as long as folding it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.ledger.many_rows import rows_at, rows_with
from lifecycle.storage.packing import unpacked

_BEHIND = "SELECT stream_id, version, kind, header FROM event_header WHERE version > {after:d} AND stream_id"
_PLACE = {"stream_id": "uuid", "version": "int"}


class AsId(dict[Any, UUID]):
    """Stream ids as the driver has them: text on SQLite, where each is read once."""

    def __missing__(self, stored: Any) -> UUID:
        id = self[stored] = stored if isinstance(stored, UUID) else UUID(stored)
        return id


def headers_of(c: Connection, stream_ids: Iterable[UUID], after: int = 0) -> Iterator[tuple[UUID, int, str, bytes]]:
    """Stream, version, kind and header, as the column holds it, of each event behind version `after`, in no order."""
    as_stored = _as_stored(c, stream_ids)
    for stored, version, kind, header in rows_with(c, _BEHIND.format(after=after), as_stored, "uuid"):
        yield as_stored[stored], version, kind, header


def headers_at(c: Connection, places: Sequence[tuple[UUID, int]]) -> Iterator[tuple[UUID, int, bytes]]:
    """Stream, version and header of those of these events that are there. Each is found by the key of its table."""
    streams, pairs = _by_place(c, places)
    for stream, version, header in rows_at(c, "stream_id, version, header", "event_header", _PLACE, pairs):
        yield streams[stream], version, unpacked(header)


def bodies_at(c: Connection, places: Sequence[tuple[UUID, int]]) -> Iterator[tuple[UUID, int, int, bytes]]:
    """Stream, version, number and ciphertext of each part that was sealed with these events and is there still."""
    streams, pairs = _by_place(c, places)
    for stream, version, part, ciphertext in rows_at(c, "stream_id, version, part, ct", "event_body", _PLACE, pairs):
        yield streams[stream], version, part, ciphertext


def _as_stored(c: Connection, streams: Iterable[UUID]) -> dict[UUID | str, UUID]:
    """Ids as the driver gives them, and what they are."""
    return {id.hex if c.dialect.name == "sqlite" else id: id for id in streams}


def _by_place(
    c: Connection, places: Sequence[tuple[UUID, int]]
) -> tuple[dict[UUID | str, UUID], list[tuple[Any, int]]]:
    by_id = _as_stored(c, (stream for stream, _ in places))
    return by_id, [(stream.hex if c.dialect.name == "sqlite" else stream, version) for stream, version in places]
