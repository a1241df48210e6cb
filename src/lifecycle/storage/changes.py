"""From a window of the log to what changed for whom: events by stream, with the states before and after them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, select

from lifecycle.domain import open_records
from lifecycle.domain.event import Recorded
from lifecycle.domain.streams import is_access_stream, is_person_stream, subject_of_access
from lifecycle.domain.subject.state import Subject
from lifecycle.projections.projection import Change, Sequenced
from lifecycle.storage.appending import in_chunks
from lifecycle.storage.application import Streams
from lifecycle.storage.folding import folded
from lifecycle.storage.tables import stream_head

REMEMBERED = 4_096  # people whose state is kept between batches


class ChangeReader:
    """Reads windows of the log. Not for several threads at once.

    The states it remembers are folded from headers, so they hold no values; each is used only at its own version.
    """

    def __init__(self, streams: Streams, remember: int = REMEMBERED) -> None:
        self._streams = streams
        self._remember = remember
        self._states: OrderedDict[UUID, Subject] = OrderedDict()

    def window(self, start: int, stop: int) -> list[Change]:
        """What the positions from `start` up to, not including, `stop` brought; two queries, however many people.

        Errors: RecordDamaged.
        """
        found = self._streams.recorder.select_notifications(start, stop - start, stop - 1)
        by_stream: dict[UUID, list[Sequenced]] = {}
        for notification in found:
            recorded = self._recorded(notification)
            by_stream.setdefault(recorded.originator_id, []).append(Sequenced(notification.id, recorded))
        first = {id: events[0].recorded.originator_version for id, events in by_stream.items() if is_person_stream(id)}
        before = self._states_before(first)
        gone = {id for id, version in first.items() if version > 1 and id not in before}
        return [self._change(id, tuple(by_stream[id]), before.get(id)) for id in by_stream if id not in gone]

    def _change(self, stream_id: UUID, events: tuple[Sequenced, ...], before: Subject | None) -> Change:
        if is_access_stream(stream_id):
            return Change(stream_id, subject_of_access(stream_id), events)
        if not is_person_stream(stream_id):
            return self._of_an_open_record(stream_id, events)
        after = folded(before, (event.recorded for event in events))
        assert after is not None
        self._keep(after)
        return Change(stream_id, stream_id, events, before, after)

    def _of_an_open_record(self, stream_id: UUID, events: tuple[Sequenced, ...]) -> Change:
        """They are few and their streams short: each is folded anew."""
        last = events[-1].recorded
        named = open_records.named_by(stream_id, last.event)
        if named is None:
            return Change(stream_id, None, events)
        stored = self._streams.recorder.select_events(stream_id, lte=last.originator_version)
        record = open_records.replay(named, (self._recorded(one) for one in stored))
        return Change(stream_id, None, events, named=named, record=record)

    def forget(self, people: Iterable[UUID]) -> None:
        for person in people:
            self._states.pop(person, None)

    def _states_before(self, first: dict[UUID, int]) -> dict[UUID, Subject]:
        """The state of each person just before version `first`; of who was expunged since the window was read, none."""
        known = {id: state for id in first if (state := self._states.get(id)) and state.version < first[id]}
        behind = [id for id in first if (known[id].version if id in known else 0) < first[id] - 1]
        if behind:
            known |= self._read(behind, known, first)
        return known

    def _read(self, behind: Sequence[UUID], known: dict[UUID, Subject], first: dict[UUID, int]) -> dict[UUID, Subject]:
        recorder, found = self._streams.recorder, {}
        versions = {id: known[id].version for id in behind if id in known}
        with recorder.prefetched(behind, versions):
            for id in behind:
                events = recorder.select_events(id, gt=versions.get(id), lte=first[id] - 1)
                if not events:
                    continue
                state = folded(known.get(id), (self._recorded(event) for event in events))
                assert state is not None
                assert state.version == first[id] - 1, "a stream has no gaps"
                found[id] = state
        return found

    def _recorded(self, stored: StoredEvent) -> Recorded:
        return cast(Recorded, self._streams.mapper.to_domain_event(stored))

    def _keep(self, state: Subject) -> None:
        self._states[state.id] = state
        self._states.move_to_end(state.id)
        if len(self._states) > self._remember:
            self._states.popitem(last=False)


def still_there(c: Connection, changes: Sequence[Change]) -> list[Change]:
    """Without what was read of people who have been expunged since. A person's two streams go together."""
    people = {change.subject_id for change in changes if change.subject_id is not None}
    head = stream_head.c.stream_id
    there: set[UUID] = set()
    for some in in_chunks(people):
        there.update(c.execute(select(head).where(head.in_(some))).scalars())
    return [change for change in changes if change.subject_id is None or change.subject_id in there]
