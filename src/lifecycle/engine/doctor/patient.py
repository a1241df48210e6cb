"""What the checks look at, and how they say that something is late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from lifecycle.engine.doctor.finding import Finding, Level, Limits
from lifecycle.settings import Settings
from lifecycle.storage import facts, simulated
from lifecycle.storage.database import Database
from lifecycle.storage.server_clock import ServerClock


@dataclass(frozen=True)
class Patient:
    """`machine_time` is this machine's clock."""

    database: Database
    settings: Settings
    limits: Limits
    machine_time: datetime

    @cached_property
    def is_simulated(self) -> bool:
        with self.database.read() as c:
            return facts.is_simulated(c)

    @cached_property
    def now(self) -> datetime:
        """The time by which things fall due here: of a simulated store its own, on a server the server's."""
        if not self.is_simulated:
            return self.machine_time if self.database.is_sqlite else ServerClock(self.database).now()
        with self.database.read() as c:
            return simulated.stored_time(c)

    def late(self, check: str, since: datetime | None, what: str, remedy: str) -> Iterator[Finding]:
        """Something that should have been done at `since`; nothing if that is not long ago. In a simulated store time
        passes by commands alone, and what is due waits for the next."""
        if since is None or self.is_simulated:
            return
        level = self.limits.of_delay(self.now - since)
        if level is not Level.OK:
            yield Finding(check, level, what, since, remedy)
