"""What time brings to trustees and other open records: what is due is asked of each, by a command of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from lifecycle.commands.document import Actor, Command
from lifecycle.commands.falling_due import FallDue
from lifecycle.commands.outcome import Outcome
from lifecycle.domain.open_records import Named
from lifecycle.policy.vocabulary import Role
from lifecycle.projections.open_calendar import OpenFalling, open_due
from lifecycle.schedule.sweep import CalendarStands
from lifecycle.storage.database import Database

TOGETHER = 500
ENGINE = Actor(id="engine", role=Role.SYSTEM)


class SweepOpenRecords:
    """`execute` decides and appends; `follow` brings the calendar up to date."""

    def __init__(
        self, database: Database, execute: Callable[[Sequence[Command]], list[Outcome]], follow: Callable[[], None]
    ) -> None:
        self._database = database
        self._execute = execute
        self._follow = follow

    def due(self, now: datetime, limit: int = TOGETHER) -> list[OpenFalling]:
        """What a sweep at `now` would act on: the selector of the real run. It follows nobody: whoever asks has."""
        with self._database.read() as c:
            return open_due(c, now, limit)

    def __call__(self, now: datetime) -> int:
        """Carry out everything that is due by `now`; return how many records had something due."""
        asked: list[Named] = []
        before: set[Named] = set()
        while named := dict.fromkeys(falling.named for falling in self.due(now)):
            outcomes = self._execute([_ask(one) for one in named])
            self._follow()
            if set(named) == before and not any(outcome.outcome == "done" for outcome in outcomes):
                raise CalendarStands("The calendar of open records names some for which nothing is due.")
            before = set(named)
            asked += named
        return len(set(asked))


def _ask(named: Named) -> FallDue:
    return FallDue(id=secrets.token_hex(16), actor=ENGINE, of=named[0], name=named[1])
