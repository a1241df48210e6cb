"""Who was hit, against an oracle that looks at every quarter of a day of the window and knows no intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.domain.incident.events import Scope
from lifecycle.domain.incident.exposure import Reach, Window, exposure
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.duty import Duty
from lifecycle.domain.subject.fold import born, fold
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.periods import Period, RetentionRule, StatutoryMinimum
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis

BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
QUARTER = timedelta(hours=6)
QUARTERS = 40
CATEGORIES = ("email", "phone")
WHO = UUID("01954f2e-0000-7000-8000-000000000001")
moment = st.integers(0, QUARTERS)


def at(quarter: int) -> datetime:
    return BEGIN + quarter * QUARTER


def after_days(quarter: int, days: int) -> int:
    """The start of the day after the last of so many days."""
    return (quarter // 4 + days + 1) * 4


@dataclass(frozen=True)
class Life:
    """One holding's, in quarters of days; None is never."""

    category: str
    collected: int
    kept_days: int | None
    minimum_days: int | None
    ended: int | None
    restricted: tuple[int, int] | None
    erased: int | None
    shares: tuple[tuple[int, str], ...]
    confirmed: tuple[tuple[int, int, str], ...]  # told, answered, by whom

    @property
    def end(self) -> int | None:
        due = None if self.kept_days is None else after_days(self.collected, self.kept_days)
        return min((each for each in (due, self.ended) if each is not None), default=None)

    def is_there(self, now: int) -> bool:
        return self.collected <= now and (self.erased is None or now < self.erased)

    def is_sealed_off(self, now: int, hold: tuple[int, int, str] | None) -> bool:
        if self.restricted is not None and self.restricted[0] <= now < self.restricted[1]:
            return True
        if self.end is None or now < self.end:
            return False
        on_hold = hold is not None and hold[0] <= now < hold[1] and hold[2] == self.category
        return on_hold or (self.minimum_days is not None and now < after_days(self.end, self.minimum_days))

    def is_with(self, trustee: str, now: int) -> bool:
        given = [when for when, whom in self.shares if whom == trustee and when <= now]
        gone = [told for told, answered, by in self.confirmed if by == trustee and answered <= now]
        return any(all(told < when for told in gone) for when in given)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    collected = draw(st.integers(0, QUARTERS - 4))
    later = st.integers(collected + 1, QUARTERS)
    span = st.tuples(later, later).map(lambda two: (min(two), max(two) + 1))
    told = st.tuples(later, st.integers(1, 8), st.sampled_from(["udesk", "sensors"]))
    return Life(
        draw(st.sampled_from(CATEGORIES)),
        collected,
        draw(st.none() | st.integers(1, 6)),
        draw(st.none() | st.integers(1, 6)),
        draw(st.none() | later),
        draw(st.none() | span),
        draw(st.none() | later),
        tuple(draw(st.lists(st.tuples(later, st.sampled_from(["udesk", "sensors"])), max_size=3))),
        tuple((begun, begun + wait, by) for begun, wait, by in draw(st.lists(told, max_size=2))),
    )


def facts(number: int, life: Life) -> list[tuple[int, int, Any]]:
    """Events with their time, and an order for those of one time."""
    id, purpose = f"h{number}", f"purpose-{number}"
    period = None if life.kept_days is None else Period(days=life.kept_days)
    rule = RetentionRule(name="r", counts_from=CountsFrom.COLLECTION, period=period, zone="UTC")
    least = None
    if life.minimum_days is not None:
        least = StatutoryMinimum(law="l", period=Period(days=life.minimum_days), zone="UTC")
    found: list[tuple[int, int, Any]] = []

    def happened(quarter: int, order: int, kind: Any, **said: Any) -> None:
        found.append((quarter, order, kind(occurred_at=at(quarter), **said)))

    new = (e.NewHolding(holding=id, category=life.category),)
    collected = {"purpose": purpose, "basis": LegalBasis.CONTRACT, "source": "web-form", "new": new}
    happened(life.collected, 0, e.PersonalDataCollected, rule=rule, minimum=least, **collected)
    if life.ended is not None:
        ground = e.GroundRef(holding=id, ground=1)
        happened(life.ended, 1, e.GroundEnded, grounds=(ground,), because="contract-ended")
    if life.restricted is not None:
        first, last = life.restricted
        restricted = {"holdings": (id,), "because": "asked", "until": at(last)}
        happened(first, 1, e.ProcessingRestricted, **restricted)
    for when, whom in life.shares:
        shared = {"agreement": "a", "agreement_version": 1, "purpose": purpose, "holdings": (id,), "method": "api"}
        happened(when, 2, e.PersonalDataShared, trustee=whom, **shared)
    if life.erased is not None:
        happened(life.erased, 3, e.ErasureOrdered, ground="7.3e", holdings=(id,), whole=False)
    return found


def person(all_lives: list[Life], hold: tuple[int, int, str] | None) -> Subject:
    told = [fact for number, life in enumerate(all_lives) for fact in facts(number, life)]
    if hold is not None:
        placed = e.LegalHoldPlaced(occurred_at=at(hold[0]), hold="k", categories=(hold[2],))
        told += [(hold[0], 1, placed), (hold[1], 1, e.LegalHoldReleased(occurred_at=at(hold[1]), hold="k"))]
    duties = {
        f"{number}-{index}": Duty(
            f"{number}-{index}", by, "erase", (f"h{number}",), (), None, "erasure", at(begun), at(begun + 9), "",
            answer="confirmed", answered_at=at(answered),
        )
        for number, life in enumerate(all_lives)
        for index, (begun, answered, by) in enumerate(life.confirmed)
    }  # fmt: skip
    subject: Subject = replace(born(WHO), duties=duties)
    for quarter, _, event in sorted(told, key=lambda fact: fact[:2]):
        subject = fold(subject, event, at(quarter))
    return subject


holds = st.none() | st.tuples(moment, st.integers(1, 12), st.sampled_from(CATEGORIES)).map(
    lambda hold: (hold[0], hold[0] + hold[1], hold[2])
)
windows = st.tuples(moment, moment).map(sorted)
several = st.lists(lives(), min_size=1, max_size=3)
narrowed = st.sets(st.sampled_from(CATEGORIES)).map(lambda some: tuple(sorted(some)))


@given(several, holds, windows, narrowed, st.booleans(), st.sampled_from(["engine", "database"]), st.booleans())
def test_in_our_store_are_hit_exactly_those_that_were_open_at_some_moment_of_the_window(
    all_lives: list[Life],
    hold: tuple[int, int, str] | None,
    window: list[int],
    categories: tuple[str, ...],
    custody: bool,
    store: str,
    epoch: bool,
):
    keys = (*(["custody"] if custody else []), *(["epoch"] if epoch else []))
    scope = Scope(store=store, keys=keys, categories=categories)  # type: ignore[arg-type]
    first, last = window
    found = exposure(person(all_lives, hold), Reach("leak", Window(at(first), at(last)), scope))
    for number, life in enumerate(all_lives):
        there = [now for now in range(first, last + 1) if life.is_there(now)]
        if not there or (categories and life.category not in categories):
            assert f"h{number}" not in {*found.hit, *found.excluded}
            continue
        sealed_off = all(life.is_sealed_off(now, hold) for now in there)
        opened = custody if sealed_off else (store == "engine" or epoch)
        assert (f"h{number}" in found.hit) is opened
        assert (f"h{number}" in found.excluded) is not opened


@given(several, windows)
def test_loss_and_alteration_hit_everything_that_was_there(all_lives: list[Life], window: list[int]):
    first, last = window
    reach = Reach("loss", Window(at(first), at(last)), Scope(store="database"))
    found = exposure(person(all_lives, None), reach)
    there = {f"h{n}" for n, life in enumerate(all_lives) if any(map(life.is_there, range(first, last + 1)))}
    assert set(found.hit) == there
    assert not found.excluded


@given(several, windows, st.sampled_from(["udesk", "sensors"]))
def test_at_a_trustee_are_hit_exactly_those_of_which_it_had_a_copy_at_some_moment_of_the_window(
    all_lives: list[Life], window: list[int], trustee: str
):
    first, last = window
    reach = Reach("leak", Window(at(first), at(last)), Scope(trustee=trustee))
    found = exposure(person(all_lives, None), reach)
    had = {
        f"h{n}" for n, life in enumerate(all_lives) if any(life.is_with(trustee, now) for now in range(first, last + 1))
    }
    assert set(found.hit) == had
    assert not found.excluded
