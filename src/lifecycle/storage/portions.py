"""How many people's records are in memory at once: they may be many, and each may be long."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.storage.appending import versions_of

PEOPLE = 1_000
EVENTS = 16_384  # of their records, two to four kilobytes each as they are read and folded

T = TypeVar("T")


def portions(c: Connection, asked: Sequence[T], person: Callable[[T], UUID]) -> list[Sequence[T]]:
    """What is asked, in its order, in portions about few enough people for their records to be read together."""
    return shared_out(asked, person, versions_of(c, map(person, asked)))


def shared_out(asked: Sequence[T], person: Callable[[T], UUID], versions: Mapping[UUID, int]) -> list[Sequence[T]]:
    """Each portion about at most `PEOPLE`, who have at most `EVENTS` events together, or about one."""
    found: list[Sequence[T]] = []
    start, people, events = 0, set[UUID](), 0
    for at, one in enumerate(asked):
        id = person(one)
        if id in people:
            continue
        version = versions.get(id, 0)
        if people and (len(people) == PEOPLE or events + version > EVENTS):
            found.append(asked[start:at])
            start, people, events = at, set(), 0
        people.add(id)
        events += version
    return [*found, asked[start:]] if asked else []
