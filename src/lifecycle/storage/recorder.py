"""Writes appends and reads streams, behind the interfaces of the eventsourcing library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from threading import local
from typing import Any
from uuid import UUID

from eventsourcing.persistence import AggregateRecorder, ApplicationRecorder, Notification, StoredEvent
from sqlalchemy import Connection, LargeBinary, Select, bindparam, func, select, type_coerce

from lifecycle.columns import Ask
from lifecycle.ledger.tables import event_position
from lifecycle.storage.appending import AppendRows, Placed, versions_of
from lifecycle.storage.database import Database
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.headers import headers_of
from lifecycle.storage.portions import shared_out
from lifecycle.storage.relied import Relied
from lifecycle.storage.tables import event_header
from lifecycle.storage.writing import write_append

_NONE, _LAST = -1, 2**31 - 1  # before and behind every version: the library's own tests begin with version 0

header = event_header.c
# As the column holds it: the mapper unpacks what it needs of it.
_STATE = type_coerce(header.header, LargeBinary).label("state")
_BETWEEN = (
    header.stream_id == bindparam("stream"),
    header.version > bindparam("after"),
    header.version <= bindparam("until"),
)
_OF_ONE = select(header.version, header.kind, _STATE).where(*_BETWEEN).order_by(header.version)
_STATES = select(header.version, _STATE).where(*_BETWEEN).order_by(header.version)
_EVENTS = select(header.stream_id, header.version, header.kind, _STATE)
_VERSION = itemgetter(0)
_NOTIFICATIONS = select(header.stream_id, header.version, header.kind, _STATE, event_position.c.position).join_from(
    event_position,
    event_header,
    (header.stream_id == event_position.c.stream_id) & (header.version == event_position.c.version),
)


class StreamRecorder(AggregateRecorder):
    """Events of streams, each append in one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._here = local()

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        rows: AppendRows | None = None,
        connection: Connection | None = None,
        relied: Relied | None = None,
        **kwargs: Any,
    ) -> None:
        """Write events and everything that belongs to them, or nothing.

        `rows` comes from `Appending`. Without it (the library's own users and its conformance cases) the events get
        an entry of their own and no head: the version alone guards them. With `connection` the append joins a
        transaction of the caller's, and ends it if it says what it was decided on without reading it (`relied`).
        Positions are given later, by the sequencer: so this returns None.

        Errors: WroteFirst, an IntegrityError of the library, when a version exists, a head has moved or was fenced,
        or an identifier has been registered meanwhile.
        """
        with self.database.write("writer") if connection is None else nullcontext(connection) as c:
            write_append(c, stored_events, rows if rows is not None else _rows_for(stored_events), relied)
            self._also(c, **kwargs)

    def _also(self, c: Connection, **kwargs: Any) -> None:
        """What else belongs to the transaction: nothing here."""

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        read = self._read_before(originator_id, gt)
        if read is not None:
            chosen = _among(read, gt, lte)
            return [StoredEvent(originator_id, *row) for row in (chosen[::-1] if desc else chosen)[:limit]]
        if not desc and limit is None:
            return [StoredEvent(originator_id, *row) for row in self._between(_OF_ONE, originator_id, gt, lte)]
        query = _EVENTS.where(header.stream_id == originator_id)
        if gt is not None:
            query = query.where(header.version > gt)
        if lte is not None:
            query = query.where(header.version <= lte)
        query = query.order_by(header.version.desc() if desc else header.version)
        with self.database.read() as c:
            return [StoredEvent(*row) for row in c.execute(query.limit(limit))]

    def states(self, originator_id: UUID, gt: int | None, lte: int | None) -> Sequence[tuple[int, bytes]]:
        """The same as `select_events`, in order and without the library's objects: version, and header as it is stored.
        To make them took a tenth of a replay."""
        read = self._read_before(originator_id, gt)
        if read is not None:
            return [(version, stored) for version, _, stored in _among(read, gt, lte)]
        return self._between(_STATES, originator_id, gt, lte)

    def _read_before(self, stream_id: UUID | str, gt: int | None) -> _Read | None:
        ahead: _Ahead | None = getattr(self._here, "ahead", None)
        read = ahead.of(stream_id) if ahead is not None else None
        return read if read is not None and (_NONE if gt is None else gt) >= read.gt else None

    def _between(self, statement: Select[Any], stream_id: UUID | str, gt: int | None, lte: int | None) -> Sequence[Any]:
        bounds = {"after": _NONE if gt is None else gt, "until": _LAST if lte is None else lte}
        return self.database.ask_alone([Ask(statement, {"stream": stream_id, **bounds})])[0]

    @contextmanager
    def prefetched(
        self,
        stream_ids: Iterable[UUID],
        gt: Mapping[UUID, int] | None = None,
        connection: Connection | None = None,
        heads: Mapping[UUID, int] | None = None,
    ) -> Iterator[None]:
        """Read many streams together; in this block and thread `select_events` is answered from what was read.

        They are read in portions, when the first of each is asked for, and each goes when the next is read: whoever
        asks for one after the other in this order has no more of their records in memory, however long they are.
        `gt` says how far the caller knows a stream already; of a stream that has not moved since nothing is read.
        A stream that is asked for from an earlier version than that, or that has gone, is read again by itself.
        """
        before = getattr(self._here, "ahead", None)
        with self.database.read() if connection is None else nullcontext(connection) as c:
            self._here.ahead = _Ahead(c, list(stream_ids), gt or {}, heads)
            try:
                yield
            finally:
                self._here.ahead = before


class EventRecorder(StreamRecorder, ApplicationRecorder):
    """The same, with the one order of all events: positions are leaf indices of the log."""

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Sequenced events by position. Leaves of the log's own take positions too, so numbers may be missing."""
        query = _window(_NOTIFICATIONS, start, stop, inclusive_of_start)
        if topics:
            query = query.where(header.kind.in_(topics))
        with self.database.read() as c:
            rows = c.execute(query.order_by(event_position.c.position).limit(limit))
            return [Notification(*row) for row in rows]

    def max_notification_id(self) -> int | None:
        with self.database.read() as c:
            newest: int | None = c.execute(select(func.max(event_position.c.position))).scalar_one()
            return newest

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Any:
        """Not offered: the library's subscriptions wake on NOTIFY, a lock of the whole database at every commit.

        Followers ask `select_notifications` again after the position they have: it skips nothing.
        """
        raise NotImplementedError(self.subscribe.__doc__)


def _window(query: Select[Any], start: int | None, stop: int | None, inclusive_of_start: bool) -> Select[Any]:
    position = event_position.c.position
    if start is not None:
        query = query.where(position >= start if inclusive_of_start else position > start)
    return query if stop is None else query.where(position <= stop)


def _rows_for(stored_events: Sequence[StoredEvent]) -> AppendRows:
    ids = EventIds()
    entries = (b"\x01" + hashlib.sha256(stored.state).digest() + bytes(16) for stored in stored_events)
    return AppendRows(placed=[Placed(ids.after(None), b"", entry) for entry in entries])


class _Read(list[tuple[int, str, bytes]]):
    """Events of one stream after version `gt`: version, kind, and header as it is stored."""

    def __init__(self, gt: int) -> None:
        super().__init__()
        self.gt = gt

    def gone(self) -> _Read:
        """What is left of it for whoever knows all that was read: that there was no more."""
        return _Read(self[-1][0]) if self else self


class _Ahead:
    """Events of many streams, a portion of them at a time."""

    def __init__(
        self, c: Connection, stream_ids: Sequence[UUID], gt: Mapping[UUID, int], heads: Mapping[UUID, int] | None
    ) -> None:
        self._c = c
        self._read: dict[UUID | str, _Read] = {stream_id: _Read(gt.get(stream_id, _NONE)) for stream_id in stream_ids}
        self._portion: Sequence[UUID] = ()
        is_one = len(stream_ids) == 1 and not gt
        versions = heads if heads is not None else {} if is_one else versions_of(c, stream_ids)
        moved = [
            stream_id for stream_id in stream_ids if stream_id not in gt or versions.get(stream_id) != gt[stream_id]
        ]
        lacking = {stream_id: versions.get(stream_id, 0) - gt.get(stream_id, 0) for stream_id in moved}
        self._waiting: dict[UUID | str, Sequence[UUID]] = {
            stream_id: portion for portion in shared_out(moved, _itself, lacking) for stream_id in portion
        }

    def of(self, stream_id: UUID | str) -> _Read | None:
        portion = self._waiting.get(stream_id)
        if portion is not None:
            self._go_on(portion)
        return self._read.get(stream_id)

    def _go_on(self, portion: Sequence[UUID]) -> None:
        for stream_id in self._portion:
            self._read[stream_id] = self._read[stream_id].gone()
        self._portion = portion
        for stream_id in portion:
            del self._waiting[stream_id]
        least = min(self._read[stream_id].gt for stream_id in portion)
        for stream_id, version, kind, stored in headers_of(self._c, portion, least):
            events = self._read[stream_id]
            if version > events.gt:
                events.append((version, kind, stored))
        for stream_id in portion:
            self._read[stream_id].sort(key=_VERSION)


def _itself(stream_id: UUID) -> UUID:
    return stream_id


def _among(events: _Read, gt: int | None, lte: int | None) -> list[tuple[int, str, bytes]]:
    after = _NONE if gt is None else gt
    return [each for each in events if each[0] > after and (lte is None or each[0] <= lte)]
