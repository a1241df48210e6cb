"""How long: periods in whole calendar days or months, counted in the policy's time zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.relativedelta import relativedelta
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lifecycle.policy.vocabulary import CountsFrom


def is_zone(name: str) -> bool:
    """Whether the IANA database knows this zone, by its name and not by that of a folder of variants (`right/…`).

    It is opened rather than looked for in a list: to list them all reads six hundred files.
    """
    if name == "posixrules" or name.startswith(("posix/", "right/")):
        return False
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return False
    return True


def day_of(instant: datetime, zone: str) -> date:
    """The calendar day of `instant` in `zone`, not UTC's: otherwise Shanghai would erase a day early."""
    return instant.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The first instant of `day` in `zone`, as UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def age_on(birth: date, day: date) -> int:
    """Completed years of life; who was born on 29 February is a year older on 1 March of a common year."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


class Period(BaseModel):
    """A length of time in days or in months, never both.

    Units: whole calendar days or months after the day counted from; the last day is included. A month that is too
    short ends on its last day (31 January + 1 month = 28 or 29 February).

    Errors: zero, negative or fractional numbers do not load. There is no "for ever".

    Source: policy clause 5; GDPR Art. 5(1)(e); PIPL Art. 19.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    days: int | None = Field(default=None, gt=0, le=36_600, strict=True)
    months: int | None = Field(default=None, gt=0, le=1_200, strict=True)

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if (self.days is None) == (self.months is None):
            raise ValueError("give either `days` or `months`")
        return self

    def last_day(self, counted_from: date) -> date:
        if self.days is not None:
            return counted_from + timedelta(days=self.days)
        return counted_from + relativedelta(months=self.months or 0)

    def due(self, counted_from: datetime, zone: str) -> datetime:
        """The instant at which the period is over: the start of the day after its last day, in `zone`."""
        return _due(self.days, self.months, counted_from, zone)

    def over_if_begun_before(self, now: datetime, zone: str) -> datetime:
        """The other way round: what began before this instant, and nothing else, has `due` at `now` or earlier."""
        today = day_of(now, zone)
        if self.days is not None:
            return start_of(today - timedelta(days=self.days), zone)
        day = today - relativedelta(months=self.months or 0)
        while self.last_day(day) < today:  # counted from the end of a short month
            day += timedelta(days=1)
        return start_of(day, zone)

    def __str__(self) -> str:
        return f"{self.days} days" if self.days is not None else f"{self.months} months"


@lru_cache(maxsize=4_096)
def _due(days: int | None, months: int | None, counted_from: datetime, zone: str) -> datetime:
    """Asked for several times an event, of the same instants."""
    return _due_of_day(days, months, day_of(counted_from, zone), zone)


@lru_cache(maxsize=4_096)
def _due_of_day(days: int | None, months: int | None, first: date, zone: str) -> datetime:
    """Alike for all that began on one day."""
    last = Period.model_construct(days=days, months=months).last_day(first)
    return start_of(last + timedelta(days=1), zone)


@cache
def _at_least(days: int | None, months: int | None) -> timedelta:
    """No period is over sooner: every month has 28 days, and no zone moves a day by as much as one."""
    return timedelta(days=(days if days is not None else 28 * (months or 0)) - 1)


class RetentionRule(BaseModel):
    """The rule by which a ground is kept, quoted into the event so that a later policy does not rewrite the past.

    Without a period (`period` is None) the ground lasts until its purpose or contract is ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str  # purpose and policy version, e.g. "free-trial@1.0"
    counts_from: CountsFrom
    period: Period | None
    zone: str

    def may_be_over(self, counted_from: datetime, at: datetime) -> bool:
        """Whether `due` can be at `at` or earlier; without a calendar, which takes ten times as long."""
        period = self.period
        return period is not None and counted_from + _at_least(period.days, period.months) <= at

    def not_over_before(self, counted_from: datetime) -> datetime | None:
        """An instant that `due` comes after, by the same reckoning."""
        period = self.period
        return None if period is None else counted_from + _at_least(period.days, period.months)

    def due(self, counted_from: datetime) -> datetime | None:
        period = self.period
        return None if period is None else _due(period.days, period.months, counted_from, self.zone)


class StatutoryMinimum(BaseModel):
    """How long law requires storage after a ground has ended, quoted into the event. Settled rule 23."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    law: str  # id of a law that the policy or a pack cites
    period: Period
    zone: str

    def until(self, ended: datetime) -> datetime:
        return self.period.due(ended, self.zone)
