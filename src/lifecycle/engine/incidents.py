"""Incidents over the whole store: computing who was hit, and telling everybody of them until nobody is left.

Both walk the candidates in the order of their ids, a page at a time. What was told stands on each person's record: so
whoever asks again after a crash goes on where it stopped, and nobody is told twice.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from lifecycle.audit.telling import instant
from lifecycle.clock import Clock
from lifecycle.commands.document import Actor, Command, SubjectRef
from lifecycle.commands.incident.putting_on_record import RecordAffected, RecordNotified
from lifecycle.commands.incident.reopen_incident import ReopenIncident
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.subject.tell_of_incident import TellOfIncident
from lifecycle.domain import open_records
from lifecycle.domain.incident.deciding import reach_of
from lifecycle.domain.incident.incident import Incident
from lifecycle.domain.incident.refusals import NotCounted, UnknownIncident
from lifecycle.domain.incident.tally import Tally
from lifecycle.domain.streams import incident_stream
from lifecycle.engine.hit_people import Hit, HitPeople, Progress, tally_up
from lifecycle.engine.incidents_to_follow import ToFollow
from lifecycle.engine.recounting import Recounting
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import Role
from lifecycle.projections.incidents import (
    Noted,
    all_incidents,
    note_count,
    noted_count,
    standing,
)
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.policies import Policies
from lifecycle.vault.vault import Vault

ENGINE = Actor(id="engine", role=Role.SYSTEM)
ERASED = "erased"
MORE = "it was recorded later that more people were hit"
Json = dict[str, Any]


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
        self._hit = HitPeople(database, streams, vault)
        self._recounting = Recounting(database, streams)
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
        self._drain()
        for page in self._hit.pages(reach_of(record, self._clock.now())):
            for hit in page.hits:
                found["erased" if hit.is_erased else "told" if hit.was_told(name) else "to_tell"] += 1
        return {"to_tell": found["to_tell"], "told": found["told"], "skipped": {ERASED: found["erased"]}}

    # -- what is put on record ----------------------------------------------------------------------------------------

    def count(self, name: str, progress: Progress | None = None, *, came: UUID | None = None) -> Outcome:
        """Compute who was hit and put it on the incident's record; the same result again is nothing new. Broken off,
        it is gone on with. `came` is the first, by id, of those who were not known to be hit: if everybody who was
        counted stands before them, only they are counted.

        Errors: UnknownIncident; NotCounted before it was assessed.
        """
        record, now = self._known(name), self._clock.now()
        if record.assessed is None:
            raise NotCounted
        tally, known_at = self._gone_on(record, now, progress, came)
        affected = RecordAffected(
            id=secrets.token_hex(16), actor=ENGINE, incident=name, counted=tally.counted(), known_at=known_at
        )
        (outcome,) = self._execute([affected])
        return outcome

    def tell(self, name: str, progress: Progress | None = None) -> Outcome | None:
        """Tell everybody who was hit and does not know, by the notice that was begun; None if there is none."""
        record, now = self._known(name), self._clock.now()
        if record.notice is None or not record.to_tell:
            return None
        skipped, told, digest = Counter[str](), 0, sha256()
        self._drain()
        with self._database.read() as c:
            noted = noted_count(c, incident_stream(name), record.assessed_in)
        behind = noted.told_behind if noted is not None else None
        for page in self._hit.pages(reach_of(record, now), progress, after=behind):
            reached = self._tell(record, [hit for hit in page.hits if not hit.is_erased], skipped)
            skipped[ERASED] += sum(hit.is_erased for hit in page.hits)
            told += len(reached)
            for person in reached:
                digest.update(person.bytes)
        more = None
        if behind is not None:  # everybody else was told or skipped by the rounds before
            told, more, skipped = record.told + told, told, Counter(dict(record.skipped)) + skipped
        ended = RecordNotified(
            id=secrets.token_hex(16),
            actor=ENGINE,
            incident=name,
            people=told,
            more=more,
            skipped=dict(skipped),
            digest=digest.hexdigest(),
        )
        (outcome,) = self._execute([ended])
        return outcome

    def follow(self, found: ToFollow) -> int:
        """Count and tell what waits for it, count again where more people were hit than was known, and tell them;
        return for how many incidents something waited. One that was closed is opened again for them."""
        known = {name: self._known(name) for name in found.counted}
        grown = self._recounting(found, known, self._clock.now())
        for name in dict.fromkeys([*found.waiting, *grown.incidents]):
            came = grown.incidents.get(name)
            if came is not None:
                self._open_again(known[name])
            if self._known(name).to_count or came is not None:
                self.count(name, came=came)
            self.tell(name)
        grown.done()
        if found.waiting or grown.incidents:
            self._drain()
        return len({*found.waiting, *grown.incidents})

    def _open_again(self, record: Incident) -> None:
        if record.is_open:
            return
        id = f"incident:{record.name_id}:reopen:{record.version}"
        self._execute([ReopenIncident(id=id, actor=ENGINE, incident=record.name_id, reason=MORE)])

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

    # -- counting -----------------------------------------------------------------------------------------------------

    def _tally(self, record: Incident, now: datetime, progress: Progress | None) -> Tally:
        """From the beginning, and nothing is noted."""
        tally, policy = Tally(), self._policy(now)
        self._drain()
        reach = reach_of(record, now)
        for page in self._hit.pages(reach, progress, also_excluded=True):
            tally_up(tally, page, record.name_id, policy.day_of(reach.window.ends), policy)
        return tally

    def _gone_on(
        self, record: Incident, now: datetime, progress: Progress | None, came: UUID | None
    ) -> tuple[Tally, datetime]:
        """A count that was broken off goes on where it was, as of when it began, unless the incident was found to be
        another one since; a finished one goes on behind its last person. Who changed meanwhile is seen by
        `recounting`."""
        stream = incident_stream(record.name_id)
        self._drain()
        with self._database.read() as c:
            noted = noted_count(c, stream, record.assessed_in)
        goes_on = noted is not None and (not noted.finished or _stands_behind(noted, record, came))
        before = noted if noted is not None and goes_on else None
        known_at = now if before is None or before.finished else before.known_at
        tally = Tally() if before is None else Tally.of(before.tally)
        after = told_behind = None
        if before is not None:
            after, told_behind = before.after, before.told_behind
            if before.finished:
                tally.untold = record.untold or 0
                told_behind = after if not tally.untold else told_behind
        policy, reach = self._policy(known_at), reach_of(record, known_at)
        for page in self._hit.pages(reach, progress, after=after, also_excluded=True):
            after = page.last
            tally_up(tally, page, record.name_id, policy.day_of(reach.window.ends), policy)
            self._note(stream, _noted(record, known_at, after, tally, told_behind, finished=False))
        if after is not None:
            self._note(stream, _noted(record, known_at, after, tally, told_behind, finished=True))
        return tally, known_at

    def _note(self, stream: UUID, noted: Noted) -> None:
        with self._database.write("projector") as c:
            note_count(c, stream, noted)

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


def _stands_behind(noted: Noted, record: Incident, came: UUID | None) -> bool:
    """Whether those who came stand behind everybody who was counted."""
    return came is not None and not record.to_count and came.bytes > noted.after.bytes


def _noted(
    record: Incident, known_at: datetime, after: UUID, tally: Tally, told_behind: UUID | None, *, finished: bool
) -> Noted:
    said = tally.counted().model_dump(mode="json")
    return Noted(record.assessed_in, known_at, after, said, finished, told_behind)


def _told(one: Any) -> Json:
    names = type(one).__slots__
    values = ((name, getattr(one, name)) for name in names)
    return {name: instant(value) if isinstance(value, datetime) else value for name, value in values}


def _id_of(incident: str, notice: int, categories: frozenset[str]) -> str:
    """The same for the same notice of the same data, whoever asks; ids are each person's own."""
    what = sha256(",".join(sorted(categories)).encode()).hexdigest()[:16]
    return f"incident:{incident}:{notice}:{what}"
