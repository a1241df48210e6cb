"""An oracle for `audit lawful` about single acts: what the policy's text asks of a reading, a share, a transfer.

It asks the story (`oracle.py`) about items, and knows agreements and notices as plain dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from audit.oracle import Item, Story, _Truly

ZONE = ZoneInfo("Europe/Berlin")
MAY_READ = {"service", "officer"}
GIVEN_TO = {"udesk": {"free-trial", "quotation", "customer-service"}}
WAYS = {"api", "file-export", "embedded-widget"}
READABLE = {"free-trial", "quotation", "customer-service", "account-login", "recommended-customers", "website-browsing"}


@dataclass(frozen=True)
class Agreement:
    purpose: str
    method: str
    categories: frozenset[str]
    signed: datetime
    first: date
    last: date
    ended: datetime | None

    def holds(self, at: datetime) -> bool:
        day = at.astimezone(ZONE).date()
        return self.signed <= at and self.first <= day <= self.last and (self.ended is None or at < self.ended)


def may_use(story: Story, name: str, at: datetime, purpose: str) -> bool:
    """Held, not stored only, and for this purpose."""
    if story.verdict(name, at) != "lawful":
        return False
    truly, item = _Truly(story), story.items[name]
    return any(g.purpose == purpose and g.begun <= at < truly._end(g, at) for g in item.grounds)


def may_read(story: Story, names: list[str], at: datetime, purpose: str, role: str) -> bool:
    return purpose in READABLE and role in MAY_READ and all(may_use(story, name, at, purpose) for name in names)


def may_share(story: Story, names: list[str], at: datetime, purpose: str, method: str, agreement: Agreement) -> bool:
    covered = agreement.holds(at) and (agreement.purpose, agreement.method) == (purpose, method)
    declared = purpose in GIVEN_TO["udesk"] and method in WAYS
    known = {item.category for name in names if (item := _item(story, name)) is not None}
    return (
        covered
        and declared
        and known <= agreement.categories
        and all(may_use(story, name, at, purpose) for name in names)
    )


def _item(story: Story, name: str) -> Item | None:
    return story.items.get(name)


def may_go(story: Story, name: str, at: datetime) -> bool:
    """What is stored only goes with the rest; what is held without a reason, or is held no more, does not."""
    return story.verdict(name, at) in ("lawful", "storage-only")
