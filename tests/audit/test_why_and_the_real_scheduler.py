"""Invented people in a real store: `advance-clock` deletes at the very instants that `why` and the oracle name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from audit.documents import told
from audit.oracle import NEVER, Fact, deletions
from audit.portfolios import BASES, BEGIN, HORIZON, POLICY_TEXT, PURPOSES, WORDS, Portfolio, Step
from whole.stores import Store

PEOPLE, ROUNDS = 20, 8
CATEGORIES = (("email",), ("name",), ("email", "name"), ("birth-date",))


def nights(random: Random) -> Iterator[Step]:
    """What passes between the rounds, for everybody: how long, and whether the scheduler is awake."""
    for _ in range(ROUNDS):
        yield Step("sleep", hours=random.choice([1, 24, 3 * 24, 8 * 24, 16 * 24]), awake=random.random() < 0.7)


def said(random: Random, turn: int) -> Step:
    purpose = random.choice(PURPOSES)
    return Step(
        what="collect" if turn < 2 else random.choice(WORDS),
        late=random.choice([0, 0, 1, 30, 5 * 24]),
        purpose=purpose,
        basis=random.choice(BASES[purpose]),
        categories=random.choice(CATEGORIES),
        variant=random.choice([0, 0, 1]),
        ground=random.choice(["7.3a", "7.3b", "7.3c", "7.3d", "7.3e"]),
        until=random.choice([None, 3, 17, 60]),
        law=random.random() < 0.5,
        pick=random.randrange(6),
    )


class Street:
    """People in one store, each beside their portfolio."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.engine = store.engine
        self.portfolios = [Portfolio() for _ in range(PEOPLE)]
        self.ids: dict[int, Any] = {}
        self.engine.move_clock(BEGIN)

    def live(self, random: Random) -> None:
        for turn, night in enumerate(nights(random)):
            for portfolio in self.portfolios:
                portfolio.pass_time(night)
            self._pass(night)
            told = [(person, fact) for person in range(PEOPLE) for fact in self._say(person, turn, said(random, turn))]
            outcomes = self.engine.execute_many([self._document(person, fact) for person, fact in told])
            for (person, fact), outcome in zip(told, outcomes, strict=True):
                assert outcome.outcome == "done", (fact, outcome)
                self.ids[person] = outcome.subject

    def _pass(self, night: Step) -> None:
        to = self.portfolios[0].now
        if night.awake:
            self.engine.advance_clock(to)
        else:
            self.engine.move_clock(to)

    def _say(self, person: int, turn: int, step: Step) -> list[Fact]:
        portfolio = self.portfolios[person]
        known = len(portfolio.facts)
        portfolio.say(turn, step)
        return portfolio.facts[known:]

    def names(self, person: int) -> dict[str, str]:
        """Holding → the oracle's name for it: category and number, in the order of the record."""
        numbers: dict[str, int] = {}
        found: dict[str, str] = {}
        for row in self.engine.read.history(self.ids[person]):
            new = row["data"].get("new", []) if row["kind"] == "personal-data-collected/1" else []
            for each in [*new, row["data"]] if row["kind"] == "birth-date-recorded/1" else new:
                numbers[each["category"]] = numbers.get(each["category"], 0) + 1
                found[each["holding"]] = f"{each['category']}-{numbers[each['category']]}"
        return found

    def erased(self, person: int) -> dict[str, datetime]:
        names = self.names(person)
        return {
            names[holding]: datetime.fromisoformat(row["recorded_at"])
            for row in self.engine.read.history(self.ids[person])
            if row["kind"] == "erasure-ordered/1"
            for holding in row["data"]["holdings"]
        }

    def _document(self, person: int, fact: Fact) -> dict[str, Any]:
        real = {name: holding for holding, name in self.names(person).items()} if fact.what == "correct" else {}
        document = told(fact, real) | {"at": fact.at.isoformat(), "subject": {"ref": f"person-{person}"}}
        return self.store.document(**document)


@pytest.fixture
def street(database_url: str, keys: Path) -> Iterator[Street]:
    store = Store(database_url, keys, POLICY_TEXT)
    yield Street(store)
    store.engine.close()


def test_the_clock_of_a_store_brings_each_deletion_at_the_instant_that_why_named(street: Street):
    street.live(Random(31))
    now = street.engine.clock.now()
    named: dict[int, dict[str, datetime]] = {}
    for person, id in street.ids.items():
        answer, names = street.engine.read.why(id), street.names(person)
        earliest = {names[one["holding"]]: one["earliest"] for one in answer["holdings"]}
        expected, gone = deletions(street.portfolios[person].facts, now, HORIZON)
        named[person] = {name: datetime.fromisoformat(at) if at else NEVER for name, at in earliest.items()}
        assert named[person] == expected
        whole = answer["person"]["earliest"]
        assert street.portfolios[person].life.subject.erasure or (whole is None) == (gone == NEVER)
        assert whole is None or datetime.fromisoformat(whole) == gone
    assert sum(at < NEVER for each in named.values() for at in each.values()) > PEOPLE // 2
    before = {person: street.erased(person) for person in named}
    street.engine.advance_clock(now + HORIZON)
    for person, expected in named.items():
        done = street.erased(person)
        assert done == before[person] | {name: at for name, at in expected.items() if at < NEVER}
