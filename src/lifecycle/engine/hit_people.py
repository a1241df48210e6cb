"""Walking the store for an incident: of whom was something within reach? A page at a time, in the order of the ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.domain.event import Personal
from lifecycle.domain.incident.exposure import Exposure, Reach, exposure
from lifecycle.domain.incident.tally import Tally
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.told_of_incidents import was_told
from lifecycle.engine.asking import open_sealed
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import age_on
from lifecycle.projections.incidents import candidates
from lifecycle.storage.appending import load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.storage.lost_keys import explained_wholly
from lifecycle.vault.vault import Vault

PAGE = 1_000

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


class Page(NamedTuple):
    """Those of a thousand candidates who were hit, and who the last candidate was."""

    hits: list[Hit]
    last: UUID


class HitPeople:
    def __init__(self, database: Database, streams: Streams, vault: Vault) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault

    def pages(
        self,
        reach: Reach,
        progress: Progress | None = None,
        *,
        after: UUID | None = None,
        also_excluded: bool = False,
    ) -> Iterator[Page]:
        """From behind `after` on. `also_excluded`: those too of whom something was within reach and protected."""
        walked = 0
        while True:
            with self._database.read() as c:
                people = candidates(c, reach, after, PAGE)
                hits = self._hits(c, people, reach, also_excluded=also_excluded)
            if not people:
                return
            after, walked = people[-1], walked + len(people)
            yield Page(hits, after)
            if progress is not None:
                progress(walked, walked + (PAGE if len(people) == PAGE else 0))

    def _hits(self, c: Connection, people: Sequence[UUID], reach: Reach, *, also_excluded: bool) -> list[Hit]:
        heads = load_heads(c, people)
        there = [person for person in people if person in heads]
        with self._streams.prefetched(there, c, {person: heads[person].version for person in there}):
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
        for person in {person for person, _, _ in wanted} - keys.keys():
            explained_wholly(c, self._vault, person)
        opened = open_sealed(c, self._vault, keys, [each for each in wanted if each[0] in keys])
        return {place[0]: born for place, value in opened.items() if (born := _day(value)) is not None}


def tally_up(tally: Tally, page: Page, incident: str, day: date, policy: Policy) -> None:
    """`day` is the one for which a person's age counts."""
    for hit in page.hits:
        is_minor = _is_minor(hit.born, day, policy)
        known = [category for category in hit.exposure.categories if category in policy.categories]
        tally.add(
            hit.subject.id,
            hit.exposure,
            sensitive=bool(is_minor) or any(policy.is_sensitive(category) for category in known),
            is_minor=is_minor,
            is_erased=hit.is_erased,
            was_told=hit.was_told(incident),
        )


def _day(value: Personal[str]) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None


def _is_minor(born: date | None, day: date, policy: Policy) -> bool | None:
    if born is None or policy.minors is None:
        return None
    return age_on(born, day) < policy.minors.age
