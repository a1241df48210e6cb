"""What a consent agreed to, as data, and whether a later version asks for more."""

import hashlib
import json
from datetime import date, timedelta
from functools import lru_cache

from dateutil.relativedelta import relativedelta
from pydantic import BaseModel, ConfigDict

from lifecycle.policy.periods import Period
from lifecycle.policy.vocabulary import CountsFrom

LEAP_CYCLE = timedelta(days=1_461)


@lru_cache(maxsize=256)
def _months_in_days(months: int) -> tuple[int, int]:
    """The fewest and the most days that so many calendar months can take."""
    first = date(2024, 1, 1)
    starts = (first + timedelta(days=passed) for passed in range(LEAP_CYCLE.days))
    lengths = [(start + relativedelta(months=months) - start).days for start in starts]
    return min(lengths), max(lengths)


def fewest_and_most_days(period: Period) -> tuple[int, int]:
    """How short and how long a period can turn out, in days."""
    return (period.days, period.days) if period.days is not None else _months_in_days(period.months or 0)


def is_longer(period: Period | None, other: Period | None) -> bool:
    """Whether `period` could last longer than `other`. None has no end of its own, so nothing is longer.

    Days against months: when it depends on the calendar, the answer is yes, so that a consent is rather asked again.
    """
    if period is None or other is None or period == other:
        return period is None and other is not None
    if (period.days is None) == (other.days is None):
        return (period.days or period.months or 0) > (other.days or other.months or 0)
    return fewest_and_most_days(period)[1] > fewest_and_most_days(other)[0]


class ConsentScope(BaseModel):
    """Which categories, for whom, by which methods and for how long. Settled rule 30; PIPL Art. 14."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    categories: tuple[str, ...]
    recipients: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    counts_from: CountsFrom
    period: Period | None  # None: while the contract lasts

    def is_wider_than(self, other: "ConsentScope") -> bool:
        """Whether this asks for anything to which `other` did not agree."""
        return (
            not set(self.categories) <= set(other.categories)
            or not set(self.recipients) <= set(other.recipients)
            or not set(self.methods) <= set(other.methods)
            or (self.counts_from is not other.counts_from and self.counts_from is CountsFrom.LAST_ACTIVITY)
            or is_longer(self.period, other.period)
        )

    def fingerprint(self) -> str:
        """SHA-256 in hex over what was agreed to."""
        return digest(self.model_dump(mode="json", exclude_none=True))


def digest(words: object) -> str:
    """SHA-256 in hex over canonical JSON."""
    text = json.dumps(words, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
