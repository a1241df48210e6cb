"""What a batch's snapshot has to answer, gathered question by question: nothing is asked for twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, select

from lifecycle.columns import Ask, ask_together
from lifecycle.storage import idempotency
from lifecycle.storage.appending import Head, heads_asked, heads_in
from lifecycle.storage.headers import bodies_at, headers_at
from lifecycle.storage.idempotency import Seen
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault import spent
from lifecycle.vault.sealing import SubjectKeys
from lifecycle.vault.vault import Vault

FEW = 32  # pairs that are asked for by their parts
T = TypeVar("T")
Place = tuple[UUID, int]  # an event
Before = tuple[UUID, str]  # whose stream, which command
Owner = tuple[UUID, str]  # of an identifier: the person, and the id of the identifier


class Met:
    """By which tokens people were found lately: a guess, which the same snapshot confirms or not.

    With it everything about them is asked along with who they are, in one message.
    """

    def __init__(self, at_most: int = 10_000) -> None:
        self._at_most = at_most
        self._people: dict[bytes, Owner] = {}
        self._lock = Lock()

    def get(self, token: bytes) -> Owner | None:
        return self._people.get(token)

    def note(self, found: Iterable[tuple[bytes, Owner | None]]) -> None:
        with self._lock:
            for token, person in found:
                if person is None:
                    self._people.pop(token, None)
                    continue
                self._people[token] = person
                if len(self._people) > self._at_most:
                    del self._people[next(iter(self._people))]


@dataclass(slots=True)
class Gathered:
    """Heads, keys, earlier answers, spent ids of commands, stored events, as far as they were asked for."""

    vault: Vault
    heads: dict[UUID, Head] = field(default_factory=dict)
    keys: dict[UUID, SubjectKeys] = field(default_factory=dict)
    seen: dict[Before, Seen] = field(default_factory=dict)
    spent: dict[str, datetime] = field(default_factory=dict)
    headers: dict[Place, bytes] = field(default_factory=dict)
    bodies: dict[tuple[UUID, int, int], bytes] = field(default_factory=dict, repr=False)
    data_keys: dict[tuple[UUID, str], Any] = field(default_factory=dict, repr=False)  # of what was opened
    _was_asked: bool = False
    _streams: set[UUID] = field(default_factory=set)
    _people: set[UUID] = field(default_factory=set)
    _before: set[Before] = field(default_factory=set)
    _cmds: set[str] = field(default_factory=set)
    _events: set[Place] = field(default_factory=set)

    def has(self, people: set[UUID]) -> bool:
        """Whether they were asked for, and whatever else is known beforehand with them."""
        return self._was_asked and people <= self._people

    def gather(
        self,
        c: Connection,
        streams: Iterable[UUID] = (),
        people: Iterable[UUID] = (),
        before: Iterable[Before] = (),
        events: Iterable[Place] = (),
        beside: Sequence[Ask] = (),
        *,
        cmds: Iterable[str] = (),
    ) -> list[Sequence[Any]]:
        """Ask for what is lacking of all this, and `beside` it for something else, whose answers are returned.

        Of very many commands the earlier answers, and very many events, are asked for by pairs, by themselves.
        """
        self._was_asked = True
        new_streams, new_people = _new(streams, self._streams), _new(people, self._people)
        new_before, new_events = _new(before, self._before), _new(events, self._events)
        asks = [*beside, *(of_heads := heads_asked(new_streams)), *(of_keys := self.vault.keys_asked(new_people))]
        new_cmds = _new(cmds, self._cmds)
        few_before, few_events, few_cmds = (0 < len(new) <= FEW for new in (new_before, new_events, new_cmds))
        if few_before:
            asks.append(idempotency.few_asked(new_before))
        if few_events:
            asks += _events_asked(new_events)
        if few_cmds:
            asks.append(spent.few_asked(new_cmds))
        answers = iter(ask_together(c, asks) if asks else ())
        told = [next(answers) for _ in beside]
        self.heads |= heads_in(next(answers) for _ in of_heads)
        self.keys |= self.vault.keys_in(c, new_people, [next(answers) for _ in of_keys])
        self.seen |= idempotency.few_in(next(answers)) if few_before else idempotency.seen(c, new_before)
        if few_events:
            self._take_events(next(answers), next(answers))
        elif new_events:
            self._take_events(headers_at(c, new_events), bodies_at(c, new_events))
        self.spent |= spent.untils_in(next(answers)) if few_cmds else spent.spent_of(c, new_cmds)
        return told

    def _take_events(self, headers: Iterable[Any], bodies: Iterable[Any]) -> None:
        self.headers |= {(row[0], row[1]): row[2] for row in headers}
        self.bodies |= {(row[0], row[1], row[2]): row[3] for row in bodies}


def _new(wanted: Iterable[T], asked: set[T]) -> list[T]:
    new = [each for each in dict.fromkeys(wanted) if each not in asked]
    asked.update(new)
    return new


def _few(columns: Any, *chosen: Any) -> Select[Any]:
    return select(columns.stream_id, columns.version, *chosen).where(
        columns.stream_id.in_(bindparam("ids", expanding=True)),
        columns.version.in_(bindparam("versions", expanding=True)),
    )


_HEADERS = _few(event_header.c, event_header.c.header)
_BODIES = _few(event_body.c, event_body.c.part, event_body.c.ct)


def _events_asked(events: Sequence[Place]) -> list[Ask]:
    """Of all these streams all these versions."""
    ids, versions = zip(*events, strict=True)
    asked = {"ids": list(dict.fromkeys(ids)), "versions": list(dict.fromkeys(versions))}
    return [Ask(_HEADERS, asked), Ask(_BODIES, asked)]
