"""Incidents over the whole store: computing who was hit, and telling everybody of them until nobody is left.

Both walk the candidates in the order of their ids, a page at a time. What was told stands on each person's record: so
whoever asks again after a crash goes on where it stopped, and nobody is told twice.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit.telling import instant
from lifecycle.clock import Clock
from lifecycle.commands.document import Actor, Command, SubjectRef
from lifecycle.commands.incident.putting_on_record import RecordAffected, RecordNotified
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.subject.tell_of_incident import TellOfIncident
from lifecycle.domain import open_records
from lifecycle.domain.event import Personal
from lifecycle.domain.incident.deciding import reach_of
from lifecycle.domain.incident.exposure import Exposure, Reach, exposure
from lifecycle.domain.incident.incident import Incident
from lifecycle.domain.incident.refusals import NotCounted, UnknownIncident
from lifecycle.domain.incident.tally import Tally
from lifecycle.domain.streams import incident_stream
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.told_of_incidents import was_told
from lifecycle.engine.asking import open_sealed
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import age_on
from lifecycle.policy.vocabulary import Role
from lifecycle.projections.incidents import all_incidents, candidates, standing, waiting
from lifecycle.storage.appending import load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.storage.policies import Policies
from lifecycle.vault.vault import Vault

PAGE = 1_000
ENGINE = Actor(id="engine", role=Role.SYSTEM)
ERASED = "erased"
Json = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody of whom something was within reach, with what was; `born` only where it could be opened."""

    subject: Subject
    exposure: Exposure
    born: date | None

    def was_told(self, incident: str) -> bool:
        return was_told(self.subject, incident, self.exposure.categories)

    @property
    def is_erased(self) -> bool:
        return self.subject.erasure is not None


class Incidents:
    """`execute` decides and appends; `drain` brings positions and projections up to date."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        vault: Vault,
        policies: Policies,
        clock: Clock,
        execute: Callable[[Sequence[Command]], list[Outcome]],
        drain: Callable[[], None],
    ) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault
        self._policies = policies
        self._clock = clock
        self._execute = execute
        self._drain = drain

    # -- what can be asked --------------------------------------------------------------------------------------------

    def all(self) -> list[Json]:
        self._drain()
        with self._database.read() as c:
            return [_told(one) for one in all_incidents(c)]

    def show(self, name: str) -> Json:
        """One incident with its clocks and its newest count. Errors: UnknownIncident."""
        record = self._known(name)
        counted = record.counted
        return _told(standing(record)) | {
            "version": record.version,
            "remedies": record.remedies,
            "authorities_told": sorted(record.jurisdictions),
            "ordered": record.ordered,
            "skipped": dict(record.skipped),
            "affected": counted.header_data() if counted is not None else None,
            "clocks": [
                {
                    "whom": clock.due.whom,
                    "rule": clock.due.rule,
                    "due": instant(clock.due.due),
                    "told": clock.answered,
                    "missed": clock.missed,
                }
                for clock in record.clocks
            ],
        }

    def affected(self, name: str, progress: Progress | None = None) -> Json:
        """Who was hit as it is known now, in numbers; puts nothing on record. Errors: UnknownIncident."""
        record = self._known(name)
        return self._tally(record, self._clock.now(), progress).counted().model_dump(mode="json")

    def to_tell(self, name: str) -> Json:
        """Whom a notice would reach now: the selector of the real run."""
        record, found = self._known(name), Counter[str]()
        for page in self._pages(record, self._clock.now(), None):
            for hit in page:
                found["erased" if hit.is_erased else "told" if hit.was_told(name) else "to_tell"] += 1
        return {"to_tell": found["to_tell"], "told": found["told"], "skipped": {ERASED: found["erased"]}}

    # -- what is put on record ----------------------------------------------------------------------------------------

    def count(self, name: str, progress: Progress | None = None) -> Outcome:
        """Compute who was hit and put it on the incident's record; the same result again is nothing new.

        Errors: UnknownIncident; NotCounted before it was assessed.
        """
        record, now = self._known(name), self._clock.now()
        if record.assessed is None:
            raise NotCounted
        counted = self._tally(record, now, progress).counted()
        (outcome,) = self._execute(
            [RecordAffected(id=secrets.token_hex(16), actor=ENGINE, incident=name, counted=counted, known_at=now)]
        )
        return outcome

    def tell(self, name: str, progress: Progress | None = None) -> Outcome | None:
        """Tell everybody who was hit and does not know, by the notice that was begun; None if there is none."""
        record, now = self._known(name), self._clock.now()
        if record.notice is None or not record.to_tell:
            return None
        skipped, told, digest = Counter[str](), 0, sha256()
        for page in self._pages(record, now, progress):
            reached = self._tell(record, [hit for hit in page if not hit.is_erased], skipped)
            skipped[ERASED] += sum(hit.is_erased for hit in page)
            told += len(reached)
            for person in reached:
                digest.update(person.bytes)
        ended = RecordNotified(
            id=secrets.token_hex(16),
            actor=ENGINE,
            incident=name,
            people=told,
            skipped=dict(skipped),
            digest=digest.hexdigest(),
        )
        (outcome,) = self._execute([ended])
        return outcome

    def follow(self) -> int:
        """Count and tell what waits for it; return for how many incidents something did."""
        self._drain()
        with self._database.read() as c:
            names = waiting(c)
        for name in names:
            if self._known(name).to_count:
                self.count(name)
            self.tell(name)
        if names:
            self._drain()
        return len(names)

    def _tell(self, record: Incident, hits: Sequence[Hit], skipped: Counter[str]) -> list[UUID]:
        """Who knows by now. Somebody erased a moment ago is skipped, and so said."""
        assert record.notice is not None
        assert record.detected is not None
        knows = [hit.subject.id for hit in hits if hit.was_told(record.name_id)]
        left = [hit for hit in hits if not hit.was_told(record.name_id)]
        notice = record.notice
        commands = [
            TellOfIncident(
                id=_id_of(record.name_id, notice.notice, hit.exposure.categories),
                actor=ENGINE,
                subject=SubjectRef(id=str(hit.subject.id)),
                incident=record.name_id,
                notice=notice.notice,
                nature=record.detected.nature,
                categories=tuple(sorted(hit.exposure.categories)),
                channel=notice.channel,
            )
            for hit in left
        ]
        for hit, outcome in zip(left, self._execute(commands) if commands else (), strict=True):
            if outcome.outcome in ("done", "nothing") and outcome.code is None:
                knows.append(hit.subject.id)
            else:
                skipped[ERASED if outcome.code == "subject-erased" else str(outcome.code)] += 1
        return sorted(knows, key=lambda id: id.bytes)

    # -- walking the store --------------------------------------------------------------------------------------------

    def _tally(self, record: Incident, now: datetime, progress: Progress | None) -> Tally:
        tally, policy = Tally(), self._policy(now)
        day = policy.day_of(reach_of(record, now).window.ends)
        for page in self._pages(record, now, progress, also_excluded=True):
            for hit in page:
                is_minor = _is_minor(hit.born, day, policy)
                known = [category for category in hit.exposure.categories if category in policy.categories]
                tally.add(
                    hit.subject.id,
                    hit.exposure,
                    sensitive=bool(is_minor) or any(policy.is_sensitive(category) for category in known),
                    is_minor=is_minor,
                    is_erased=hit.is_erased,
                    was_told=hit.was_told(record.name_id),
                )
        return tally

    def _pages(
        self, record: Incident, now: datetime, progress: Progress | None, *, also_excluded: bool = False
    ) -> Iterator[list[Hit]]:
        self._drain()
        reach, after, walked = reach_of(record, now), None, 0
        while True:
            with self._database.read() as c:
                people = candidates(c, reach, after, PAGE)
                hits = self._hits(c, people, reach, also_excluded=also_excluded)
            if not people:
                return
            yield hits
            after, walked = people[-1], walked + len(people)
            if progress is not None:
                progress(walked, walked + (PAGE if len(people) == PAGE else 0))

    def _hits(self, c: Connection, people: Sequence[UUID], reach: Reach, *, also_excluded: bool) -> list[Hit]:
        heads = load_heads(c, people)
        there = [person for person in people if person in heads]
        with self._streams.prefetched(there, c):
            states = [self._state(person) for person in there]
        found = [(state, exposure(state, reach)) for state in states]
        kept = [(state, one) for state, one in found if one.hit or (also_excluded and one.excluded)]
        births = self._births(c, [state for state, one in kept if one.hit]) if also_excluded else {}
        return [Hit(state, one, births.get(state.id)) for state, one in kept]

    def _state(self, person: UUID) -> Subject:
        subject: Subject = self._streams.repository.get(person, projector_func=folded)
        return subject

    def _births(self, c: Connection, people: Sequence[Subject]) -> dict[UUID, date]:
        """Opened to count minors, and kept nowhere."""
        wanted = [
            (subject.id, id, subject.holdings[id].generations[-1].version)
            for subject in people
            if (id := subject.birth_date) is not None and subject.holdings[id].erased_at is None
        ]
        keys = self._vault.keys_of(c, [subject_id for subject_id, _, _ in wanted])
        opened = open_sealed(c, self._vault, keys, [each for each in wanted if each[0] in keys])
        return {place[0]: born for place, value in opened.items() if (born := _day(value)) is not None}

    def _policy(self, now: datetime) -> Policy:
        policy = self._policies.in_force(now)
        assert policy is not None, "an incident was detected under a policy"
        return policy

    def _known(self, name: str) -> Incident:
        named = ("incident", name)
        events = cast(Any, self._streams.events.get(incident_stream(name)))
        record = cast(Incident, open_records.replay(named, events))
        if record.version == 0:
            raise UnknownIncident(name)
        return record


def _told(one: Any) -> Json:
    names = type(one).__slots__
    values = ((name, getattr(one, name)) for name in names)
    return {name: instant(value) if isinstance(value, datetime) else value for name, value in values}


def _id_of(incident: str, notice: int, categories: frozenset[str]) -> str:
    """The same for the same notice of the same data, whoever asks; ids are each person's own."""
    what = sha256(",".join(sorted(categories)).encode()).hexdigest()[:16]
    return f"incident:{incident}:{notice}:{what}"


def _day(value: Personal[str]) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None


def _is_minor(born: date | None, day: date, policy: Policy) -> bool | None:
    if born is None or policy.minors is None:
        return None
    return age_on(born, day) < policy.minors.age
