"""Whose clock counts: on PostgreSQL the server's, so that all machines agree; on SQLite that of the one machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from lifecycle.clock import Clock, SystemClock
from lifecycle.storage.database import Database

ASK_EVERY = 60.0  # seconds


class _Asked(NamedTuple):
    """What the server said, and where this machine's steady clock stood then."""

    server: datetime
    steady: float


class ServerClock:
    """The server's clock, asked once a minute and carried on by this machine's steady clock, which nobody sets.

    It is as exact as half a question takes, some milliseconds. Serves all threads of a process.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: _Asked | None = None

    def now(self) -> datetime:
        asked = self._asked
        if asked is None or time.monotonic() - asked.steady > ASK_EVERY:
            self._asked = asked = self._ask()
        return asked.server + timedelta(seconds=time.monotonic() - asked.steady)

    def skew(self, machine: datetime) -> timedelta:
        """How far this machine's clock, which shows `machine` now, is ahead of the server's."""
        return machine - self.now()

    def _ask(self) -> _Asked:
        with self._database.read() as c:
            began = time.monotonic()
            server: datetime = c.execute(select(func.clock_timestamp())).scalar_one()
            ended = time.monotonic()
        return _Asked(server.astimezone(UTC), (began + ended) / 2)


def clock_of(database: Database) -> Clock:
    """The clock of a store that lives in real time."""
    return SystemClock() if database.is_sqlite else ServerClock(database)
