"""When this happened, ask that: each reaction follows the log at a position of its own, and asks by commands.

A position moves only after the commands were answered. So a crash in between asks again: a command's id is derived from
the event that it reacts to, and what has been done already is answered as it was. An event that asks of very many
people is gone through a page at a time, so that memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable
from uuid import UUID

from sqlalchemy import Connection, select, update

from lifecycle.columns import insert_of
from lifecycle.commands.document import Command
from lifecycle.commands.outcome import Outcome
from lifecycle.domain.event import Recorded
from lifecycle.errors import LifecycleError
from lifecycle.ledger.sequencer import log_size
from lifecycle.ledger.tables import event_position
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage import standing
from lifecycle.storage.database import Database
from lifecycle.storage.mapper import recorded
from lifecycle.storage.tables import event_header, reaction_position

WINDOW = 10_000  # positions looked through at once
BATCH = 1_000  # commands asked at once

Asked = Command | Mapping[str, Any]
Execute = Callable[[Sequence[Asked]], list[Outcome]]


class Reaction(Protocol):
    """One process. `name` is stored, and never changes; `kinds` are the stored names of what it reacts to."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    def commands(self, c: Connection, happened: Recorded) -> Iterable[Asked]:
        """What to ask. `c` is a snapshot in which the projections have followed this event. Each command's id must
        follow from the event (`id_of`)."""
        ...


class Page(NamedTuple):
    """Some of the commands that an event asks for, and behind which place the next begin; None: these were the last."""

    commands: Sequence[Asked]
    after: str | None


@runtime_checkable
class ReactionInPages(Protocol):
    """A process of which one event may ask very much. What has been done already stands on the records that its
    commands wrote, in the same transaction: a page leaves that out, so whoever goes on after a crash asks for the rest.
    """

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    def page(self, c: Connection, happened: Recorded, after: str | None) -> Page:
        """At most `BATCH` commands behind the place `after`; each page has a snapshot of its own."""
        ...


class ReactionFailed(LifecycleError):
    """A command of ours was refused or malformed: a bug, or a policy that forbids what an earlier one promised."""

    code = "reaction-failed"
    remedy = "the event stays undone and is tried again; `lifecycle doctor` says since when the process stands there"

    def __init__(self, name: str, outcome: Outcome) -> None:
        super().__init__(f"The process {name!r} asked what was answered {outcome.outcome!r} ({outcome.code}).")


def id_of(reaction: str, happened: Recorded, number: int | str = 1) -> str:
    """The command id of a reaction to an event; of several commands each has a number or a name."""
    return f"{reaction}/{happened.originator_id}/{happened.originator_version}/{number}"


class Reacting:
    """`execute` decides and appends; `follow` brings positions and projections up to date."""

    def __init__(
        self,
        database: Database,
        reactions: Sequence[Reaction | ReactionInPages],
        execute: Execute,
        follow: Callable[[], None],
    ) -> None:
        self._database = database
        self._reactions = tuple(reactions)
        self._execute = execute
        self._follow = follow

    def __call__(self) -> int:
        """React to everything that has happened by now; return how many commands were asked. Reactions may cause
        reactions, a chain of which is no longer than there are reactions. What others do meanwhile has its turn the
        next time: else this would not end for as long as somebody writes.

        Errors: ReactionFailed, once every other reaction has done its work.
        """
        asked = 0
        failed: dict[str, ReactionFailed] = {}
        for _ in range(len(self._reactions) + 1):
            asked_before, end = asked, self._followed()
            for reaction in self._behind(end, failed):
                try:
                    asked += self._catch_up(reaction, end)
                except ReactionFailed as failure:
                    failed[reaction.name] = failure
            if asked == asked_before:
                break
        for first in failed.values():
            raise first
        return asked

    def behind(self) -> dict[str, int]:
        """How many positions each reaction has still to look through."""
        with self._database.read() as c:
            size, at = log_size(c), positions(c)
        return {reaction.name: size - at.get(reaction.name, 0) for reaction in self._reactions}

    def _followed(self) -> int:
        """Up to which position the projections have followed, when they have been brought up to date."""
        self._follow()
        with self._database.read() as c:
            return standing.followed(c, PROJECTIONS)

    def _behind(self, end: int, failed: Mapping[str, object]) -> list[Reaction | ReactionInPages]:
        with self._database.read() as c:
            at = positions(c)
        return [each for each in self._reactions if at.get(each.name, 0) < end and each.name not in failed]

    def _catch_up(self, reaction: Reaction | ReactionInPages, end: int) -> int:
        asked = 0
        while True:
            with self._database.read() as c:
                start = positions(c).get(reaction.name, 0)
                if start >= end:
                    return asked
                stop = min(end, start + WINDOW)
                happened = happened_between(c, reaction.kinds, start, stop)
            for commands, done in self._batches(reaction, happened):
                self._ask(reaction, commands)
                asked += len(commands)
                if done is not None:
                    self._move(reaction.name, start, done)
                    start = done
            self._move(reaction.name, start, stop)

    def _batches(
        self, reaction: Reaction | ReactionInPages, happened: Sequence[tuple[int, Recorded]]
    ) -> Iterator[tuple[Sequence[Asked], int | None]]:
        """Commands to ask together, of several events where each asks for little; and up to which position nothing is
        left once they were answered, None in the middle of an event."""
        if isinstance(reaction, ReactionInPages):
            for position, one in happened:
                yield from self._pages(reaction, position, one)
            return
        for start in range(0, len(happened), BATCH):
            some = happened[start : start + BATCH]
            with self._database.read() as c:
                together = [command for _, one in some for command in reaction.commands(c, one)]
            yield together, some[-1][0] + 1

    def _pages(
        self, reaction: ReactionInPages, position: int, happened: Recorded
    ) -> Iterator[tuple[Sequence[Asked], int | None]]:
        after: str | None = None
        while True:
            with self._database.read() as c:
                page = reaction.page(c, happened, after)
            after = page.after
            if page.commands:
                yield page.commands, position + 1 if after is None else None
            if after is None:
                return

    def _ask(self, reaction: Reaction | ReactionInPages, commands: Sequence[Asked]) -> None:
        for start in range(0, len(commands), BATCH):
            for outcome in self._execute(commands[start : start + BATCH]):
                if outcome.outcome not in ("done", "nothing"):
                    raise ReactionFailed(reaction.name, outcome)

    def _move(self, name: str, old: int, new: int) -> None:
        with self._database.write("writer") as c:
            move(c, name, old, new)


def move(c: Connection, name: str, old: int, new: int) -> None:
    """Somebody else who reacts too may have been faster: then it has moved already."""
    c.execute(insert_of(c, reaction_position).on_conflict_do_nothing(), {"name": name, "position": 0})
    column = reaction_position.c
    c.execute(update(reaction_position).where(column.name == name, column.position == old).values(position=new))


def positions(c: Connection) -> dict[str, int]:
    return {row.name: row.position for row in c.execute(select(reaction_position))}


def happened_between(c: Connection, kinds: frozenset[str], start: int, stop: int) -> list[tuple[int, Recorded]]:
    """With their positions."""
    head, place = event_header.c, event_position.c
    chosen = (
        select(place.position, place.stream_id, place.version, head.header)
        .join_from(event_position, event_header, (head.stream_id == place.stream_id) & (head.version == place.version))
        .where(place.position >= start, place.position < stop, head.kind.in_(sorted(kinds)))
        .order_by(place.position)
    )
    return [(row.position, recorded(cast(UUID, row.stream_id), row.version, row.header)) for row in c.execute(chosen)]
