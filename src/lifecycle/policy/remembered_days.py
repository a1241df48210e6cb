"""Calendars as recorded deadlines remember them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from lifecycle.policy.calendars import Calendars, WorkingDays, rank
from lifecycle.policy.countries import STANDARD


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a recorded deadline says of the days from `after` to `through`, by one version of one calendar."""

    calendar: str
    version: str
    published_to: int
    after: date
    through: date
    skipped: frozenset[date]


@dataclass(frozen=True, slots=True)
class AsRecorded:
    """Calendars as recorded deadlines remember them, for judging again what was counted by a calendar that is not
    here any more. What they do not remember is taken from `otherwise`; `by` says which version each calendar is."""

    remembered: tuple[Remembered, ...] = ()
    by: Mapping[str, str] = field(default_factory=dict)
    otherwise: Calendars = STANDARD

    def of(self, id: str) -> RecordedCalendar:
        known = [each for each in self.remembered if each.calendar == id]
        known.sort(key=lambda each: rank(each.version), reverse=True)
        return RecordedCalendar(self.by.get(id, ""), tuple(known), self.otherwise.of(id))


@dataclass(frozen=True, slots=True)
class RecordedCalendar:
    version: str
    remembered: tuple[Remembered, ...]  # the newest first: it is what was counted by
    otherwise: WorkingDays

    @property
    def id(self) -> str:
        return self.otherwise.id

    @property
    def published_to(self) -> int:
        return next((each.published_to for each in self.remembered), self.otherwise.published_to)

    def is_worked(self, day: date) -> bool:
        for each in self.remembered:
            if each.after < day <= each.through:
                return day not in each.skipped
        return self.otherwise.is_worked(day)
