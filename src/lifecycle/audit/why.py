"""Why is each item still held, and what is the earliest lawful instant of its deletion? Pure: a state, policies, now.

Nothing is listed here a second time: what keeps a holding is asked of `keepers` and `end_of`, and what time will bring
of `fall_due`. So a reason that the domain learns is a reason here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lifecycle.domain.subject.fold import MINORS, fold
from lifecycle.domain.subject.requests import open_ones
from lifecycle.domain.subject.revising import consequences, revisions_until, version_for
from lifecycle.domain.subject.settling import COPY, HOLD, STATUTORY, fall_due, keepers, let_go_at
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.held import TECHNICAL
from lifecycle.projections.retention_calendar import identifiers_due, will_fall_due

GROUND = "ground"
RECORD = "lasts-as-the-record"  # a birth date that nothing else needs (settled rule 31)
CONSENT = "consent"
HOLDING = "holding"
REQUEST = "open-request"
RECENT = "recent-event"
OVERDUE = "due"
STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is still here, and until when (None: until somebody ends it)."""

    because: str
    until: datetime | None
    since: datetime | None = None
    purpose: str | None = None
    basis: str | None = None
    ground: int | None = None
    rule: str | None = None
    law: str | None = None
    hold: str | None = None
    holding: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class WhyHeld:
    """`earliest` is when the holding may and will be deleted if nothing further happens; None: not before somebody ends
    what keeps it."""

    holding: str
    category: str
    reasons: tuple[Reason, ...]
    earliest: datetime | None


@dataclass(frozen=True, slots=True)
class Why:
    """`person` are the reasons why the person can still be found, `gone` when the whole record goes."""

    holdings: tuple[WhyHeld, ...]
    person: tuple[Reason, ...]
    gone: datetime | None


def why(subject: Subject, policies: Sequence[Policy], now: datetime) -> Why:
    """Everything that is held at `now` and every reason for it, as if nothing further were to happen."""
    obstructed = tuple(_obstructed(each) for each in subject.holdings.values() if each.obstructed_at is not None)
    if subject.erasure is not None:
        return Why(obstructed, (), None)
    gone, ahead = whole_goes(subject, policies, now), revised(subject, policies, now)
    held = tuple(_why_held(subject, ahead, holding, now, gone) for holding in subject.kept())
    return Why((*held, *obstructed), tuple(_person(subject, ahead, held, policies, now)), gone)


def revised(subject: Subject, policies: Sequence[Policy], now: datetime) -> Subject:
    """The state as it will be by the versions that come into force for this person, each at its instant, and by those
    that came and that nobody has carried out yet: they end grounds, or shorten their periods."""
    for revision in subject.acquaintance.revisions(policies):
        at = max(revision.since, now)
        for event in consequences(subject, revision, at):
            subject = fold(subject, event, at)
    return subject


# -- a holding ----------------------------------------------------------------------------------------------------


def _why_held(subject: Subject, ahead: Subject, holding: Holding, now: datetime, gone: datetime | None) -> WhyHeld:
    """What lives is asked of `subject`, and how long it will of `ahead`."""
    with_the_record = [ground for ground in holding.grounds if _is_record(subject, holding, ground)]
    live = [ground for ground in subject.live_grounds(holding, now) if ground not in with_the_record]
    coming = ahead.holdings[holding.id]
    others = [coming.grounds[ground.number - 1] for ground in live]
    reasons = [
        *(_ground(ahead, ground) for ground in others),
        *(Reason(RECORD, gone, ground.since, purpose=ground.purpose) for ground in with_the_record),
        *_kept(ahead, coming, now),
    ]
    free = released_at(ahead, coming, others, now)
    earliest = gone if with_the_record and free is not None else free
    return WhyHeld(holding.id, holding.category, tuple(reasons) or (Reason(OVERDUE, now),), earliest)


def _obstructed(holding: Holding) -> WhyHeld:
    """To be erased since the order; a store outside of ours that has a copy says that it cannot, and is asked again."""
    reason = Reason(TECHNICAL, None, holding.obstructed_at)
    return WhyHeld(holding.id, holding.category, (reason,), holding.erased_at)


def _is_record(subject: Subject, holding: Holding, ground: Ground) -> bool:
    return holding.id == subject.birth_date and ground.purpose == MINORS and ground.ended is None


def released_at(subject: Subject, holding: Holding, live: Iterable[Ground], now: datetime) -> datetime | None:
    """The first instant from `now` on at which no ground is live and nothing keeps the holding any more."""
    ends = [subject.end_of(ground) for ground in live]
    if None in ends:
        return None
    return let_go_at(subject, holding, max([now, *(end for end in ends if end is not None)]))


def _ground(subject: Subject, ground: Ground) -> Reason:
    return Reason(
        GROUND,
        subject.end_of(ground),
        ground.since,
        purpose=ground.purpose,
        basis=ground.basis.value,
        ground=ground.number,
        rule=subject.ending_rule(ground).name,
    )


def _kept(subject: Subject, holding: Holding, now: datetime) -> Iterator[Reason]:
    """What keeps it beside its grounds, or will once they are over; minimums with their law, holds one by one."""
    for keeper in keepers(subject, holding, now):
        if keeper.because == HOLD:
            yield from _holds(subject, now, holding)
        elif keeper.because == STATUTORY:
            yield from _minimums(subject, holding, now)
        elif keeper.because == COPY:
            copy = subject.mandatory_copies[holding.id]
            yield Reason(COPY, copy.until, copy.since, law=copy.law)
        else:
            yield Reason(keeper.because, keeper.until)


def _minimums(subject: Subject, holding: Holding, now: datetime) -> Iterator[Reason]:
    for ground in holding.grounds:
        end = subject.end_of(ground)
        if ground.minimum is not None and end is not None and now < (until := ground.minimum.until(end)):
            yield Reason(
                STATUTORY, until, end, purpose=ground.purpose, basis=ground.basis.value, ground=ground.number,
                law=ground.minimum.law,
            )  # fmt: skip


def _holds(subject: Subject, now: datetime, holding: Holding | None = None) -> Iterator[Reason]:
    for hold in subject.holds.values():
        lasts = hold.since <= now and (hold.until is None or now < hold.until)
        if lasts and (holding is None or hold.covers(holding.category, now)):
            yield Reason(HOLD, hold.until, hold.since, hold=hold.reference)


# -- the whole person ---------------------------------------------------------------------------------------------


def whole_goes(subject: Subject, policies: Sequence[Policy], now: datetime) -> datetime | None:
    """When the record as a whole is ordered to go, letting time pass as the sweep does, each thing at its instant."""
    idle: datetime | None = None  # until then nothing is left to do
    for _ in range(STEPS):
        ahead = [each.due for each in will_fall_due(subject, policies) if idle is None or idle < each.due]
        if not ahead:
            return None
        now = max(now, min(ahead))
        policy = version_for(subject, policies, now) or policies[-1]
        events = fall_due(subject, now, policy, revisions=revisions_until(subject, policies, now)).events
        for event in events:
            subject = fold(subject, event, now)
        if subject.erasure is not None:
            return now
        idle = None if events else now
    return None


def _person(
    subject: Subject, ahead: Subject, held: Sequence[WhyHeld], policies: Sequence[Policy], now: datetime
) -> Iterator[Reason]:
    """Settled rule 28: a live ground, a consent in force, a hold, a restriction, an open request, an event of late."""
    for one in held:
        if all(reason.because != RECORD for reason in one.reasons):
            yield Reason(HOLDING, one.earliest, holding=one.holding)
    for consent, coming in zip(subject.consents, ahead.consents, strict=True):
        if consent.in_force(now):
            ends = [end for end in (coming.lapses, coming.until) if end is not None]
            yield Reason(CONSENT, min(ends, default=None), consent.since, purpose=consent.purpose)
    yield from _holds(subject, now)
    for request in open_ones(subject.requests):
        yield Reason(REQUEST, None, request=request.id)
    if subject.last_event_at is not None and now < (rested := identifiers_due(subject.last_event_at, policies)):
        yield Reason(RECENT, rested, subject.last_event_at)
