"""Until when a request is answered: what the policy promises in working days, and what law allows at most."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lifecycle.policy.calendars import Calendars, is_newer, newest, nth_after, nth_before, oldest, rests_between
from lifecycle.policy.model import Policy
from lifecycle.policy.packs import MONTHS, Force, Number, Pack, Topic, Unit, known_packs
from lifecycle.policy.periods import Period, start_of
from lifecycle.policy.remembered_days import AsRecorded, Remembered
from lifecycle.policy.vocabulary import RequestKind

EXTENSION = "extension"
ONE_DAY = timedelta(days=1)

Counts = Literal["working-days", "days", "months", "date"]


class Deadline(BaseModel):
    """One limit, frozen with everything that it was counted by, so that it is the same after the calendar has changed.

    Units: `number` units after the day `counted_from`, in the policy's time zone; `due_on` is the last day, included,
    and `due` the start of the next. `warn` is from when on few working days are left. `skipped` are the days after
    `counted_from` and up to `due_on` that `calendar` does not work. `provisional`: they reach beyond the year that was
    officially published. `rule` says whose limit it is: the policy's, a law's ("EU.response"), or an extension's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    rule: str
    unit: Counts
    number: int
    counted_from: date
    due_on: date
    due: datetime
    warn: datetime
    calendar: str
    version: str
    published_to: int
    skipped: tuple[date, ...] = ()
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """Counts deadlines under one policy by given calendars."""

    policy: Policy
    calendars: Calendars

    def limits(self, asks: RequestKind, received_on: date) -> tuple[Deadline, ...]:
        """Every limit on the answer to a request of that day; the first is the one that binds, the policy's on a tie.

        Law can only shorten what the policy promises. Guidance of an authority does not bind: `policy check` warns.
        """
        promised = self.policy.response_times.days_for(asks)
        ours = self.counted(f"policy@{self.policy.version}", "working-days", promised, received_on)
        return in_order((ours, *self._of_law(received_on)))

    def _of_law(self, received_on: date) -> Iterator[Deadline]:
        for pack, name, number in _binding(self.policy, Topic.RESPONSE):
            unit, count = _counted_in(number)
            calendar = pack.calendars[0] if number.unit is Unit.WORKING_DAYS and pack.calendars else None
            yield self.counted(f"{pack.jurisdiction}.{name}", unit, count, received_on, calendar)

    def counted(
        self, rule: str, unit: Counts, number: int, counted_from: date, calendar: str | None = None
    ) -> Deadline:
        by = self.calendars.of(calendar or self.policy.response_times.calendar)
        if unit == "working-days":
            due_on = nth_after(by, counted_from, number).day
        elif unit == "months":
            due_on = Period(months=number).last_day(counted_from)
        else:
            due_on = counted_from + timedelta(days=number)
        zone, warn = self.policy.time_zone, self.policy.response_times.warn_days
        return Deadline(
            rule=rule,
            unit=unit,
            number=number,
            counted_from=counted_from,
            due_on=due_on,
            due=start_of(due_on + ONE_DAY, zone),
            warn=start_of(max(nth_before(by, due_on, warn), counted_from) + ONE_DAY, zone),
            calendar=by.id,
            version=by.version,
            published_to=by.published_to,
            skipped=rests_between(by, counted_from, due_on),
            provisional=unit == "working-days" and due_on.year > by.published_to,
        )

    def resumed(self, limits: Iterable[Deadline], paused_on: date, resumed_on: date) -> tuple[Deadline, ...]:
        """What was left of each limit after the day of the pause, counted on from the day of going on.

        The day of the pause still counts, the day of going on does not: so a pause of no whole day moves nothing.
        """
        return in_order(self._resumed(limit, paused_on, resumed_on) for limit in limits)

    def _resumed(self, limit: Deadline, paused_on: date, resumed_on: date) -> Deadline:
        paused_on = max(paused_on, limit.counted_from)
        left = (limit.due_on - paused_on).days
        if resumed_on <= paused_on or left <= 0:
            return limit
        if limit.unit != "working-days":
            return self.counted(limit.rule, "days", left, resumed_on, limit.calendar)
        worked = left - sum(paused_on < day <= limit.due_on for day in limit.skipped)
        return self.counted(limit.rule, "working-days", worked, resumed_on, limit.calendar)

    def extended(self, until: date, today: date) -> Deadline:
        """A day that was promised to the person: no calendar moves it."""
        return self.counted(EXTENSION, "date", (until - today).days, today)

    def is_outdated(self, limit: Deadline) -> bool:
        """Whether a provisional day should be counted again, because the calendar knows more than it did then."""
        return limit.provisional and is_newer(self.calendars.of(limit.calendar).version, limit.version)

    def recounted(self, limits: Iterable[Deadline]) -> tuple[Deadline, ...]:
        """Provisional days by the calendar as it is now; those that were certain stay where they are."""
        return in_order(
            self.counted(limit.rule, limit.unit, limit.number, limit.counted_from, limit.calendar)
            if self.is_outdated(limit)
            else limit
            for limit in limits
        )

    def latest_extension(self, received_on: date, due_on: date, rested: int) -> date | None:
        """The last day that an extension may reach: by law after the receipt, by the policy after the first due day;
        None if neither says. `rested` are the days for which the clock stood."""
        ends = [_by_law(self.policy, pack, number, received_on) for pack, _, number in self._extensions()]
        last = [end + timedelta(days=rested) for end in ends]
        if (further := self.policy.response_times.extension_days) is not None:
            last.append(nth_after(self.calendars.of(self.policy.response_times.calendar), due_on, further).day)
        return min(last, default=None)

    def _extensions(self) -> Iterator[tuple[Pack, str, Number]]:
        return _binding(self.policy, Topic.EXTENSION)


def in_order(limits: Iterable[Deadline]) -> tuple[Deadline, ...]:
    """The earliest first; it binds."""
    return tuple(sorted(limits, key=lambda limit: limit.due))


def as_recorded(written: Iterable[Deadline], known: Iterable[Deadline]) -> AsRecorded:
    """The calendars as the deadlines remember them that were written then, or else those that were known: by these
    nothing was counted anew, so they are taken for as old as the oldest."""
    fresh, before = list(written), list(known)
    choose = newest if fresh else oldest
    versions: dict[str, list[str]] = {}
    for limit in fresh or before:
        versions.setdefault(limit.calendar, []).append(limit.version)
    return AsRecorded(
        remembered=tuple(_remembered(limit) for limit in fresh or before),
        by={id: choose(each) for id, each in versions.items()},
    )


def _remembered(limit: Deadline) -> Remembered:
    days = (limit.counted_from, limit.due_on, frozenset(limit.skipped))
    return Remembered(limit.calendar, limit.version, limit.published_to, *days)


def _binding(policy: Policy, topic: Topic) -> Iterator[tuple[Pack, str, Number]]:
    """Numbers of the policy's jurisdictions that a court would apply."""
    for code in policy.jurisdictions:
        pack = known_packs()[code]
        for name, number in pack.about(topic).items():
            if number.force is Force.LAW:
                yield pack, name, number


def _counted_in(number: Number) -> tuple[Counts, int]:
    if number.unit is Unit.WORKING_DAYS:
        return "working-days", number.value
    if number.unit is Unit.DAYS:
        return "days", number.value
    return "months", number.value * MONTHS[number.unit]


def _by_law(policy: Policy, pack: Pack, number: Number, received_on: date) -> date:
    """`number` further to what the same law gives for an answer: GDPR Art. 12(3), one month and two further."""
    first = [each.period() for each in pack.about(Topic.RESPONSE).values() if each.unit is not Unit.WORKING_DAYS]
    further = number.period()
    months = sum(period.months or 0 for period in (*first[:1], further))
    days = sum(period.days or 0 for period in (*first[:1], further))
    day = Period(months=months).last_day(received_on) if months else received_on
    return day + timedelta(days=days)
