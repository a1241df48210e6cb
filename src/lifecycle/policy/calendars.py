"""Which days are worked: what a calendar is, and counting by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from lifecycle.errors import Invalid

LONGEST_REST = 31
"""Days: no country rests longer at a stretch; a calendar that does can answer no request in time."""

ONE_DAY = timedelta(days=1)
_VERSION = re.compile(r"(?P<library>[0-9.]*)(\+(?P<edition>[0-9]+)\.[0-9a-f]{8})?", re.ASCII)


class CalendarFaulty(Invalid):
    """A file of single days that cannot be used."""

    code = "calendar-faulty"
    remedy = "mend the file; its form is described in docs/requests.md"


class NoSuchCalendar(Invalid):
    code = "no-such-calendar"
    remedy = "use the calendar of a country that a pack names"

    def __init__(self, id: str) -> None:
        super().__init__(f"No working days are known for {id!r}.")


class WorkingDays(Protocol):
    """One calendar. `version` says by whose word; days after the year `published_to` are only expected."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def published_to(self) -> int: ...
    def is_worked(self, day: date) -> bool: ...


class Calendars(Protocol):
    """Gives a calendar by its id. Errors: NoSuchCalendar."""

    def of(self, id: str) -> WorkingDays: ...


# -- counting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """Where counting came to, and the days on the way that were not worked."""

    day: date
    skipped: tuple[date, ...]


def nth_after(calendar: WorkingDays, day: date, number: int) -> Counted:
    """The working day that is `number` after `day`; the day itself does not count, worked or not."""
    skipped: list[date] = []
    rested = 0
    while number:
        day += ONE_DAY
        if calendar.is_worked(day):
            number, rested = number - 1, 0
            continue
        skipped.append(day)
        rested += 1
        if rested > LONGEST_REST:
            raise CalendarFaulty(f"The calendar {calendar.id} has no working day for {LONGEST_REST} days.")
    return Counted(day, tuple(skipped))


def rests_between(calendar: WorkingDays, after: date, through: date) -> tuple[date, ...]:
    """The days after the one and up to the other that are not worked."""
    return tuple(day for day in _days(after, through) if not calendar.is_worked(day))


def worked_between(calendar: WorkingDays, after: date, through: date) -> int:
    """How many days after the one and up to the other are worked."""
    return sum(calendar.is_worked(day) for day in _days(after, through))


def nth_before(calendar: WorkingDays, day: date, number: int) -> date:
    """The latest day after which so many working days are left up to `day`."""
    while number > 0:
        number -= calendar.is_worked(day)
        day -= ONE_DAY
    return day


def _days(after: date, through: date) -> Iterator[date]:
    while after < through:
        after += ONE_DAY
        yield after


def is_newer(version: str, than: str) -> bool:
    """Whether the one calendar knows more than the other: the operator's edition counts first, then the library's
    number. So of two programs that disagree only one ever counts anew."""
    return rank(version) > rank(than)


def oldest(versions: Iterable[str]) -> str:
    return min(versions, key=rank)


def newest(versions: Iterable[str]) -> str:
    return max(versions, key=rank)


def rank(version: str) -> tuple[int, tuple[int, ...]]:
    """By which versions are compared."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return 0, ()
    return int(found["edition"] or 0), tuple(int(each) for each in found["library"].split(".") if each)
