"""From a window of the log to what changed for whom: events by stream, with the states before and after them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection

from lifecycle.domain import open_records
from lifecycle.domain.event import Recorded
from lifecycle.domain.open_records import OpenRecord
from lifecycle.domain.streams import is_access_stream, is_person_stream, subject_of_access
from lifecycle.domain.subject.state import Subject
from lifecycle.ledger.many_rows import rows_of, rows_with
from lifecycle.projections.projection import Change, Said, Sequenced
from lifecycle.storage.application import Streams
from lifecycle.storage.folding import folded
from lifecycle.storage.headers import AsId
from lifecycle.storage.mapper import as_stored
from lifecycle.storage.portions import EVENTS
from lifecycle.storage.rebuilding import LOOKED_THROUGH, Stored, begun
from lifecycle.storage.remembered import Remembered

RECORDS = 64  # records about no person that are kept in the same way

_WINDOW = (
    "SELECT p.position, p.stream_id, p.version, h.header FROM event_position p "
    "JOIN event_header h ON h.stream_id = p.stream_id AND h.version = p.version "
    "WHERE p.position >= {start:d} AND p.position < {stop:d} ORDER BY p.position"
)
_THERE = "SELECT stream_id FROM stream_head WHERE stream_id"


class Known(NamedTuple):
    """A person's state, and what the projections said of it."""

    state: Subject
    said: Said


class ChangeReader:
    """Reads windows of the log. Not for several threads at once.

    The states it remembers are folded from headers, so they hold no values; each is used only at its own version.
    """

    def __init__(self, streams: Streams, remember: int | None = None) -> None:
        self._streams = streams
        at_most = remember or streams.remember_at_most
        self._people = Remembered[UUID, Known](at_most, events=lambda known: known.state.version)
        self._records: OrderedDict[UUID, OpenRecord] = OrderedDict()

    def batch(self, start: int, until: int, stop: int, most: int) -> tuple[list[Change], int]:
        """What `most` events or so bring to who stands at `start` and tells of people up to `until`, and how far they
        reach: not beyond `stop`. Errors: RecordDamaged."""
        if until == start:
            return self.window(start, min(stop, start + most))
        return self.begun(start, min(stop, until, start + most * LOOKED_THROUGH), until, most)

    def window(self, start: int, stop: int) -> tuple[list[Change], int]:
        """What the positions from `start` on brought, and up to where: not as far as `stop` if more than `EVENTS`
        of people's records had to be read for it. Two queries, however many people.

        Errors: RecordDamaged.
        """
        with self._streams.database.read() as c:
            rows, stop = self._that_fit(list(rows_of(c, _WINDOW.format(start=start, stop=stop))), stop)
        by_stream = _by_stream(rows)
        first = {id: events[0].recorded.originator_version for id, events in by_stream.items() if is_person_stream(id)}
        before = self._before(first)
        gone = {id for id, version in first.items() if version > 1 and id not in before}
        changes = [self._change(id, tuple(by_stream[id]), before.get(id)) for id in by_stream if id not in gone]
        return changes, stop

    def _that_fit(self, rows: list[Stored], stop: int) -> tuple[list[Stored], int]:
        as_id, seen, to_read = AsId(), set[Any](), 0
        for at, (position, stream, version, _) in enumerate(rows):
            if stream not in seen:
                to_read += self._to_read(as_id[stream], version)
                if to_read > EVENTS and seen:
                    return rows[:at], position
                seen.add(stream)
        return rows, stop

    def _to_read(self, stream_id: UUID, version: int) -> int:
        """How many events have to be read to know the state before this one."""
        if not is_person_stream(stream_id):
            return 0
        known = self._people.peek(stream_id)
        earlier = known.state.version if known is not None else 0
        return version - 1 - earlier if earlier < version else version - 1

    def begun(self, start: int, stop: int, until: int, most: int) -> tuple[list[Change], int]:
        """The same for a rebuild that ends at `until`: of whoever begins there all that happened until then, and
        nothing of whoever began before. People are folded from events alone.

        Up to where, too: not as far as `stop` if that were more than `most` events, unless they are one person's.
        """
        with self._streams.database.read() as c:
            rows, stop = begun(c, start, stop, until, most)
        return [self._told_anew(id, tuple(events)) for id, events in _by_stream(rows).items()], stop

    def _told_anew(self, stream_id: UUID, events: tuple[Sequenced, ...]) -> Change:
        if not is_person_stream(stream_id):
            return self._change(stream_id, events, None)
        known = Known(self._folded_on(None, events), {})
        self._keep(known)
        return Change(stream_id, stream_id, events, after=known.state, said=known.said)

    def _change(self, stream_id: UUID, events: tuple[Sequenced, ...], before: Known | None) -> Change:
        if is_access_stream(stream_id):
            return Change(stream_id, subject_of_access(stream_id), events)
        if not is_person_stream(stream_id):
            return self._of_an_open_record(stream_id, events)
        known = Known(self._after(stream_id, events, before), {})
        after = known.state
        self._keep(known)
        if before is None:
            return Change(stream_id, stream_id, events, after=after, said=known.said)
        return Change(stream_id, stream_id, events, before.state, after, said_before=before.said, said=known.said)

    def _after(self, person: UUID, events: Sequence[Sequenced], before: Known | None) -> Subject:
        """Of what this process appended it knows the state already. Both sides go on from each other's states: what an
        event leaves alone stays the same object, and is not described anew."""
        there: Subject | None = self._streams.remembered(person)
        last = events[-1].recorded.originator_version
        return there if there is not None and there.version == last else self._folded_on(before, events)

    def _folded_on(self, before: Known | None, events: Sequence[Sequenced]) -> Subject:
        after = folded(before.state if before is not None else None, (event.recorded for event in events))
        assert after is not None
        there: Subject | None = self._streams.remembered(after.id)
        if there is None or there.version < after.version:
            self._streams.remember([after])
        return after

    def _of_an_open_record(self, stream_id: UUID, events: tuple[Sequenced, ...]) -> Change:
        """Folded on from where it was known: some grow long."""
        last = events[-1].recorded
        named = open_records.named_by(stream_id, last.event)
        if named is None:
            return Change(stream_id, None, events)
        first = events[0].recorded.originator_version
        known = self._records.pop(stream_id, None)
        if known is None or known.version != first - 1:
            stored = self._streams.recorder.select_events(stream_id, lte=first - 1)
            known = open_records.replay(named, (self._recorded(one) for one in stored))
        record = self._records[stream_id] = open_records.folded_on(known, (each.recorded for each in events))
        if len(self._records) > RECORDS:
            self._records.popitem(last=False)
        return Change(stream_id, None, events, named=named, record=record)

    def know(self, states: Iterable[Subject]) -> None:
        """States folded by somebody else. What is remembered already is what the next window goes on from."""
        for state in states:
            if state.version and self._people.peek(state.id) is None:
                self._keep(Known(state, {}))

    def forget(self, people: Iterable[UUID]) -> None:
        for person in people:
            self._people.forget(person)

    def _before(self, first: dict[UUID, int]) -> dict[UUID, Known]:
        """What is known of each person just before version `first`; of who was expunged since the window was read,
        nothing."""
        known = {id: one for id in first if (one := self._people.peek(id)) and one.state.version < first[id]}
        behind = [id for id in first if (known[id].state.version if id in known else 0) < first[id] - 1]
        if behind:
            known |= self._read(behind, known, first)
        return known

    def _read(self, behind: Sequence[UUID], known: dict[UUID, Known], first: dict[UUID, int]) -> dict[UUID, Known]:
        recorder, found = self._streams.recorder, {}
        versions = {id: known[id].state.version for id in behind if id in known}
        with recorder.prefetched(behind, versions):
            for id in behind:
                events = recorder.select_events(id, gt=versions.get(id), lte=first[id] - 1)
                if not events:
                    continue
                earlier = known[id].state if id in known else None
                state = folded(earlier, (self._recorded(event) for event in events))
                assert state is not None
                assert state.version == first[id] - 1, "a stream has no gaps"
                found[id] = Known(state, {})
        return found

    def _recorded(self, stored: StoredEvent) -> Recorded:
        return cast(Recorded, self._streams.mapper.to_domain_event(stored))

    def _keep(self, known: Known) -> None:
        self._people.put(known.state.id, known)


def _by_stream(rows: Iterable[Stored]) -> dict[UUID, list[Sequenced]]:
    as_id = AsId()
    found: dict[UUID, list[Sequenced]] = {}
    for position, stream, version, header in rows:
        id = as_id[stream]
        found.setdefault(id, []).append(Sequenced(position, as_stored(id, version, header)))
    return found


def still_there(c: Connection, changes: Sequence[Change]) -> list[Change]:
    """Without what was read of people who have been expunged since. A person's two streams go together."""
    people = {change.subject_id for change in changes if change.subject_id is not None}
    as_id = AsId((id.hex if c.dialect.name == "sqlite" else id, id) for id in people)
    there = {as_id[row[0]] for row in rows_with(c, _THERE, as_id, "uuid")}
    return [change for change in changes if change.subject_id is None or change.subject_id in there]
