"""What time brings: sweeps, what follows from what has happened, and the clock of a simulated store."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lifecycle.engine.incidents_to_follow import looked_through, to_follow
from lifecycle.processes.erase_what_was_ordered import ErasureUnfinished
from lifecycle.projections.open_calendar import next_open_due
from lifecycle.projections.retention_calendar import Falling, next_due
from lifecycle.schedule.sweep import Progress, Swept
from lifecycle.storage import simulated

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine


class Ticking:
    """What falls due, and what follows; the worker calls it at every tick, and a simulated clock on its way."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sweep(self, progress: Progress | None = None) -> Swept:
        """Carry out everything that is due by now; what the worker does at every tick."""
        now = self._engine.clock.now()
        unfinished = self._try_again(now)
        swept = self._engine.sweeping(now, progress)
        records = self._engine.sweeping_open_records(now)
        self._engine.transfers.go_on()
        expunged = self._engine.expunging(now)
        self.react()  # at the end: a process that fails holds up no deadline
        if unfinished is not None:
            raise unfinished
        return swept.plus(Swept(expunged=expunged, records=records))

    def react(self) -> int:
        """Let the processes follow what has happened, and compute and tell what incidents wait for; return how many
        commands were asked."""
        told = self._follow_incidents()  # first: a process that fails holds up nobody's notice
        return self._engine.reacting() + told

    def _follow_incidents(self) -> int:
        self._engine.drain()
        with self._engine.database.read() as c:
            found = to_follow(c)
        if found.is_nothing:
            looked_through(self._engine.database, found.start, found.stop)
            return 0
        return self._engine.incidents.follow(found)

    def _try_again(self, now: datetime) -> ErasureUnfinished | None:
        """What a store outside of ours could not erase, and keys that wait to be moved; nobody else waits for it."""
        self._engine.taking.resume(now)
        try:
            self._engine.erasing.resume(now)
        except ErasureUnfinished as unfinished:
            return unfinished
        return None

    def due(self, limit: int) -> list[Falling]:
        """What `sweep` would act on, by the very same selectors."""
        now = self._engine.clock.now()
        over = self._engine.expunging.due(now, limit)
        falling = [
            *self._engine.sweeping.due(now, limit),
            *(Falling.of_evidence(each.subject_id, each.due) for each in over),
        ]
        return sorted(falling, key=lambda each: each.due)[:limit]

    def move_clock(self, to: datetime) -> None:
        """Move a simulated store's clock forward; nothing falls due by it. An ordinary store refuses."""
        if not self._engine.is_simulated:
            raise simulated.NotSimulated
        with self._engine.database.write("writer") as c:
            simulated.move(c, to)

    def advance_clock(self, to: datetime) -> Swept:
        """Move the clock and do, in order and each at its own instant, everything that falls due on the way."""
        if not self._engine.is_simulated:
            raise simulated.NotSimulated
        swept = Swept()
        self._engine.reacting()
        while (instant := self._next_due()) is not None and instant <= to:
            if instant > self._engine.clock.now():
                self.move_clock(instant)
            swept = swept.plus(self.sweep())
        self.move_clock(to)
        return swept

    def _next_due(self) -> datetime | None:
        with self._engine.database.read() as c:
            falls = [next_due(c), next_open_due(c)]
        over = self._engine.expunging.next_due(self._engine.clock.now())
        return min((at for at in (*falls, over) if at is not None), default=None)
