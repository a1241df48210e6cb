"""What a rebuild reads: of whoever begins in a window of the log everything up to where the rebuild ends.

So each person is folded, described and written once, and not once for each window in which something happened to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import Connection

from lifecycle.domain.streams import is_person_stream
from lifecycle.ledger.many_rows import rows_of, rows_with
from lifecycle.storage.headers import AsId

LOOKED_THROUGH = 8  # times as many positions as events in a batch: behind the first windows few people begin

Stored: TypeAlias = tuple[int, Any, int, bytes]
"""Position, stream as the driver has it, version, and header as the column holds it."""

# Of who begins here also how far they came before the position `until`.
_PLACES = (
    "SELECT p.position, p.stream_id, CASE WHEN p.version = 1 THEN (SELECT max(their.version) FROM event_position their"
    " WHERE their.stream_id = p.stream_id AND their.position < {until:d}) END"
    " FROM event_position p WHERE p.position >= {start:d} AND p.position < {stop:d} ORDER BY p.position"
)
_EVENTS = (
    "SELECT p.position, p.stream_id, p.version, h.header FROM event_position p"
    " JOIN event_header h ON h.stream_id = p.stream_id AND h.version = p.version"
    " WHERE p.position >= {start:d} AND p.position < {stop:d} AND p.stream_id"
)
_POSITION = itemgetter(0)


def begun(c: Connection, start: int, stop: int, until: int, most: int) -> tuple[list[Stored], int]:
    """Events in the order of their positions, and up to where they were looked for: not as far as `stop` where they
    would be more than `most`. What is about no person is read as it comes."""
    people, others, stop = _whose(c, start, stop, until, most)
    return sorted([*_events(c, people, 0, until), *_events(c, others, start, stop)], key=_POSITION), stop


def _whose(c: Connection, start: int, stop: int, until: int, most: int) -> tuple[set[Any], set[Any], int]:
    """Streams of people, others, and up to where: no further than it must, as a person's events may lie together."""
    people, others, events, as_id = set[Any](), set[Any](), 0, AsId()
    for at in range(start, stop, most):
        end = min(at + most, stop)
        for position, stream, last in rows_of(c, _PLACES.format(start=at, stop=end, until=until)):
            is_person = is_person_stream(as_id[stream])
            if is_person and last is None:
                continue  # told already, where this person began
            events += last if is_person else 1
            if events > most and (people or others):
                return people, others, position
            (people if is_person else others).add(stream)
        if events >= most:
            return people, others, end
    return people, others, stop


def _events(c: Connection, streams: Iterable[Any], start: int, stop: int) -> Iterator[Stored]:
    query = _EVENTS.format(start=start, stop=stop)
    return cast(Iterator[Stored], rows_with(c, query, streams, "uuid"))
