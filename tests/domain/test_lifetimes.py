"""Any life at all, against an oracle that knows only the rules in plain words (settled rules 19-25, 28).

The oracle keeps its own books and never calls the domain: grounds with their starts and ends, holds, restrictions and
consents. After every act it is compared with the record, at that instant and at later ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scenario import (
    Act,
    Life,
    collecting_,
    consenting,
    ending_,
    erasing,
    holding_,
    lifting,
    releasing,
    restricting_,
    time_passing,
    using,
    withdrawing,
)

from examples import SEVERAL, SINGAPORE, days, sg
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.fold import fold
from lifecycle.domain.subject.settling import calendar, fall_due, next_instant
from lifecycle.domain.subject.state import Subject

MOMENT = timedelta(microseconds=1)
START = sg(2025, 3, 1, 9)
BASIS = {
    "free-trial": "consent",
    "recommended-customers": "consent",
    "quotation": "contract",
    "account-login": "contract",
    "customer-service": "legal-duty",
}
CONSENTED = ["free-trial", "recommended-customers"]
PERIOD = {"free-trial": 15, "recommended-customers": 20, "quotation": 10, "customer-service": 40, "account-login": None}
BY_ACTIVITY = {"free-trial", "quotation"}
MINIMUM = {"account-login": 30}
CATEGORIES = {
    "free-trial": ["name", "email"],
    "recommended-customers": ["name", "email"],
    "quotation": ["name", "email"],
    "account-login": ["name", "email"],
    "customer-service": ["name", "email"],
}
LATER = [timedelta(0), timedelta(hours=13), days(4), days(11), days(17), days(26), days(45)]

purposes = st.sampled_from(list(BASIS))
waits = st.sampled_from([0.0, 0.0, 0.02, 0.7, 1.0, 3.0, 8.5, 10.0, 14.6, 31.0])
backs = st.sampled_from([0.0, 0.0, 0.3, 2.0, 12.0])
some_categories = st.sampled_from([("email",), ("name",), ("name", "email")])


def midnight_after(instant: datetime, whole_days: int) -> datetime:
    """The start of the day that follows so many whole days after the day of `instant`, by Singapore's clock."""
    day = instant.astimezone(SINGAPORE).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=whole_days + 1)


@dataclass
class KnownGround:
    purpose: str
    since: datetime
    counted: datetime
    ended: datetime | None = None

    @property
    def end(self) -> datetime | None:
        period = PERIOD[self.purpose]
        due = None if period is None else midnight_after(self.counted, period)
        ends = [end for end in (due, self.ended) if end is not None]
        return min(ends, default=None)

    def is_live(self, at: datetime) -> bool:
        return self.since <= at and (self.end is None or at < self.end)

    def stop(self, at: datetime) -> None:
        """An end that came before stays."""
        if self.ended is None:
            self.ended = max(self.since, at if self.end is None else min(at, self.end))


@dataclass
class KnownRestriction:
    until: datetime | None
    by_law: bool


@dataclass
class KnownHolding:
    category: str
    value: str
    grounds: list[KnownGround] = field(default_factory=list)
    restrictions: list[KnownRestriction] = field(default_factory=list)
    erased: bool = False

    def live(self, at: datetime) -> set[str]:
        return set() if self.erased else {ground.purpose for ground in self.grounds if ground.is_live(at)}


@dataclass
class Oracle:
    holdings: dict[str, KnownHolding] = field(default_factory=dict)
    holds: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    consents: dict[str, datetime] = field(default_factory=dict)
    activity: dict[str, datetime] = field(default_factory=dict)

    def kept(self, holding: KnownHolding, at: datetime) -> bool:
        """Whether law or a hold keeps a holding without a ground."""
        by_law = any(one.by_law and (one.until is None or at < one.until) for one in holding.restrictions)
        on_hold = any(not some or holding.category in some for placed in self.holds.values() for some in placed)
        minimums = [
            midnight_after(ground.end, MINIMUM[ground.purpose])
            for ground in holding.grounds
            if ground.purpose in MINIMUM and ground.end is not None
        ]
        return by_law or on_hold or any(at < end for end in minimums)

    def stays(self, holding: KnownHolding, at: datetime) -> bool:
        return not holding.erased and bool(holding.live(at) or self.kept(holding, at))

    def open_grounds(self) -> list[KnownGround]:
        return [ground for holding in self.holdings.values() if not holding.erased for ground in holding.grounds]


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.life = Life()
        self.now = START
        self.known = Oracle()

    @property
    def subject(self) -> Subject:
        return self.life.subject

    def is_alive(self) -> bool:
        return self.subject.erasure is None

    def do(self, act: Act) -> None:
        """The oracle has been told what the act ends; now the record may erase what nothing keeps, nothing else."""
        before = self.subject
        act = replace(act, now=self.now)
        self.life = self.life.after(act(self.life, SEVERAL), self.now)
        for id, holding in self.subject.holdings.items():
            if holding.erased_at is None or before.holdings[id].erased_at is not None:
                continue
            known = self.known.holdings[id]
            assert not self.known.stays(known, self.now), f"{id} was erased too early"
            known.erased = True
        if self.subject.erasure is not None:
            assert not self.known.holds, "a person under a hold was erased"
            assert not self.known.consents, "a person with a consent in force was erased"
            assert all(holding.erased for holding in self.known.holdings.values())

    @initialize(some=st.sets(purposes, min_size=1, max_size=4))
    def begin(self, some: set[str]) -> None:
        """Most lives begin with an address that serves several purposes."""
        for purpose in sorted(some):
            if BASIS[purpose] == "consent":
                self.consent(purpose, 0.0)
            self.collect(purpose, "email", "a@b.sg", 0.0)

    # -- what can happen -----------------------------------------------------------------------------------------------

    @rule(purpose=st.sampled_from(CONSENTED), wait=waits)
    @precondition(is_alive)
    def consent(self, purpose: str, wait: float) -> None:
        self.now += days(wait)
        self.known.consents.setdefault(purpose, self.now)
        self.do(consenting(purpose, at=self.now))

    @rule(
        purpose=purposes,
        category=st.sampled_from(["name", "email"]),
        value=st.sampled_from(["a@b.sg", "c@d.sg"]),
        wait=waits,
    )
    @precondition(is_alive)
    def collect(self, purpose: str, category: str, value: str, wait: float) -> None:
        self.now += days(wait)
        act = collecting_({category: value}, purpose=purpose, basis=BASIS[purpose], at=self.now)
        if BASIS[purpose] == "consent" and purpose not in self.known.consents:
            with pytest.raises(r.ConsentMissing):
                self.do(act)
            return
        self._known_as_collected(purpose, category, value)
        self.do(act)

    def _known_as_collected(self, purpose: str, category: str, value: str) -> None:
        self._known_as_used(purpose, self.now)
        equal = next(
            (
                h
                for h in self.known.holdings.values()
                if (h.category, h.value) == (category, value) and h.live(self.now)
            ),
            None,
        )
        if equal is None:
            number = sum(holding.category == category for holding in self.known.holdings.values()) + 1
            equal = self.known.holdings[f"{category}-{number}"] = KnownHolding(category, value)
        for ground in equal.grounds:
            if ground.purpose == purpose and ground.is_live(self.now):
                ground.counted = self.now
                return
        equal.grounds.append(KnownGround(purpose, self.now, self.now))

    def _known_as_used(self, purpose: str, at: datetime) -> None:
        """Moves what is live now, and never brings back what was due."""
        self.known.activity[purpose] = max(at, self.known.activity.get(purpose, at))
        if purpose in BY_ACTIVITY:
            for ground in self.known.open_grounds():
                if ground.purpose == purpose and ground.is_live(self.now):
                    ground.counted = max(ground.counted, at)

    @rule(purpose=purposes, wait=waits, back=backs)
    @precondition(is_alive)
    def use(self, purpose: str, wait: float, back: float) -> None:
        self.now += days(wait)
        at = self.now - days(back)
        kept = [ground.purpose for ground in self.known.open_grounds()]
        if purpose in self.known.activity or purpose in kept:
            self._known_as_used(purpose, at)
        self.do(using(purpose, at=at))

    @rule(some=st.sampled_from([(), ("free-trial",), ("recommended-customers",)]), wait=waits, back=backs)
    @precondition(is_alive)
    def withdraw(self, some: tuple[str, ...], wait: float, back: float) -> None:
        self.now += days(wait)
        named = [purpose for purpose in some or CONSENTED if purpose in self.known.consents]
        at = max([self.now - days(back), *(self.known.consents[purpose] for purpose in named)])
        for purpose in named:
            del self.known.consents[purpose]
            self._stop(at, {purpose}, {"consent"})
        self.do(withdrawing(*some, at=at))

    def _stop(self, at: datetime, named: set[str], bases: set[str], categories: set[str] | None = None) -> None:
        for holding in self.known.holdings.values():
            if holding.erased or (categories and holding.category not in categories):
                continue
            for ground in holding.grounds:
                if ground.purpose in named and BASIS[ground.purpose] in bases:
                    ground.stop(at)

    @rule(
        purpose=purposes,
        reason=st.sampled_from(["fulfilled", "contract-ended", "service-ended", "cannot-be-achieved"]),
        wait=waits,
        back=backs,
    )
    @precondition(is_alive)
    def end_purpose(self, purpose: str, reason: str, wait: float, back: float) -> None:
        self.now += days(wait)
        at = max(self.now - days(back), self.known.consents.get(purpose, START))
        if reason == "contract-ended":
            self._stop(at, {purpose}, {"contract"})
        else:
            self._stop(at, {purpose}, {"contract", "consent"})
            self.known.consents.pop(purpose, None)
        self.do(ending_(purpose, reason, at=at))

    @rule(
        ground=st.sampled_from(["7.3a", "7.3b", "7.3c", "7.3d", "7.3e"]),
        named=st.sampled_from([(), ("free-trial",), ("quotation", "account-login")]),
        categories=st.sampled_from([(), ("email",)]),
        wait=waits,
    )
    @precondition(is_alive)
    def erase(self, ground: str, named: tuple[str, ...], categories: tuple[str, ...], wait: float) -> None:
        self.now += days(wait)
        if ground == "7.3a" and not named:
            named = ("free-trial",)
        bases = {"consent"} if ground == "7.3c" else {"consent", "contract"}
        self._stop(self.now, set(named or BASIS), bases, set(categories))
        if not categories:
            self.known.consents = {p: at for p, at in self.known.consents.items() if named and p not in named}
            if ground == "7.3c":
                self._stop(self.now, set(named or BASIS), {"consent"})
        self.do(erasing(ground, purposes=named, categories=categories, at=self.now))

    @rule(
        name=st.sampled_from(["case-7", "case-8"]), categories=st.sampled_from([(), ("email",), ("name",)]), wait=waits
    )
    @precondition(is_alive)
    def hold(self, name: str, categories: tuple[str, ...], wait: float) -> None:
        self.now += days(wait)
        self.known.holds.setdefault(name, set()).add(frozenset(categories))
        self.do(holding_(name, *categories, at=self.now))

    @rule(name=st.sampled_from(["case-7", "case-8"]), wait=waits)
    @precondition(lambda self: self.is_alive() and self.known.holds)
    def release(self, name: str, wait: float) -> None:
        self.now += days(wait)
        if self.known.holds.pop(name, None) is not None:
            self.do(releasing(name, at=self.now))

    @rule(
        categories=some_categories,
        lasts=st.sampled_from([None, 5.0, 25.0, 70.0]),
        law=st.sampled_from([None, "CPC 9"]),
        wait=waits,
    )
    @precondition(is_alive)
    def restrict(self, categories: tuple[str, ...], lasts: float | None, law: str | None, wait: float) -> None:
        self.now += days(wait)
        if any(not self.subject.of_category(category) for category in categories):
            return
        until = None if lasts is None else self.now + days(lasts)
        for holding in self.known.holdings.values():
            if not holding.erased and holding.category in categories:
                holding.restrictions.append(KnownRestriction(until, law is not None))
        self.do(restricting_(*categories, until=until, law=law, at=self.now))

    @rule(category=st.sampled_from(["email", "name"]), wait=waits)
    @precondition(is_alive)
    def lift(self, category: str, wait: float) -> None:
        self.now += days(wait)
        asked = [
            holding
            for holding in self.known.holdings.values()
            if holding.category == category
            and not holding.erased
            and any(one.until is None or self.now < one.until for one in holding.restrictions)
        ]
        for holding in asked:
            holding.restrictions = []
        if asked:
            self.do(lifting(category, at=self.now))

    @rule(wait=waits)
    @precondition(is_alive)
    def sweep(self, wait: float) -> None:
        self.now += days(wait)
        self.do(time_passing(self.now))
        for id, known in self.known.holdings.items():
            assert known.erased != self.known.stays(known, self.now), f"{id} was erased too late"

    @rule(wait=waits)
    @precondition(lambda self: not self.is_alive())
    def come_back(self, wait: float) -> None:
        """Whoever comes again after an erasure is a new person."""
        self.now += days(wait)
        self.life, self.known = Life(), Oracle()

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def the_same_grounds_are_live_now_and_later(self) -> None:
        assert set(self.subject.holdings) == set(self.known.holdings)
        for later in LATER:
            at = self.now + later
            for id, known in self.known.holdings.items():
                holding = self.subject.holdings[id]
                assert {g.purpose for g in self.subject.live_grounds(holding, at)} == known.live(at), (id, later)

    @invariant()
    def the_same_holdings_are_restricted(self) -> None:
        for id, known in self.known.holdings.items():
            in_force = any(one.until is None or self.now < one.until for one in known.restrictions)
            if not known.erased:
                assert self.subject.is_restricted(self.subject.holdings[id], self.now) == in_force

    @invariant()
    def a_second_sweep_finds_nothing(self) -> None:
        swept = self._swept(self.subject, self.now)
        assert not fall_due(swept, self.now, SEVERAL).events

    @invariant()
    def the_calendar_is_right(self) -> None:
        """Nothing happens before its next instant, something happens at it: a sweeper neither spins nor oversleeps."""
        coming = next_instant(self.subject, SEVERAL)
        if coming is None:
            assert not fall_due(self.subject, self.now + days(4_000), SEVERAL).events
            return
        if coming > self.now:
            assert not fall_due(self.subject, coming - MOMENT, SEVERAL).events
        at = max(coming, self.now)
        assert fall_due(self.subject, at, SEVERAL).events
        after = self._swept(self.subject, at)
        assert all(due.due > at for due in calendar(after, SEVERAL)), "something stays due that nothing carries out"

    @invariant()
    def replaying_the_history_gives_the_same_state(self) -> None:
        subject = Subject(self.subject.id)
        for event, recorded_at in self.life.history:
            subject = fold(subject, event, recorded_at)
        assert subject == self.subject

    def _swept(self, subject: Subject, at: datetime) -> Subject:
        for event in fall_due(subject, at, SEVERAL).events:
            subject = fold(subject, event, at)
        return subject


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLives = Lives.TestCase
