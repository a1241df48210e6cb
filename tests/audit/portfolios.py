"""People whom Hypothesis invents: what is said about them, told late or at once, while the scheduler is awake or asleep.

A portfolio is lived twice: by the engine's own decisions, and as plain facts for the oracle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from audit.oracle import ZONE, Fact, midnight
from hypothesis import strategies as st
from scenario import (
    Act,
    Life,
    born_on,
    collecting_,
    consenting,
    correcting_,
    ending_,
    erasing,
    holding_,
    lifting,
    noticing,
    releasing,
    restricting_,
    using,
    withdrawing,
)

from examples import changed_text, in_purpose
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.revising import revisions_until, version_for
from lifecycle.domain.subject.settling import fall_due
from lifecycle.errors import Refused
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.model import Policy
from lifecycle.projections.retention_calendar import will_fall_due

POLICY_CHANGES = (
    ('time_zone = "Asia/Singapore"', 'time_zone = "Europe/Berlin"'),
    in_purpose("customer-service", 'bases = ["consent", "contract"]', 'bases = ["consent", "contract", "legal-duty"]'),
    in_purpose("account-login", 'categories = ["login-account"]', 'categories = ["email", "name"]'),
    in_purpose(
        "quotation", 'categories = ["company", "phone", "email"]', 'categories = ["name", "email", "birth-date"]'
    ),
    in_purpose("customer-service", '"email"]', '"email", "name"]'),
    in_purpose("free-trial", "months = 24", "days = 15"),
    in_purpose("quotation", "months = 12", "months = 1"),
    in_purpose("customer-service", "months = 36", "days = 40"),
    in_purpose("recommended-customers", "days = 180", "days = 20"),
    in_purpose("recommended-customers", 'bases = ["consent"]', 'bases = ["consent"]\nconsent_lasts = { days = 10 }'),
    (
        'bases = ["contract"]\nmonths = 36\n',
        'bases = ["contract"]\ndays = 30\nlaw = "ecommerce-law-31"\n\n'
        '[[minimums]]\npurpose = "quotation"\nbases = ["contract"]\nmonths = 2\nlaw = "ecommerce-law-31"\n\n'
        '[[minimums]]\npurpose = "free-trial"\nbases = ["consent"]\ndays = 7\n',
    ),
    ("kept_days_after_last_event = 30", "kept_days_after_last_event = 12"),
)
POLICY_TEXT = changed_text(*POLICY_CHANGES)
POLICY = parse_policy(POLICY_TEXT)
REVISED = parse_policy(
    changed_text(
        *POLICY_CHANGES,
        ('version = "1.0"', 'version = "2.0"'),
        in_purpose("free-trial", "days = 15", "days = 5"),
        in_purpose("customer-service", "days = 40", "days = 10"),
        in_purpose("customer-service", '"email", "name"]', '"email"]'),
        in_purpose("quotation", 'bases = ["consent", "contract"]', 'bases = ["contract"]'),
    )
)
"""What the oracle says of a version that comes."""
PARTNERED = parse_policy(
    changed_text(
        *POLICY_CHANGES,
        in_purpose("free-trial", 'recipients = ["udesk"]', 'recipients = ["udesk", "job-board"]'),
        (
            "[systems.crm]",
            '[third_parties.job-board]\nclause = "3.1c"\nname = "Job Board"\ncontact = "x"\ncountry = "SG"\n'
            'purposes = ["free-trial"]\nmethods = ["api"]\n\n[systems.crm]',
        ),
    )
)
"""Of a free trial a job board may be given data, too."""
BEGIN = datetime(2025, 2, 18, 10, tzinfo=ZONE)  # before the shortest month's end, and before the clocks change
HORIZON = timedelta(days=220)

BASES = {
    "free-trial": ("consent", "contract"),
    "quotation": ("consent", "contract"),
    "customer-service": ("consent", "contract", "legal-duty"),
    "account-login": ("contract",),
    "recommended-customers": ("consent",),
}
PURPOSES = tuple(BASES)
BORN = "1990-05-17"
VALUES = {
    "name": ("Ann", "Anne"),
    "email": ("ann@example.com", "ann@work.example"),
    "birth-date": (BORN,),
}


@dataclass(frozen=True)
class Step:
    """Something that is said: after how many hours, how late, and whether the scheduler was awake until then."""

    what: str
    hours: int = 1
    late: int = 0
    awake: bool = True
    purpose: str = "free-trial"
    basis: str = "consent"
    categories: tuple[str, ...] = ("email",)
    variant: int = 0
    ground: str = "7.3d"
    until: int | None = None  # days
    law: bool = False
    pick: int = 0  # which of those there are


WORDS = (
    "consent", "collect", "collect", "collect", "use", "withdraw", "withdraw", "end-purpose", "erase", "hold",
    "release", "restrict", "lift", "correct", "birth-date", "notice", "sleep",
)  # fmt: skip

steps = st.builds(
    Step,
    what=st.sampled_from(WORDS),
    hours=st.sampled_from([0, 1, 1, 5, 5, 24, 24, 72, 72, 7 * 24, 11 * 24, 16 * 24, 25 * 24, 45 * 24]),
    late=st.sampled_from([0, 0, 0, 0, 1, 30, 5 * 24, 12 * 24, 21 * 24]),
    awake=st.sampled_from([True, True, True, False]),
    purpose=st.sampled_from(PURPOSES),
    basis=st.sampled_from(["consent", "consent", "contract", "legal-duty"]),
    categories=st.sampled_from([("email",), ("name",), ("email", "name"), ("birth-date",)]),
    variant=st.sampled_from([0, 0, 0, 1]),
    ground=st.sampled_from(["7.3a", "7.3b", "7.3c", "7.3d", "7.3e"]),
    until=st.sampled_from([None, 3, 17, 60]),
    law=st.booleans(),
    pick=st.integers(0, 5),
)
openings = st.lists(
    st.builds(
        Step,
        what=st.just("collect"),
        purpose=st.sampled_from(PURPOSES),
        basis=st.sampled_from(["consent", "consent", "contract", "legal-duty"]),
        categories=st.sampled_from([("email",), ("name",), ("email", "name"), ("birth-date",)]),
        late=st.sampled_from([0, 0, 5 * 24]),
    ),
    min_size=1,
    max_size=4,
)
portfolios = st.builds(lambda opening, later: opening + later, openings, st.lists(steps, min_size=2, max_size=14))


@dataclass
class Portfolio:
    """A life, and the facts of it that the record accepted."""

    life: Life = field(default_factory=Life)
    now: datetime = BEGIN
    facts: list[Fact] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=lambda: [POLICY])

    def revise(self, days: int) -> datetime:
        """A version is published that takes effect in so many days, or did before; the person is told of it now. Returns
        since when it is in force for them."""
        assert self.life.subject.begun is not None
        first = self.life.subject.begun.astimezone(ZONE).date() + timedelta(
            days=1
        )  # who begins under it knows no other
        effective = max(first, self.now.astimezone(ZONE).date() + timedelta(days=days))
        self.policies = [POLICY, REVISED.model_copy(update={"effective": effective})]
        told = e.NoticeGiven(occurred_at=self.now, notice="2.0", channel="email")
        self.life = self.life.after(Decision((told,)), self.now)
        self.facts.append(Fact("notice", self.now, self.now))
        return max(midnight(effective), self.now)

    def live(self, said: list[Step]) -> Portfolio:
        for number, step in enumerate(said):
            if self.life.subject.erasure is not None:
                break
            self.pass_time(step)
            self.say(number, step)
        return self

    def pass_time(self, step: Step) -> None:
        to = self.now + timedelta(hours=step.hours)
        if step.awake:
            self.facts.append(Fact("awake", self.now, to))
            self.advance(to)
        self.now = to

    def advance(self, to: datetime) -> None:
        """What `advance-clock` does: each thing at its own instant, what is overdue at once."""
        while self.life.subject.version and (due := self._next()) is not None and due <= to:
            self.now = max(self.now, due)
            decision = self._swept()
            assert decision.events, "the calendar names what the record does not find due"
            self.life = self.life.after(decision, self.now)
        self.now = max(self.now, to)

    def _next(self) -> datetime | None:
        return min((each.due for each in will_fall_due(self.life.subject, self.policies)), default=None)

    def _swept(self) -> Decision:
        subject = self.life.subject
        policy = version_for(subject, self.policies, self.now)
        assert policy is not None
        return fall_due(subject, self.now, policy, revisions=revisions_until(subject, self.policies, self.now))

    def say(self, number: int, step: Step) -> None:
        if step.what == "sleep" or self.life.subject.erasure is not None:
            return
        at = self.now - timedelta(hours=step.late)
        for act, fact in _acts(self.life, number, step, at, self.now):
            try:
                decision = replace(act, now=self.now, age=None)(self.life, self.policies[0])
            except Refused:
                continue
            if decision.events:
                noted = any(isinstance(event, e.CorrectionAnnotated) for event in decision.events)
                values = self.life.values
                self.life = self.life.after(decision, self.now)
                if noted:  # beside the value, not in its place
                    self.life = replace(self.life, values=values)
                self.facts.append(fact)


Said = Iterator[tuple[Act, Fact]]


def _acts(life: Life, number: int, step: Step, at: datetime, now: datetime) -> Said:
    fact = partial(Fact, step.what, at, now)
    match step.what:
        case "consent" | "collect" | "use":
            yield from _gives(life, step, at, now)
        case "withdraw" | "end-purpose" | "erase":
            yield from _ends(life, step, at, now)
        case "hold" | "release" | "restrict" | "lift":
            yield from _keeps(life, step, at, now)
        case "correct":
            for holding in _one([holding.id for holding in life.subject.kept()], step):
                value = _another(life.subject.holdings[holding].category, number)
                yield correcting_({holding: value}, at=at), fact(items=((holding, value),))
        case "birth-date":
            yield born_on(BORN, at=at), fact(items=(("birth-date", BORN),))
        case "notice":
            yield noticing(at=at), fact()


def _another(category: str, number: int) -> str:
    """A well-formed value that nobody has given yet."""
    match category:
        case "email":
            return f"ann{number}@example.com"
        case "birth-date":
            return f"1980-01-{number + 1:02}"
    return f"Ann {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number]}"


def _gives(life: Life, step: Step, at: datetime, now: datetime) -> Said:
    purpose = step.purpose
    agreed = (
        consenting(purpose, at=at, separate=step.law),
        Fact("consent", at, now, purposes=(purpose,), separate=step.law),
    )
    if step.what == "consent":
        yield agreed
    elif step.what == "collect":
        basis = step.basis if step.basis in BASES[purpose] else BASES[purpose][0]
        if basis == "consent":
            yield agreed
        needed = POLICY.purposes[purpose].all_categories
        known = [category for category in step.categories if category in needed] or ["email"]
        data = {category: VALUES[category][step.variant % len(VALUES[category])] for category in known}
        yield (
            collecting_(data, purpose=purpose, basis=basis, at=at),
            Fact("collect", at, now, purposes=(purpose,), basis=basis, items=tuple(data.items())),
        )
    else:
        for used in _one({ground.purpose for h in life.subject.kept() for ground in h.grounds} & set(PURPOSES), step):
            yield using(used, at=at), Fact("use", at, now, purposes=(used,))


def _ends(life: Life, step: Step, at: datetime, now: datetime) -> Said:
    fact = partial(Fact, step.what, at, now)
    if step.what == "withdraw":
        for purpose in _one({consent.purpose for consent in life.subject.consents}, step):
            yield withdrawing(purpose, at=at), fact(purposes=(purpose,))
        return
    for purpose in _one({ground.purpose for h in life.subject.kept() for ground in h.grounds} & set(PURPOSES), step):
        if step.what == "end-purpose":
            reason = ("fulfilled", "contract-ended")[step.variant]
            yield ending_(purpose, reason, at=at), fact(purposes=(purpose,), ground=reason)
            return
        narrow = step.ground == "7.3a" or not step.variant
        purposes, categories = ((purpose,), ()) if narrow else ((), step.categories if step.law else ())
        yield (
            erasing(step.ground, purposes=purposes, categories=categories, at=at),
            fact(purposes=purposes, categories=categories, ground=step.ground),
        )


def _keeps(life: Life, step: Step, at: datetime, now: datetime) -> Said:
    fact = partial(Fact, step.what, at, now)
    if step.what in ("hold", "release"):
        name = ("one", "two")[step.variant]
        covered = step.categories if step.law else ()
        act = holding_(name, *covered, at=at) if step.what == "hold" else releasing(name, at=at)
        yield act, fact(hold=name, categories=covered)
        return
    restricted = {h.category for h in life.subject.kept() if step.what == "restrict" or h.restrictions}
    for category in _one(restricted, step):
        if step.what == "lift":
            yield lifting(category, at=at), fact(categories=(category,))
            return
        until = None if step.until is None else now + timedelta(days=step.until)
        law = "CPC 9" if step.law else None
        yield (
            restricting_(category, at=at, until=until, law=law),
            fact(categories=(category,), until=until, law=step.law),
        )


def _one(several: Iterable[str], step: Step) -> list[str]:
    """One of those there are, or none."""
    there = sorted(several)
    return [there[step.pick % len(there)]] if there else []
