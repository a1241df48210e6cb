"""An oracle for `audit lawful` and `audit why`: the rules of the policy's text told once more, naively, for a test.

It knows nothing of the engine: a list of facts, told again from the first for every question, and time that is walked
through instant by instant. Its numbers are written here as the portfolio's policy says them.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
NEVER = datetime(9999, 1, 1, tzinfo=ZONE)

# purpose → (days, months, counted from the last activity?); neither days nor months: until somebody ends it
KEPT = {
    "free-trial": (15, 0, True),
    "quotation": (0, 1, True),
    "customer-service": (40, 0, False),
    "account-login": (0, 0, False),
    "recommended-customers": (20, 0, False),
    "minors": (0, 0, False),
}
MINIMUM = {("account-login", "contract"): (30, 0), ("quotation", "contract"): (0, 2), ("free-trial", "consent"): (7, 0)}
CONSENT_LASTS = {"recommended-customers": 10}
RESTS = 12  # days after the last event


@lru_cache(maxsize=100_000)
def over(counted_from: datetime, days: int, months: int) -> datetime:
    """The start of the day after the last day of a period."""
    first = counted_from.astimezone(ZONE).date()
    if months:
        year, month = divmod(first.month - 1 + months, 12)
        year, month = first.year + year, month + 1
        last = date(year, month, min(first.day, monthrange(year, month)[1]))
    else:
        last = first + timedelta(days=days)
    return midnight(last + timedelta(days=1))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE)


@dataclass(frozen=True)
class Fact:
    """What somebody said happened `at`, and when it was recorded. `what` is one of the words in `Story.tell`."""

    what: str
    at: datetime
    recorded: datetime
    purposes: tuple[str, ...] = ()
    basis: str = ""
    items: tuple[tuple[str, str], ...] = ()  # category, value
    categories: tuple[str, ...] = ()
    ground: str = ""  # of a deletion: 7.3a to 7.3e; of an end of a purpose: its reason
    hold: str = ""
    until: datetime | None = None
    law: bool = False
    separate: bool = False  # of a consent


# Of the version that may come: what it shortens, which bases and categories of a purpose it no longer names.
SHORTENED = {"free-trial": (5, 0, True), "customer-service": (10, 0, False)}
WITHOUT_BASIS = ("quotation", "consent")
WITHOUT_CATEGORY = ("customer-service", "name")


@dataclass
class Ground:
    purpose: str
    basis: str
    begun: datetime
    collected: list[datetime]
    used: list[datetime]
    ended: datetime = NEVER  # by somebody
    told: bool = False  # that it is over
    revised: datetime = NEVER  # from when on the version that comes counts for it
    dropped: bool = False  # which does not name it any more

    def end(self) -> datetime:
        found = [self.unrevised()]
        if self.revised < NEVER and self.dropped:
            found.append(self.revised)
        if self.revised < NEVER and self.purpose in SHORTENED:
            found.append(max(self.revised, self._over(*SHORTENED[self.purpose])))
        return min(found)

    def unrevised(self) -> datetime:
        days, months, by_activity = KEPT[self.purpose]
        return min(self.ended, self._over(days, months, by_activity)) if days or months else self.ended

    def _over(self, days: int, months: int, by_activity: bool) -> datetime:
        return over(max(self.used if by_activity else self.collected), days, months)


@dataclass
class Span:
    since: datetime
    until: datetime = NEVER
    categories: tuple[str, ...] = ()
    name: str = ""
    law: bool = False
    told: bool = False  # that it is over

    def at(self, when: datetime) -> bool:
        return self.since <= when < self.until


@dataclass
class Item:
    category: str
    value: str
    grounds: list[Ground] = field(default_factory=list)
    restricted: list[Span] = field(default_factory=list)
    erased: datetime = NEVER

    def since(self) -> datetime:
        return min(ground.begun for ground in self.grounds)


@dataclass
class Consent:
    purpose: str
    given: datetime
    over: datetime = NEVER  # taken back, or over with its purpose
    lapses: datetime = NEVER
    told: bool = False  # that it lapsed
    separate: bool = False


class Story:
    """Everything that was recorded, in that order. A sweep is a fact, too: what is over goes only when somebody looks."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.consents: list[Consent] = []
        self.holds: list[Span] = []
        self.activity: dict[str, datetime] = {}
        self.last = NEVER
        self.gone = NEVER
        self.revision = NEVER  # when a version comes that changes what is held

    def comes(self, revision: datetime) -> None:
        """A version was published, and the person told: from then on it counts for what was collected before."""
        self.revision = revision
        for item in self._here():
            for ground in item.grounds:
                if ground.basis != "legal-duty":
                    ground.revised = revision
                    ground.dropped = (ground.purpose, ground.basis) == WITHOUT_BASIS
                    ground.dropped = ground.dropped or (ground.purpose, item.category) == WITHOUT_CATEGORY

    def _take_effect(self, at: datetime) -> bool:
        """Says whether it changed anything for what is not over by then anyway."""
        if self.revision > at:
            return False
        self.revision = NEVER
        happened = False
        for consent in self.consents:
            if consent.purpose == WITHOUT_BASIS[0] and consent.over == NEVER and not consent.told:
                consent.over, happened = max(at, consent.given), True
        open_ones = [g for item in self._here() for g in item.grounds if not g.told and g.unrevised() > at]
        concerned = [g for g in open_ones if g.revised < NEVER and (g.dropped or g.purpose in SHORTENED)]
        return happened or bool(concerned)

    def tell(self, fact: Fact) -> None:
        if fact.what == "awake":
            for instant in self._instants(fact.at, fact.recorded):
                self.sweep(instant)
            return
        if fact.what == "sweep":
            self.sweep(fact.recorded)
            return
        self.last = fact.recorded
        {
            "consent": self._consent,
            "collect": self._collect,
            "use": self._use,
            "withdraw": self._withdraw,
            "end-purpose": self._end_purpose,
            "erase": self._erase,
            "hold": self._hold,
            "release": self._release,
            "restrict": self._restrict,
            "lift": self._lift,
            "correct": self._correct,
            "birth-date": self._birth_date,
            "notice": lambda fact: None,
        }[fact.what](fact)

    def _here(self, category: str = "") -> list[Item]:
        return [item for item in self.items.values() if item.erased == NEVER and category in ("", item.category)]

    # -- what is said -------------------------------------------------------------------------------------------

    def _consent(self, fact: Fact) -> None:
        for purpose in fact.purposes:
            lasts = CONSENT_LASTS.get(purpose)
            lapses = over(fact.at, lasts, 0) if lasts else NEVER
            self.consents.append(Consent(purpose, fact.at, lapses=lapses, separate=fact.separate))

    def _collect(self, fact: Fact) -> None:
        (purpose,) = fact.purposes
        living = [ground for item in self._here() for ground in item.grounds if fact.recorded < ground.end()]
        for category, value in fact.items:
            self._add(fact, purpose, category, value)
        self._used(purpose, fact, living)

    def _add(self, fact: Fact, purpose: str, category: str, value: str) -> None:
        """An equal value with a live ground is the same item; the same purpose and basis renew that ground."""
        equal = [item for item in self._here(category) if item.value == value and self._can_compare(item)]
        living = [item for item in equal if any(fact.recorded < ground.end() for ground in item.grounds)]
        if not living:
            number = sum(item.category == category for item in self.items.values()) + 1
            living = [self.items.setdefault(f"{category}-{number}", Item(category, value))]
        item = living[0]
        for ground in item.grounds:
            if (ground.purpose, ground.basis) == (purpose, fact.basis) and fact.recorded < ground.end():
                ground.collected.append(fact.at)
                return
        known = self.activity.get(purpose, fact.at)
        item.grounds.append(Ground(purpose, fact.basis, fact.at, [fact.at], [fact.at, known]))

    def _can_compare(self, item: Item) -> bool:
        """The decisions alone are told every value."""
        return True

    def _use(self, fact: Fact) -> None:
        living = [ground for item in self._here() for ground in item.grounds if fact.recorded < ground.end()]
        self._used(fact.purposes[0], fact, living)

    def _used(self, purpose: str, fact: Fact, living: list[Ground]) -> None:
        """One last activity a purpose; what was over when it was told does not come back."""
        self.activity[purpose] = max(fact.at, self.activity.get(purpose, fact.at))
        for ground in living:
            if ground.purpose == purpose:
                ground.used.append(fact.at)

    def _withdraw(self, fact: Fact) -> None:
        self._take_back(fact, fact.purposes)
        self._settle(fact.recorded)

    def _take_back(self, fact: Fact, purposes: tuple[str, ...]) -> None:
        """What was agreed to before that day is over from that day on, and what stands on it; not what was agreed to
        since, and what stands on that."""
        for consent in self.consents:
            if consent.over == NEVER and consent.purpose in purposes and consent.given <= fact.at and not consent.told:
                consent.over = fact.at
        for ground in self._open(fact.recorded):
            if ground.basis == "consent" and ground.purpose in purposes:
                since = [c for c in self.consents if c.purpose == ground.purpose and c.over == NEVER]
                if not any(fact.at < c.given <= max(ground.collected) for c in since):
                    ground.ended = max(fact.at, ground.begun)

    def _open(self, recorded: datetime, category: str = "") -> list[Ground]:
        """Grounds that an act told now can still end."""
        return [ground for item in self._here(category) for ground in item.grounds if recorded < ground.end()]

    def _end_purpose(self, fact: Fact) -> None:
        (purpose,) = fact.purposes
        by_contract = fact.ground == "contract-ended"

        def meant(ground: Ground) -> bool:
            basis = ground.basis == "contract" if by_contract else ground.basis != "legal-duty"
            return ground.purpose == purpose and basis and not ground.told

        ending = [ground for item in self._here() for ground in item.grounds if meant(ground)]
        for ground in self._open(fact.recorded):
            if meant(ground):
                ground.ended = max(fact.at, ground.begun)
        if not by_contract:
            self._consents_over(fact, (purpose,))
        if ending:  # who ends nothing carries nothing out: what is overdue is the sweep's
            self._settle(fact.recorded)

    def _consents_over(self, fact: Fact, purposes: tuple[str, ...]) -> None:
        for consent in self.consents:
            if consent.over == NEVER and not consent.told and (not purposes or consent.purpose in purposes):
                consent.over = max(fact.at, consent.given)

    def _erase(self, fact: Fact) -> None:
        if fact.ground == "7.3c" and not fact.categories:
            open_ = tuple(c.purpose for c in self.consents if c.over == NEVER and not c.told)
            self._take_back(fact, tuple(p for p in open_ if not fact.purposes or p in fact.purposes))
        elif not fact.categories:
            self._consents_over(fact, fact.purposes)
        for category in fact.categories or ("",):
            for ground in self._open(fact.recorded, category):
                meant = not fact.purposes or ground.purpose in fact.purposes
                if meant and ground.basis != "legal-duty" and (fact.ground != "7.3c" or ground.basis == "consent"):
                    ground.ended = max(fact.at, ground.begun)
        whole = not fact.categories and not fact.purposes and fact.ground != "7.3a"
        self._settle(fact.recorded, whole=whole)

    def _hold(self, fact: Fact) -> None:
        self.holds.append(Span(fact.at, categories=fact.categories, name=fact.hold))
        self._settle(fact.recorded)

    def _release(self, fact: Fact) -> None:
        for hold in self.holds:
            if hold.name == fact.hold and hold.until == NEVER:
                hold.until = max(fact.at, hold.since)
        self._settle(fact.recorded)

    def _restrict(self, fact: Fact) -> None:
        for item in self._here():
            if item.category in fact.categories:
                item.restricted.append(Span(fact.at, fact.until or NEVER, law=fact.law))

    def _lift(self, fact: Fact) -> None:
        for item in self._here():
            if item.category in fact.categories and any(span.at(fact.recorded) for span in item.restricted):
                for span in item.restricted:
                    if fact.at < span.until:
                        span.until, span.told = max(fact.at, span.since), True
        self._settle(fact.recorded)

    def _correct(self, fact: Fact) -> None:
        """Under a hold the value stays as it is."""
        ((name, value),) = fact.items
        item = self.items[name]
        if not self._held(item, fact.recorded):
            item.value = value

    def _birth_date(self, fact: Fact) -> None:
        ground = Ground("minors", "legal-duty", fact.at, [fact.at], [fact.at])
        ((category, value),) = fact.items
        number = sum(item.category == category for item in self.items.values()) + 1
        self.items[f"{category}-{number}"] = Item(category, value, [ground])

    # -- what follows -------------------------------------------------------------------------------------------

    def _held(self, item: Item, at: datetime) -> bool:
        return any(hold.at(at) and (not hold.categories or item.category in hold.categories) for hold in self.holds)

    def kept(self, item: Item, at: datetime) -> bool:
        """Whether law or a hold forbids to erase it at `at`, its grounds being over."""
        return bool(self.titles(item, at))

    def titles(self, item: Item, at: datetime) -> set[str]:
        """What forbids that."""
        minimum = any(
            at < over(self._end(ground, at), *MINIMUM[ground.purpose, ground.basis])
            for ground in item.grounds
            if (ground.purpose, ground.basis) in MINIMUM and ground.begun <= at and self._end(ground, at) < NEVER
        )
        by_law = any(span.law and span.at(at) for span in item.restricted)
        named = {"statutory-minimum": minimum, "restricted-by-law": by_law, "legal-hold": self._held(item, at)}
        return {title for title, holds in named.items() if holds}

    def _end(self, ground: Ground, at: datetime) -> datetime:
        return ground.end()

    def _settle(self, recorded: datetime, whole: bool = False) -> bool:
        """Tell what is over, and erase what nothing carries and nothing keeps. Says whether there was anything."""
        happened = self._tell_over(recorded)
        for item in self._here():
            if not any(recorded < ground.end() for ground in item.grounds) and not self.kept(item, recorded):
                item.erased = recorded
                happened = True
        if whole and self._nothing_stays(recorded):
            self._go(recorded)
        if happened:
            self.last = recorded
        return happened

    def _tell_over(self, recorded: datetime) -> bool:
        happened = False
        for item in self._here():
            for ground in item.grounds:
                if not ground.told and ground.end() <= recorded:
                    ground.told = happened = True
        return happened

    def _nothing_stays(self, at: datetime) -> bool:
        """A birth date stays only for what else needs it."""
        staying = [item for item in self._here() if not self._only_tells_age(item) or self.kept(item, at)]
        agreed = any(c.given <= at < min(c.over, c.lapses) for c in self.consents)
        return not staying and not agreed and not any(hold.at(at) for hold in self.holds)

    def _only_tells_age(self, item: Item) -> bool:
        others = [ground for ground in item.grounds if ground.purpose != "minors"]
        return self._tells_age(item) and all(ground.told for ground in others)

    def _tells_age(self, item: Item) -> bool:
        return any(ground.purpose == "minors" for ground in item.grounds)

    def _go(self, at: datetime) -> None:
        self.gone = at
        for item in self._here():
            item.erased = at

    def sweep(self, at: datetime) -> None:
        if self.gone < NEVER or self.last == NEVER:
            return
        happened = False
        for consent in self.consents:
            if consent.over == NEVER and not consent.told and consent.lapses <= at:
                consent.told = happened = True
        happened = self._take_effect(at) or happened
        happened = self._tell_over(at) or happened
        for item in self._here():
            in_use = any(not ground.told for ground in item.grounds)
            for span in item.restricted:
                if in_use and not span.told and span.until <= at and not self._tells_age(item):
                    span.told = happened = True
        happened = self._settle(at) or happened
        if happened:
            self.last = at
        elif self._nothing_stays(at) and over(self.last, RESTS, 0) <= at:
            self._go(at)

    def _instants(self, begin: datetime, end: datetime) -> list[datetime]:
        """Everything that time brings it brings at midnight, or when a restriction ends that somebody gave an end."""
        day, found = begin.astimezone(ZONE).date(), {begin, end}
        while (start := midnight(day)) <= end:
            found.add(start)
            day += timedelta(days=1)
        found.update(span.until for item in self.items.values() for span in item.restricted)
        return sorted(instant for instant in found if begin <= instant <= end)

    # -- what is asked ------------------------------------------------------------------------------------------

    def verdict(self, name: str, at: datetime) -> str:
        item = self.items.get(name)
        if item is None or at < item.since() or item.erased <= at:
            return "not-held"
        true = _Truly(self)
        live = [ground for ground in item.grounds if ground.begun <= at < true._end(ground, at)]
        if live and not any(span.at(at) for span in item.restricted):
            return "lawful"
        return "storage-only" if live or true.kept(item, at) else "unlawful"


class _Truly(Story):
    """The same, but a ground on consent ends where its consent was taken back, whatever had ended it before that was
    told."""

    def __init__(self, story: Story) -> None:
        self.__dict__ = story.__dict__

    def _end(self, ground: Ground, at: datetime) -> datetime:
        given = [
            consent
            for consent in self.consents
            if consent.purpose == ground.purpose and consent.given <= min(at, max(ground.collected))
        ]
        if ground.basis != "consent" or not all(consent.over <= at for consent in given):
            return ground.end()
        return min(ground.end(), max([ground.begun, *(consent.over for consent in given)]))


class Reader:
    """Tells the facts in the order of their recording, as far as one asks; never back."""

    def __init__(self, facts: list[Fact]) -> None:
        self._left = list(facts)
        self.story = Story()

    def up_to(self, until: datetime = NEVER) -> Story:
        while self._left and self._left[0].recorded <= until:
            self.story.tell(self._left.pop(0))
        if self._left and self._left[0].what == "awake" and self._left[0].at <= until:
            night = self._left[0]
            self.story.tell(Fact("awake", night.at, until))
            self._left[0] = Fact("awake", until, night.recorded)
        return self.story


def deletions(
    facts: list[Fact], now: datetime, horizon: timedelta, revision: datetime = NEVER
) -> tuple[dict[str, datetime], datetime]:
    """If nothing further is said: when each item goes that is still here, and when the person does. `revision` is when
    another version comes into force for them."""
    story = Reader(facts).up_to()
    story.comes(revision)
    here = [name for name, item in story.items.items() if item.erased == NEVER]
    story.tell(Fact("awake", now, now + horizon))
    return {name: story.items[name].erased for name in here}, story.gone
