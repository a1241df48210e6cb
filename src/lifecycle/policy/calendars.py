"""Which days are worked: the calendars of countries, and what an operator knows better about single days."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Protocol, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from lifecycle.errors import Invalid
from lifecycle.policy.packs import known_packs
from lifecycle.policy.scope import digest

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
    return _rank(version) > _rank(than)


def oldest(versions: Iterable[str]) -> str:
    return min(versions, key=_rank)


def newest(versions: Iterable[str]) -> str:
    return max(versions, key=_rank)


def _rank(version: str) -> tuple[int, tuple[int, ...]]:
    found = _VERSION.fullmatch(version)
    if found is None:
        return 0, ()
    return int(found["edition"] or 0), tuple(int(each) for each in found["library"].split(".") if each)


# -- the calendars of countries ---------------------------------------------------------------------------------------


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


# -- what an operator knows better ---------------------------------------------------------------------------------


def _named(days: Any) -> Any:
    """A day may stand alone, or in a table with the reason."""
    if not isinstance(days, list):
        return days
    return [{"day": each} if isinstance(each, date) else each for each in days]


class OwnDay(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    day: date
    reason: str | None = None


Days = Annotated[tuple[OwnDay, ...], BeforeValidator(_named, json_schema_input_type=list[date]), Field(strict=False)]


class OwnDays(BaseModel):
    """Of one calendar: days that are not worked after all, days that are, and a later year that has been announced."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closed: Days = ()
    worked: Days = ()
    published_to: Annotated[int, Field(ge=2000, le=2200, strict=True)] | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted(self.closed_days & self.worked_days)
        if both:
            raise ValueError(f"{both[0]} is said to be closed and to be worked")
        return self

    @cached_property
    def closed_days(self) -> frozenset[date]:
        return frozenset(each.day for each in self.closed)

    @cached_property
    def worked_days(self) -> frozenset[date]:
        return frozenset(each.day for each in self.worked)


class OwnFile(BaseModel):
    """`edition` counts up with every change, so that it can be told which of two files is the newer one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edition: Annotated[int, Field(gt=0, strict=True)]
    days: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], OwnDays]

    @property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json"))[:8]


def parse_own_days(text: str) -> OfCountries:
    """The calendars with an operator's file. Errors: CalendarFaulty, which says what is wrong with it."""
    try:
        raw = tomllib.loads(text)
        edition = raw.pop("edition", None)
        own = OwnFile.model_validate({"edition": edition, "days": raw})
    except tomllib.TOMLDecodeError as wrong:
        raise CalendarFaulty(f"Not well-formed TOML, or a date that does not exist: {wrong}.") from None
    except ValidationError as wrong:
        raise CalendarFaulty("; ".join(_faults(wrong)) + ".") from None
    unknown = sorted(set(own.days) - set(published()))
    if unknown:
        raise NoSuchCalendar(unknown[0])
    return OfCountries(own)


def load_calendars(path: str | Path | None) -> OfCountries:
    """By the operator's file, or as they stand if there is none."""
    if path is None:
        return STANDARD
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise CalendarFaulty(f"The file cannot be read: {getattr(wrong, 'strerror', None) or 'not UTF-8'}.") from None
    return parse_own_days(text)


def _faults(wrong: ValidationError) -> Iterable[str]:
    for error in wrong.errors(include_url=False, include_input=False):
        place = ".".join(str(step) for step in error["loc"] if step != "days")
        yield f"{place or 'file'}: {error['msg'].removeprefix('Value error, ')}"


def _refuse_long_rests(calendar: CountryCalendar) -> None:
    own = calendar.own
    for day in sorted(own.closed_days) if own is not None else ():
        if not any(calendar.is_worked(day + timedelta(days=passed)) for passed in range(LONGEST_REST + 1)):
            raise CalendarFaulty(f"The calendar {calendar.id} would have no working day for a month from {day} on.")


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
        known.sort(key=lambda each: _rank(each.version), reverse=True)
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
