"""The clock of a simulated store: kept in the store, it stands still between calls and only moves forward."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from lifecycle.columns import Ask, ask_together
from lifecycle.errors import Refused
from lifecycle.storage.database import Database
from lifecycle.storage.tables import simulated_clock

column = simulated_clock.c
_STORED = Ask(select(column.at), {})


class NotSimulated(Refused):
    code = "not-simulated"
    remedy = "make a store for trying out with `lifecycle init --simulated`"

    def __init__(self) -> None:
        super().__init__("This store lives in real time: nobody sets its clock.")


class ClockGoesBack(Refused):
    code = "clock-goes-back"
    remedy = "name a later instant"

    def __init__(self, stands_at: datetime) -> None:
        super().__init__(f"The simulated clock stands at {stands_at.isoformat()} and only moves forward.")


class SimulatedClock:
    """The stored clock, for whoever asks what time it is. It is read each time: other processes move it too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> datetime:
        with self._database.ask() as c:
            return stored_time(c)


def start(c: Connection, at: datetime) -> None:
    """Give a new store a clock of its own; once."""
    c.execute(insert(simulated_clock).values(one=1, at=at))


def stored_time(c: Connection) -> datetime:
    (stored,) = ask_together(c, [_STORED])
    if not stored:
        raise NotSimulated
    at: datetime = stored[0].at
    return at


def move(c: Connection, to: datetime) -> None:
    """Set the clock to `to`. Standing still is allowed, going back is refused, also when two move it at once."""
    if c.execute(update(simulated_clock).where(column.at <= to).values(at=to)).rowcount != 1:
        raise ClockGoesBack(stored_time(c))
