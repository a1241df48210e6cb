"""What one seed says: when, about whom, and when somebody sweeps. Every interleaving of the seed lives through the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from audit.documents import told
from audit.oracle import ZONE, Fact
from audit.portfolios import BASES, BEGIN, BORN, POLICY, POLICY_TEXT, PURPOSES, VALUES
from whole.stores import ACTOR

PEOPLE = 5
CATEGORIES = (("email",), ("name",), ("email", "name"))
FIRST_DAY = "effective = 2024-07-15"
REVISED = POLICY_TEXT.replace('version = "1.0"', 'version = "1.1"')
OFTEN = (5, 24, 72, 7 * 24, 11 * 24, 14 * 24, 20 * 24, 31 * 24)  # hours between two moments
SELDOM = (24, 72, 11 * 24, 20 * 24, 31 * 24, 45 * 24)
WORDS = (
    "consent", "collect", "collect", "collect", "use", "withdraw", "end-purpose", "erase", "hold", "release",
    "restrict", "lift", "correct", "birth-date", "notice",
)  # fmt: skip
BESIDE = ("share", "provide", "request", "fulfil", "withdraw-request", "accept")
AGAIN = ("record-activity", "give-notice")
"""What is asked under an id that was good for another command: nothing that could erase, as whoever died before that
was answered is told the same as whoever uses the id of somebody erased."""
SURELY_FORGOTTEN = timedelta(days=100)
"""Ninety, and what the clocks may have been off by."""


@dataclass(frozen=True)
class Said:
    """One command. `fact` is what the oracle is told if it is done; None, where it changes nothing that is held."""

    person: int
    document: dict[str, Any]
    fact: Fact | None = None
    takes_an_old_id: bool = False


@dataclass(frozen=True)
class Moment:
    """What the clocks show, what is said by then, and whether a worker is awake. Clocks may go back."""

    clock: datetime
    said: tuple[Said, ...] = ()
    sweeps: bool = True
    rotates: bool = False
    publishes: str | None = None  # the text of a policy
    forgets: bool = False  # ids of commands that are older than is promised


@dataclass(frozen=True)
class Plan:
    """`is_plain`: nothing is said but what the oracle knows, so that it can name the instant at which a person goes."""

    seed: int
    days: int
    is_plain: bool
    moments: tuple[Moment, ...]

    @classmethod
    def of(cls, seed: int, days: int, gaps: Sequence[int] = OFTEN) -> Plan:
        planning = Planning(Random(seed), days, is_plain=seed % 2 == 0, gaps=gaps)
        return cls(seed, days, planning.is_plain, tuple(planning.moments()))


class Planning:
    """Invents what is said, as `random` has it."""

    def __init__(self, random: Random, days: int, *, is_plain: bool, gaps: Sequence[int] = OFTEN) -> None:
        self.random, self.is_plain, self.gaps = random, is_plain, gaps
        self.now, self.end = BEGIN, BEGIN + timedelta(days=days)
        self.number = 0
        self.silent_until = BEGIN
        self.wrong, self.wrong_for = timedelta(), 0  # what the clocks are off by, and for how many moments
        self.revision: datetime | None = None if is_plain else BEGIN + timedelta(days=days * 0.5)
        self.used: dict[int, dict[str, datetime]] = {}  # by person each id, and when it was used last
        self.forgot = BEGIN - SURELY_FORGOTTEN

    def moments(self) -> Iterator[Moment]:
        if not self.is_plain:
            yield Moment(self.now, tuple(self._trustee()), sweeps=False)
        while self.now < self.end:
            self.now += timedelta(hours=self.random.choice(self.gaps))
            self._clocks()
            clock = self.now + self.wrong
            said, awake, rotates = tuple(self._said(clock)), self._awake(), self.random.random() < 0.04
            forgets = not self.wrong and self.random.random() < 0.1
            yield Moment(clock, said, awake, rotates, self._revision(), forgets)
            if forgets:
                self.forgot = clock
        for _ in range(8):  # nobody says anything any more, and what is over goes
            self.now += timedelta(days=self.random.choice([9, 16, 31]))
            yield Moment(self.now)

    def _clocks(self) -> None:
        self.wrong_for -= 1
        if self.wrong_for <= 0:
            self.wrong = timedelta()
            if self.random.random() < 0.2:
                self.wrong = timedelta(minutes=self.random.choice([-4 * 1440, -90, -10, 10, 90, 3 * 1440]))
                self.wrong_for = self.random.randint(1, 3)

    def _awake(self) -> bool:
        if self.now >= self.silent_until and self.random.random() < 0.04:
            self.silent_until = self.now + timedelta(days=self.random.randint(28, 45))
        return self.now >= self.silent_until and self.random.random() < 0.8

    def _revision(self) -> str | None:
        if self.revision is None or self.now < self.revision:
            return None
        self.revision = None
        day = (self.now + timedelta(days=12)).astimezone(ZONE).date()
        return REVISED.replace(FIRST_DAY, f"effective = {day}")

    # -- what is said -------------------------------------------------------------------------------------------

    def _said(self, clock: datetime) -> Iterator[Said]:
        for person in self.random.sample(range(PEOPLE), k=self.random.choice([0, 1, 1, 2, 3])):
            for _ in range(self.random.choice([1, 1, 2])):
                if self.is_plain or self.random.random() < 0.75:
                    yield from self._known_to_the_oracle(person, clock)
                else:
                    yield self._beside(person, clock)

    def _known_to_the_oracle(self, person: int, clock: datetime) -> Iterator[Said]:
        late = timedelta(hours=self.random.choice([0, 0, 0, 1, 30, 5 * 24, 12 * 24]))
        for fact in self.facts(self.random.choice(WORDS), clock - late, clock):
            yield self._told(person, fact.at, fields_of(fact), fact)

    def facts(self, word: str, at: datetime, now: datetime) -> Iterator[Fact]:
        choice, fact = self.random.choice, partial(Fact, word, at, now)
        purpose = choice(PURPOSES)
        match word:
            case "collect":
                basis = choice(BASES[purpose])
                if basis == "consent" and choice([True, True, False]):
                    yield replace(fact(purposes=(purpose,)), what="consent")
                yield fact(purposes=(purpose,), basis=basis, items=self._items(purpose))
            case "consent" | "use" | "withdraw":
                yield fact(purposes=(purpose,))
            case "end-purpose":
                yield fact(purposes=(purpose,), ground=choice(["fulfilled", "contract-ended"]))
            case "erase":
                ground = choice(["7.3a", "7.3b", "7.3c", "7.3d", "7.3e"])
                narrow = ground == "7.3a" or choice([True, False])
                categories = () if narrow else choice([(), *CATEGORIES])
                yield fact(purposes=(purpose,) if narrow else (), categories=categories, ground=ground)
            case "hold" | "release":
                yield fact(hold=choice(["one", "two"]), categories=choice([(), ("email",)]) if word == "hold" else ())
            case "restrict":
                until = choice([None, 3, 17, 60])
                ends = None if until is None else now + timedelta(days=until)
                yield fact(categories=(choice(["email", "name"]),), until=ends, law=choice([True, False]))
            case "lift":
                yield fact(categories=(choice(["email", "name"]),))
            case "correct":
                another = {"email": f"ann{self.number}@example.com", "name": f"Ann the {self.number}th"}
                yield fact(items=(choice(list(another.items())),))
            case "birth-date" if self.is_plain:
                yield fact(items=(("birth-date", BORN),))
            case _:
                yield replace(fact(), what="notice")

    def _items(self, purpose: str) -> tuple[tuple[str, str], ...]:
        wanted = self.random.choice(CATEGORIES)
        known = [each for each in wanted if each in POLICY.purposes[purpose].all_categories] or ["email"]
        return tuple((category, self.random.choice(VALUES[category])) for category in known)

    def _told(self, person: int, at: datetime, fields: dict[str, Any], fact: Fact | None = None) -> Said:
        document = self._document(person, at, fields)
        used = self.used.setdefault(person, {})
        old = [id for id, last in used.items() if last + SURELY_FORGOTTEN < self.forgot]
        takes = bool(old) and fields["command"] in AGAIN and self.random.random() < 0.5
        if takes:
            document["id"] = self.random.choice(old)
        used[document["id"]] = self.now
        return Said(person, document, fact, takes)

    def _document(self, person: int | None, at: datetime, fields: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        subject = {} if person is None else {"subject": {"ref": f"person-{person}"}}
        return {"id": f"c-{self.number}", "actor": ACTOR, "at": at.isoformat(), **subject, **fields}

    def _beside(self, person: int, clock: datetime) -> Said:
        """What leaves alone what is held, and for how long."""
        purpose = self.random.choice(["free-trial", "quotation", "customer-service"])
        name = self.random.choice(["r1", "r2", "r3"])
        given = {"purpose": purpose, "categories": ["email"], "method": "api"}
        fields: dict[str, Callable[[], dict[str, Any]]] = {
            "share": lambda: {"command": "share", "trustee": "udesk", **given},
            "provide": lambda: {"command": "share", "recipient": "Newco", "basis": "contract", "evidence": "K", **given},
            "request": lambda: {"command": "receive-request", "request": f"{name}-{self.number}", "kind": "access",
                                "channel": "email", "identity": "passport"},
            "fulfil": lambda: {"command": "fulfil-request", "request": f"{name}-{self.number - 3}"},
            "withdraw-request": lambda: {"command": "withdraw-request", "request": f"{name}-{self.number - 5}"},
            "accept": lambda: {"command": "accept-policy", "policy": "1.0", "channel": "email"},
        }  # fmt: skip
        return self._told(person, clock, fields[self.random.choice(BESIDE)]())

    def _trustee(self) -> Iterator[Said]:
        named = {"trustee": "udesk", "name": "Udesk", "contact": "dpo@udesk.example", "country": "CN"}
        yield Said(-1, self._document(None, self.now, {"command": "engage-trustee", **named}))
        terms = {"from": "2024-07-15", "to": "2035-12-31", "method": "api", "categories": ["name", "email"],
                 "measures": "encrypted at rest", "rights_and_obligations": "audit once a year"}  # fmt: skip
        for purpose in ("free-trial", "quotation", "customer-service"):
            agreement = {"agreement": {"purpose": purpose, **terms}}
            yield Said(
                -1, self._document(None, self.now, {"command": "sign-agreement", "trustee": "udesk", **agreement})
            )


def fields_of(fact: Fact) -> dict[str, Any]:
    """By category: who says it does not know our ids."""
    if fact.what == "correct":
        return {"command": "correct", "data": dict(fact.items), "reason": "misspelt"}
    return told(fact, {})
