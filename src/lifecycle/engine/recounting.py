"""Whether more people were hit by an incident than was counted: asked of what was recorded since, of nobody else.

Follows the log at a position of its own, which moves once the new counts are on record. As long as no incident was
counted, there is nothing to compare, and it only keeps up. What happened after a window had ended is not looked into:
so incidents of long ago cost a comparison of two instants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.domain.event import DomainEvent, Recorded
from lifecycle.domain.incident.deciding import reach_of
from lifecycle.domain.incident.exposure import Exposure, Reach, exposure
from lifecycle.domain.incident.incident import Incident
from lifecycle.domain.streams import is_person_stream
from lifecycle.domain.subject.events import (
    BirthDateRecorded,
    MissingDataAdded,
    PersonalDataCollected,
    PersonalDataShared,
    PersonalDataSupplemented,
)
from lifecycle.domain.subject.outgoing_events import PersonalDataProvided
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.engine.incidents_to_follow import ToFollow, looked_through
from lifecycle.processes.reacting import happened_between
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded

KINDS = frozenset(
    {
        BirthDateRecorded.kind,
        MissingDataAdded.kind,
        PersonalDataCollected.kind,
        PersonalDataProvided.kind,
        PersonalDataShared.kind,
        PersonalDataSupplemented.kind,
        SubjectReceived.kind,
    }
)
"""What can bring something of somebody within reach. What takes it away does not make the affected more."""
WINDOW = 2_000  # positions looked through at once


@dataclass(slots=True)
class Grown:
    """Incidents to count again, each with the first, by id, of those who were not known to be hit; `done` once they
    were."""

    database: Database
    start: int | None
    stop: int
    incidents: dict[str, UUID] = field(default_factory=dict)

    def add(self, incident: str, person: UUID) -> None:
        self.incidents[incident] = min(self.incidents.get(incident, person), person, key=lambda id: id.bytes)

    def done(self) -> None:
        looked_through(self.database, self.start, self.stop)


class Recounting:
    def __init__(self, database: Database, streams: Streams) -> None:
        self._database = database
        self._streams = streams

    def __call__(self, found: ToFollow, known: Mapping[str, Incident], now: datetime) -> Grown:
        """`known` are the incidents that were counted, by what was found."""
        at, end = found.start, found.stop
        grown = Grown(self._database, at, end)
        first = end if at is None or not known else at
        reaches = {name: reach_of(record, now) for name, record in known.items()}
        while first < end and reaches:
            stop = min(end, first + WINDOW)
            with self._database.read() as c:
                self._grow(c, grown, [one for _, one in happened_between(c, KINDS, first, stop)], reaches)
            first = stop
        return grown

    def _grow(self, c: Connection, grown: Grown, happened: Sequence[Recorded], reaches: Mapping[str, Reach]) -> None:
        last = max(reach.window.ends for reach in reaches.values())
        first: dict[UUID, int] = {}
        for one in happened:
            if is_person_stream(one.originator_id) and _may_reach(one.event, last):
                first.setdefault(one.originator_id, one.originator_version)
        with self._streams.prefetched(first, c):
            after = {person: self._state(person) for person in first}
        for person, version in first.items():
            before = self._state(person, version - 1) if version > 1 else None
            for name, reach in reaches.items():
                if _is_more(before, after[person], reach):
                    grown.add(name, person)

    def _state(self, person: UUID, version: int | None = None) -> Subject:
        found: Subject = self._streams.repository.get(person, version=version, projector_func=folded)
        return found


def _may_reach(event: DomainEvent, last: datetime) -> bool:
    """Who came from another controller brings what happened before."""
    return isinstance(event, SubjectReceived) or event.occurred_at <= last


def _is_more(before: Subject | None, after: Subject, reach: Reach) -> bool:
    hit = exposure(after, reach).hit
    if not hit or after.erasure is not None:
        return False
    return bool(hit.keys() - (Exposure() if before is None else exposure(before, reach)).hit.keys())
