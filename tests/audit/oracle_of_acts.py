"""An oracle for `audit lawful` about single acts: what the policy's text asks of a reading, a share, a provision, a
disclosure, a transfer, an opening of custody.

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
AGREED_WITH = {
    "free-trial": {"udesk", "job-board"},
    "quotation": {"udesk"},
    "customer-service": {"udesk"},
    "recommended-customers": set[str](),
}
AGREED_CATEGORIES = {
    "free-trial": {"name", "company", "phone", "email"},
    "quotation": {"name", "email", "birth-date"},
    "customer-service": {"name", "company", "phone", "email"},
    "recommended-customers": {"name", "company", "phone", "email"},
}
ALLOWED = {
    "free-trial": {"consent", "contract"},
    "quotation": {"consent", "contract"},
    "customer-service": {"consent", "contract", "legal-duty"},
    "account-login": {"contract"},
    "recommended-customers": {"consent"},
}
OPENS = {"custodian", "officer"}
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


def may_provide(
    story: Story, names: list[str], at: datetime, purpose: str, basis: str, recipient: str, method: str
) -> bool:
    """What law or an emergency asks for needs no foresight. On consent it is one that was given apart, and names whom, how
    and what."""
    foreseen = basis in ("consent", "contract")
    if foreseen and basis not in ALLOWED[purpose]:
        return False
    if foreseen and recipient == "job-board" and (purpose, method) != ("free-trial", "api"):
        return False
    if basis == "consent" and not _agreed(story, names, at, purpose, recipient, method):
        return False
    return all(may_use(story, name, at, purpose) for name in names)


def _agreed(story: Story, names: list[str], at: datetime, purpose: str, recipient: str, method: str) -> bool:
    if recipient not in AGREED_WITH[purpose] or method not in WAYS:
        return False
    if not {story.items[name].category for name in names if name in story.items} <= AGREED_CATEGORIES[purpose]:
        return False
    return any(c.separate and c.purpose == purpose and c.given <= at < min(c.over, c.lapses) for c in story.consents)


@dataclass(frozen=True)
class Instrument:
    issued: date
    expires: date | None
    categories: frozenset[str] | None
    collected_from: date | None
    collected_to: date | None
    stored_only: frozenset[str]  # what its law reaches

    def reaches(self, item: Item, at: datetime) -> bool:
        collected = item.since().astimezone(ZONE).date()
        if at.astimezone(ZONE).date() < self.issued or (self.expires or date.max) < at.astimezone(ZONE).date():
            return False
        if self.categories is not None and item.category not in self.categories:
            return False
        return (self.collected_from or date.min) <= collected <= (self.collected_to or date.max)


def may_disclose(story: Story, names: list[str], at: datetime, instrument: Instrument) -> bool:
    return all(
        story.verdict(name, at) in (("lawful", "storage-only") if name in instrument.stored_only else ("lawful",))
        and instrument.reaches(story.items[name], at)
        for name in names
    )


def may_open(story: Story, names: list[str], at: datetime, title: str, role: str) -> bool:
    """What somebody keeps, for what keeps it; of what is in use the person's own restriction is such a title, too."""
    return role in OPENS and all(
        story.verdict(name, at) in ("lawful", "storage-only") and title in _titles(story, name, at) for name in names
    )


def _titles(story: Story, name: str, at: datetime) -> set[str]:
    truly, item = _Truly(story), story.items[name]
    live = any(g.begun <= at < truly._end(g, at) for g in item.grounds)
    asked = live and any(span.at(at) and not span.law for span in item.restricted)
    return truly.titles(item, at) | ({"asked"} if asked else set())
