"""What a check says, and by which limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """FAILED wants somebody now; WARNING becomes a failure if nobody looks."""

    OK = 0
    WARNING = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that one check found nothing: what, since when, what to do."""

    check: str
    level: Level
    what: str = ""
    since: datetime | None = None
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "level": self.level.name.lower(),
            "what": self.what or None,
            "since": None if self.since is None else self.since.isoformat(),
            "remedy": self.remedy or None,
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on it is told. Sizes in bytes."""

    late: timedelta = timedelta(minutes=2)  # what the worker does within a minute: a warning
    too_late: timedelta = timedelta(hours=1)  # the same: failed
    finality: timedelta = timedelta(hours=48)  # erasures wait for the end of an epoch, which comes once a day
    skew: timedelta = timedelta(seconds=5)  # between the database's clock and ours: a warning
    wrong_clock: timedelta = timedelta(minutes=1)  # the same: failed
    transaction: timedelta = timedelta(minutes=10)  # a transaction that is open for longer keeps what was deleted
    wal: int = 256 * 1024 * 1024
    too_much_wal: int = 4 * 1024 * 1024 * 1024

    def of_delay(self, delay: timedelta) -> Level:
        if delay > self.too_late:
            return Level.FAILED
        return Level.WARNING if delay > self.late else Level.OK
