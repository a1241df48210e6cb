"""One holding with everything that decides what it is at an instant: held, restricted, erased, anonymised, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from lifecycle.domain.subject.settling import BY_LAW, COPY, HOLD, STATUTORY
from lifecycle.domain.subject.state import Holding, Subject

ASKED = "asked"
TECHNICAL = "technical"  # a store outside of ours cannot erase it yet; nothing of it is left here
PERIOD_OVER = "period-over"  # no ground is live and nothing keeps it: it is about to be erased


class HeldGround(NamedTuple):
    """Why it is held, in the order of the columns."""

    number: int
    purpose: str
    basis: str
    since: datetime
    until: datetime | None
    rule: str
    ended: str | None
    kept_until: datetime | None
    technology: str | None = None

    def is_live(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


class Kept(NamedTuple):
    """Why a holding is storage only, and until when (None: until somebody ends it)."""

    because: str
    since: datetime
    until: datetime | None

    def in_force(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


class Held(NamedTuple):
    """One holding with everything that decides what it is at an instant: time passes at reading."""

    holding: str
    category: str
    source: str
    since: datetime
    sealed_in: int
    erased_at: datetime | None
    erased_by: int | None
    held_by: str | None = None
    anonymised: bool = False
    grounds: tuple[HeldGround, ...] = ()
    keepers: tuple[Kept, ...] = ()
    obstructed_at: datetime | None = None
    transferred_at: datetime | None = None

    def state(self, at: datetime) -> Literal["held", "restricted", "erased", "anonymised", "transferred"]:
        if self.erased_at is not None and self.erased_at <= at:
            if self.obstruction(at) is not None:
                return "restricted"
            return "anonymised" if self.anonymised else "erased"
        if self._is_elsewhere(at):
            return "transferred"
        return "held" if self.restriction(at) is None else "restricted"

    def _is_elsewhere(self, at: datetime) -> bool:
        """Another controller has it, and ours still has a ground: later only law or a hold can keep it here."""
        gone = self.transferred_at is not None and self.transferred_at <= at
        return gone and any(ground.is_live(at) for ground in self.grounds)

    def obstruction(self, at: datetime) -> Kept | None:
        obstructed = self.obstructed_at is not None and self.obstructed_at <= at
        return Kept(TECHNICAL, self.obstructed_at, None) if obstructed and self.obstructed_at else None

    def is_live_for(self, purpose: str, at: datetime) -> bool:
        return self.state(at) == "held" and any(g.purpose == purpose and g.is_live(at) for g in self.grounds)

    def restriction(self, at: datetime) -> Kept | None:
        """What makes it storage only at `at`: the reason that lasts longest, law and holds before requests."""
        if self.erased_at is not None and self.erased_at <= at:
            return self.obstruction(at)
        imposed = [keeper for keeper in self.keepers if keeper.in_force(at)]
        asked = [keeper for keeper in imposed if keeper.because in (ASKED, BY_LAW)]
        if any(ground.is_live(at) for ground in self.grounds):
            return _longest(asked)
        minimums = [Kept(STATUTORY, g.until, g.kept_until) for g in self.grounds if g.until and g.kept_until]
        lasting = [keeper for keeper in (*imposed, *minimums) if keeper.because != ASKED and keeper.in_force(at)]
        return _longest(lasting) or _longest(asked) or Kept(PERIOD_OVER, _last_end(self.grounds, self.since), None)


def now_of(held: Iterable[Held], clock: datetime) -> datetime:
    """What time it is for whoever looks at these now: as for `Subject.now`, what is on record has begun, and what ended
    a ground there has ended it."""
    instants: list[datetime | None] = [clock]
    for one in held:
        instants += [ground.since for ground in one.grounds]
        instants += [ground.until for ground in one.grounds if ground.ended is not None]
        instants += [keeper.since for keeper in one.keepers]
        instants += [one.erased_at, one.obstructed_at, one.transferred_at]
    return max(at for at in instants if at is not None)


def _longest(keepers: Sequence[Kept]) -> Kept | None:
    open_ended = [keeper for keeper in keepers if keeper.until is None]
    if open_ended:
        return open_ended[0]
    return max(keepers, key=lambda keeper: keeper.until or keeper.since, default=None)


def _last_end(grounds: Iterable[HeldGround], since: datetime) -> datetime:
    return max((ground.until for ground in grounds if ground.until is not None), default=since)


def held_by(subject: Subject, at: datetime | None = None) -> list[Held]:
    """The holdings of a folded state, in the order of their beginning; with `at`, as far as they had begun then."""
    begun = [holding for holding in subject.holdings.values() if at is None or holding.since <= at]
    return in_order(_held(subject, holding, at) for holding in begun)


def _held(subject: Subject, holding: Holding, at: datetime | None) -> Held:
    generations = [each for each in holding.generations if at is None or each.since <= at]
    return Held(
        holding=holding.id,
        category=holding.category,
        source=holding.source,
        since=holding.since,
        sealed_in=(generations or holding.generations)[-1].version,
        erased_at=holding.erased_at,
        erased_by=holding.erased_by,
        held_by=holding.held_by,
        anonymised=holding.anonymised,
        grounds=tuple(_grounds(subject, holding)),
        keepers=tuple(_keepers(subject, holding)),
        obstructed_at=holding.obstructed_at,
        transferred_at=holding.transferred_at,
    )


def _grounds(subject: Subject, holding: Holding) -> Iterable[HeldGround]:
    for ground in holding.grounds:
        end, rule = subject.ending(ground)
        kept_until = ground.minimum.until(end) if ground.minimum is not None and end is not None else None
        yield HeldGround(
            ground.number,
            ground.purpose,
            ground.basis.value,
            ground.since,
            end,
            rule.name,
            ground.ended,
            kept_until,
            ground.technology,
        )


def _keepers(subject: Subject, holding: Holding) -> Iterable[Kept]:
    for restriction in holding.restrictions:
        yield Kept(BY_LAW if restriction.by_law else ASKED, restriction.since, restriction.until)
    for hold in subject.holds.values():
        if hold.covers(holding.category, hold.since):
            yield Kept(HOLD, hold.since, hold.until)
    if (copy := subject.mandatory_copies.get(holding.id)) is not None:
        yield Kept(COPY, copy.since, copy.until)


def in_order(held: Iterable[Held]) -> list[Held]:
    return sorted(held, key=lambda one: (one.since, one.holding))
