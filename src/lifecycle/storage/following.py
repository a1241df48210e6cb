"""Brings projections up to the log: in batches, each in one transaction with its positions, so exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypedDict
from uuid import UUID

from sqlalchemy import Connection, delete, select

from lifecycle.columns import Ask
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.many_rows import rows_of
from lifecycle.ledger.sequencer import log_size, sequence, waiting_entries
from lifecycle.ledger.tables import event_position
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Projection
from lifecycle.storage import standing
from lifecycle.storage.application import Streams
from lifecycle.storage.changes import ChangeReader, still_there
from lifecycle.storage.database import Database
from lifecycle.storage.standing import Place
from lifecycle.storage.uncollected import uncollected
from lifecycle.value_lists import one_of

BATCH = 8_000  # positions in one transaction; whoever is in several batches is described in each
WITHIN = 2.0  # seconds that a read waits for one person's newest event
_A_MOMENT = 0.005
# Of these streams, those whose newest event has no place yet, or one that is not followed.
_BEHIND = (
    "SELECT h.stream_id FROM stream_head h"
    " LEFT JOIN event_position p ON p.stream_id = h.stream_id AND p.version = h.version"
    " WHERE h.stream_id IN ({marks}) AND h.version > 0 AND (p.position IS NULL OR p.position >= {mark})"
)

Progress = Callable[[int, int], None]
"""Told after each batch: how many leaves are followed, and how many there are."""


class Published(Protocol):
    """The policy versions, oldest first."""

    def all(self, c: Connection | None = None) -> tuple[Policy, ...]: ...


class Step(NamedTuple):
    """How many leaves a batch followed, 0 if somebody else was faster; up to which all projections have followed at
    least; and how many leaves there were."""

    moved: int
    reached: int
    size: int


class Standing(TypedDict):
    """Of one projection: leaves followed, leaves there are, events that wait for a leaf, leaves not followed yet."""

    name: str
    position: int
    log_size: int
    waiting: int
    lag: int


class Behind(StoreUnavailable):
    """What was asked is recorded but cannot be read yet; an answer without it would be wrong."""

    remedy = "try again in a moment; `lifecycle projections status` says how far they are"


class Follower:
    """One object serves all threads of a process; several processes may follow at once, and nothing happens twice."""

    def __init__(
        self,
        database: Database,
        streams: Streams,
        policies: Published,
        projections: Sequence[Projection],
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._policies = policies
        self.projections = tuple(projections)
        self._batch = batch
        self._changes = ChangeReader(streams)
        self._lock = Lock()
        self._is_made = False

    def ensure_tables(self) -> None:
        """Make the tables on first use, and anew where a projection has another version than its tables.

        Errors: MadeByNewer when a newer program keeps them.
        """
        if self._is_made:
            return
        with self._database.read() as c:
            made = standing.are_made(c, self.projections)
        if not made:
            with self._database.write("projector") as c:
                standing.make(c, self.projections)
        self._is_made = True

    def catch_up(self, progress: Progress | None = None) -> int:
        """Follow to the end of the log as it is now; return how many leaves that were. What has no position yet comes
        later, and what gets one meanwhile the next time: else this would not end for as long as somebody writes."""
        followed, end = 0, None
        with self._lock:
            self.ensure_tables()
            while (step := self._step(progress)) is not None:
                followed += step.moved
                end = step.size if end is None else end
                if step.reached >= end:
                    break
        return followed

    def catch_up_person(self, stream_id: UUID, version: int, within: float = WITHIN) -> None:
        """Return when event `version` of the stream is in every projection; sequence and follow until then.

        Units: `within` is in seconds. Errors: Behind after that.
        """
        deadline = time.monotonic() + within
        self.ensure_tables()
        while version > 0 and not self._is_followed(stream_id, version):
            if time.monotonic() >= deadline:
                raise Behind("The projections are behind the log.")
            with self._alone_until(deadline) as is_alone:
                if is_alone and self._step() is None and not self._sequence():
                    time.sleep(_A_MOMENT)  # somebody else gives it its position just now

    def has_followed(self, c: Connection, stream_ids: Collection[UUID]) -> bool:
        """Whether every projection has the newest event of each of these streams, in this snapshot."""
        known = standing.positions(c, self.projections)
        if len(known) != len(self.projections):
            return False
        ids = [id.hex if self._database.is_sqlite else id for id in stream_ids]
        mark = "?" if self._database.is_sqlite else "%s"
        query = _BEHIND.format(marks=", ".join([mark] * len(ids)), mark=mark)
        return not rows_of(c, query, (*ids, min(known.values(), default=0)))

    def asks_how_far(self, stream_id: UUID) -> Ask:
        """What `is_up_to_date` has to be given the answer to: so that it can be asked together with something else."""
        return standing.asks_how_far(self.projections, stream_id)

    def is_up_to_date(self, answer: Sequence[Any]) -> bool:
        """Whether there is this stream, and every projection has its newest event."""
        return standing.is_up_to_date(self.projections, answer)

    def rebuild(self, name: str | None = None, progress: Progress | None = None) -> int:
        """Empty one projection, or all, and fill it from the first event. Errors: UnknownProjection."""
        chosen = standing.named(self.projections, name)
        with self._lock:
            self.ensure_tables()
            with self._database.write("projector") as c:
                standing.empty(c, chosen)
        return self.catch_up(progress)

    def know(self, states: Collection[Subject]) -> None:
        """States of people who are about to change, as somebody has read them anyway: so that they need not be read
        again. Whoever is following just now goes on without."""
        if self._lock.acquire(blocking=False):
            try:
                self._changes.know(states)
            finally:
                self._lock.release()

    def forget(self, people: Collection[UUID]) -> None:
        """Take every row about these people out of every projection; their evidence must be gone already.

        Whoever follows at this moment holds the positions, and asks once more who is still there: so what was read
        before the evidence went cannot come back by a batch that is written after this.
        """
        self.ensure_tables()
        with self._lock:
            self._changes.forget(people)
        with self._database.write("projector") as c:
            standing.hold(c)
            for projection in self.projections:
                for table in projection.tables:
                    if "subject_id" in table.c:
                        c.execute(delete(table).where(one_of(table.c.subject_id, people)))

    def status(self) -> list[Standing]:
        """How far each projection is, in one snapshot."""
        self.ensure_tables()
        with self._database.read() as c:
            positions = standing.positions(c, self.projections)
            size, waiting = log_size(c), waiting_entries(c)
        return [
            Standing(name=name, position=position, log_size=size, waiting=waiting, lag=size - position)
            for name, position in positions.items()
        ]

    def _step(self, progress: Progress | None = None) -> Step | None:
        """Follow one batch; None at the end of the log."""
        with self._database.read() as c:
            places, size, policies = self._places(c), log_size(c), self._policies.all(c)
        first = min(places.values(), default=Place(size, size))
        start = first.position
        if start >= size:
            return None
        stop = min([size, *(place.position for place in places.values() if place.position > start)])
        taking = [projection for projection in self.projections if places[projection.name] == first]
        try:
            with uncollected():
                stop = self._follow(taking, first if start else Place(start, size), stop, policies)
        except standing.Overtaken:
            return Step(0, start, size)
        if progress is not None:
            progress(stop, size)
        return Step(stop - start, stop if len(taking) == len(self.projections) else start, size)

    def _follow(self, taking: Sequence[Projection], place: Place, stop: int, policies: Sequence[Policy]) -> int:
        # Read and folded before the transaction begins: positions never change, and SQLite's writers need not wait.
        changes, stop = self._changes.batch(*place, stop, self._batch)
        with self._database.write("projector") as c:
            standing.move(c, taking, place, stop)
            known = still_there(c, changes)
            for projection in taking:
                projection.apply(c, known, policies)
        return stop

    def _places(self, c: Connection) -> dict[str, Place]:
        places = standing.places(c, self.projections)
        if len(places) != len(self.projections):
            self._is_made = False
            raise Behind("The projections were made anew by another program.")
        return places

    def _is_followed(self, stream_id: UUID, version: int) -> bool:
        mine = (event_position.c.stream_id == stream_id) & (event_position.c.version == version)
        with self._database.read() as c:
            position: int | None = c.execute(select(event_position.c.position).where(mine)).scalar_one_or_none()
            return position is not None and position < min(self._places(c).values(), default=Place(0, 0)).position

    def _sequence(self) -> int:
        with self._database.write("sequencer") as c:
            return sequence(c)

    @contextmanager
    def _alone_until(self, deadline: float) -> Iterator[bool]:
        is_alone = self._lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        try:
            yield is_alone
        finally:
            if is_alone:
                self._lock.release()
