"""The working days of countries, by a library, by what packs say is announced, and by what an operator knows better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path

from lifecycle.policy.calendars import LONGEST_REST, CalendarFaulty, NoSuchCalendar
from lifecycle.policy.own_days import OwnDays, OwnFile, parse_own_file, read_own_file
from lifecycle.policy.packs import known_packs


@cache
def _rests(country: str, year: int) -> frozenset[date]:
    """The days of a year that a country does not work, weekends that are worked instead left out."""
    import holidays  # noqa: PLC0415 -- it takes a while, and most commands count no days

    known = holidays.country_holidays(country, years=year)
    first = date(year, 1, 1)
    days = (first + timedelta(days=passed) for passed in range(366))
    return frozenset(day for day in days if day.year == year and not known.is_working_day(day))


@cache
def library_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return version("holidays")


@cache
def published() -> Mapping[str, int]:
    """Calendar → the last year that its government has announced, by the packs."""
    return {id: each.year for pack in known_packs().values() for id, each in pack.published.items()}


@dataclass(frozen=True)
class CountryCalendar:
    """A country's working days, with what an operator adds."""

    id: str
    own: OwnDays | None = None
    edition: str = ""  # the operator's, with a digest of the file

    @property
    def version(self) -> str:
        return f"{library_version()}{self.edition}"

    @cached_property
    def published_to(self) -> int:
        own = self.own.published_to if self.own is not None else None
        return max(published()[self.id], own or 0)

    def is_worked(self, day: date) -> bool:
        if self.own is not None and (day in self.own.worked_days or day in self.own.closed_days):
            return day in self.own.worked_days
        return day not in _rests(self.id, day.year)


class OfCountries:
    """The calendars that the packs name, as the library has them and the operator's file changes them."""

    def __init__(self, own: OwnFile | None = None) -> None:
        self._own = own.days if own is not None else {}
        self._edition = f"+{own.edition}.{own.digest}" if own is not None else ""
        self._made: dict[str, CountryCalendar] = {}
        for id in self._own:
            _refuse_long_rests(self.of(id))

    def of(self, id: str) -> CountryCalendar:
        if id not in published():
            raise NoSuchCalendar(id)
        if id not in self._made:
            self._made[id] = CountryCalendar(id, self._own.get(id), self._edition)
        return self._made[id]


STANDARD = OfCountries()


def parse_own_days(text: str) -> OfCountries:
    """The calendars with an operator's file. Errors: CalendarFaulty, NoSuchCalendar."""
    own = parse_own_file(text)
    unknown = sorted(set(own.days) - set(published()))
    if unknown:
        raise NoSuchCalendar(unknown[0])
    return OfCountries(own)


def load_calendars(path: str | Path | None) -> OfCountries:
    """By the operator's file, or as they stand if there is none."""
    return STANDARD if path is None else parse_own_days(read_own_file(path))


def _refuse_long_rests(calendar: CountryCalendar) -> None:
    own = calendar.own
    for day in sorted(own.closed_days) if own is not None else ():
        if not any(calendar.is_worked(day + timedelta(days=passed)) for passed in range(LONGEST_REST + 1)):
            raise CalendarFaulty(f"The calendar {calendar.id} would have no working day for a month from {day} on.")
