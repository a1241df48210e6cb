"""What follows when grounds have ended: erasure, or storage only while law or a hold forbids it.

Every act that can end a ground is followed by `settle`, and `fall_due` is what time brings. So a holding lives exactly
as long as its last ground, or as what law or a hold imposes (the law of design.md section 2).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from lifecycle.domain.decision import Decision
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import duty_dues, request_dues
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject.custody_changes import MANDATORY_COPY
from lifecycle.domain.subject.custody_events import MandatoryCopyKept, RestrictionLapsed
from lifecycle.domain.subject.delayed_notices import delayed, notices_due
from lifecycle.domain.subject.fold import MINORS, TERM_OVER, fold
from lifecycle.domain.subject.requests import open_ones
from lifecycle.domain.subject.revising import REVISED, consequences, touched
from lifecycle.domain.subject.revision_events import RevisionTookEffect
from lifecycle.domain.subject.state import Ground, Holding, Subject
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period, day_of
from lifecycle.policy.succession import Revision

STATUTORY = "statutory-minimum"
HOLD = "legal-hold"
BY_LAW = "restricted-by-law"
COPY = MANDATORY_COPY
RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Keeper:
    """What keeps a holding that has no live ground: why, and until when (None: until somebody ends it)."""

    because: str
    until: datetime | None


def keepers(subject: Subject, holding: Holding, at: datetime) -> tuple[Keeper, ...]:
    """Everything that forbids erasing a holding without a live ground (settled rules 23, 24)."""
    found: list[Keeper] = []
    minimum = minimum_until(subject, holding)
    if minimum is not None and at < minimum:
        found.append(Keeper(STATUTORY, minimum))
    if subject.is_on_hold(holding, at):
        found.append(Keeper(HOLD, None))
    lasting = [r for r in holding.restrictions if r.by_law and (r.until is None or at < r.until)]
    if lasting:
        ends = [r.until for r in lasting]
        found.append(Keeper(BY_LAW, None if None in ends else max(end for end in ends if end is not None)))
    copy = subject.mandatory_copies.get(holding.id)
    if copy is not None and at < copy.until:
        found.append(Keeper(COPY, copy.until))
    return tuple(found)


def let_go_at(subject: Subject, holding: Holding, at: datetime) -> datetime | None:
    """The first instant from `at` on at which nothing keeps a holding whose grounds are over; None: not before somebody
    ends what keeps it."""
    while keeping := keepers(subject, holding, at):
        until = [keeper.until for keeper in keeping if keeper.until is not None]
        if len(until) < len(keeping):
            return None
        at = max(until)
    return at


def minimum_until(subject: Subject, holding: Holding) -> datetime | None:
    """The latest statutory minimum among the grounds, each counted from its own end."""
    ends = [(ground.minimum, subject.end_of(ground)) for ground in holding.grounds if ground.minimum is not None]
    instants = [minimum.until(end) for minimum, end in ends if minimum is not None and end is not None]
    return max(instants, default=None)


class Unfolding:
    """A state and the facts that are about to be added to it, each folded in as it is added."""

    def __init__(self, subject: Subject, now: datetime) -> None:
        self.subject = subject
        self.now = now
        self.events: list[DomainEvent] = []

    def add(self, event: DomainEvent) -> None:
        self.events.append(event)
        self.subject = fold(self.subject, event, self.now)

    def decided(self, effects: Iterable[e.Effect] = ()) -> Decision:
        return Decision(tuple(self.events), tuple(effects)).telling()


def expire(unfolding: Unfolding, zone: str) -> None:
    """Record every ground whose period is over: each once, never early."""
    now = unfolding.now
    for holding in unfolding.subject.kept():
        for ground in holding.grounds:
            due = unfolding.subject.end_of(ground)
            if ground.ended is None and due is not None and due <= now:
                unfolding.add(_retention_expired(unfolding, holding, ground, due, zone))


def _retention_expired(
    unfolding: Unfolding, holding: Holding, ground: Ground, due: datetime, zone: str
) -> e.RetentionExpired:
    return e.RetentionExpired(
        occurred_at=unfolding.now,
        holding=holding.id,
        ground=ground.number,
        purpose=ground.purpose,
        rule=unfolding.subject.ending_rule(ground).name,
        due=due,
        due_on=day_of(due, zone),
        done_on=day_of(unfolding.now, zone),
    )


def lapse(unfolding: Unfolding, zone: str) -> None:
    """Record every restriction whose date has come while a ground lives on; of what has none the erasure says it, and
    a birth date is in use all the time."""
    now = unfolding.now
    ended: dict[datetime, list[str]] = {}
    for holding in unfolding.subject.kept():
        if holding.id != unfolding.subject.birth_date and any(ground.ended is None for ground in holding.grounds):
            ends = {each.until for each in holding.restrictions if each.until is not None and not each.over}
            for due in (end for end in ends if end <= now):
                ended.setdefault(due, []).append(holding.id)
    for due, holdings in sorted(ended.items()):
        days = {"due_on": day_of(due, zone), "done_on": day_of(now, zone)}
        unfolding.add(RestrictionLapsed(occurred_at=now, holdings=tuple(holdings), due=due, **days))


def over(unfolding: Unfolding, zone: str) -> frozenset[str]:
    """Record what time has ended so far, and return the holdings that it left without a ground: no later act is the
    ground of their erasure."""
    expire(unfolding, zone)
    return frozenset(holding.id for holding in _groundless(unfolding.subject, unfolding.now))


def _groundless(subject: Subject, now: datetime) -> list[Holding]:
    return [holding for holding in subject.kept() if not subject.is_carried(holding, now)]


def settle(unfolding: Unfolding, because: str, whole: bool = False, overdue: frozenset[str] = frozenset()) -> None:
    """Erase what nothing keeps, restrict what only law or a hold keeps; `because` names the ground of the erasure,
    except of what was `overdue` before.

    With `whole` the person goes too, provided that nothing of theirs has to stay.
    """
    subject, now = unfolding.subject, unfolding.now
    gone: list[str] = []
    kept: dict[tuple[str, datetime | None], list[str]] = {}
    for holding in _groundless(subject, now):
        keeping = keepers(subject, holding, now)
        if not keeping:
            gone.append(holding.id)
        for keeper in keeping:
            if keeper.because in (STATUTORY, HOLD, COPY) and keeper.because not in holding.kept_by:
                kept.setdefault((keeper.because, keeper.until), []).append(holding.id)
    for (why, until), holdings in kept.items():
        unfolding.add(_restricted(now, why, until, holdings))
    if whole and _may_go(unfolding.subject, set(gone), now):
        everything = tuple(holding.id for holding in unfolding.subject.kept())
        unfolding.add(e.ErasureOrdered(occurred_at=now, ground=because, holdings=everything, whole=True))
        return
    for ground, ids in ((RETENTION, overdue.intersection(gone)), (because, set(gone) - overdue)):
        if ids:
            ordered = tuple(id for id in gone if id in ids)
            unfolding.add(e.ErasureOrdered(occurred_at=now, ground=ground, holdings=ordered))


def _restricted(
    now: datetime, why: str, until: datetime | None, holdings: list[str]
) -> e.ProcessingRestricted | MandatoryCopyKept:
    if why == COPY and until is not None:
        return MandatoryCopyKept(occurred_at=now, holdings=tuple(holdings), until=until)
    because = "statutory-minimum" if why == STATUTORY else "legal-hold"
    return e.ProcessingRestricted(
        occurred_at=now, holdings=tuple(holdings), because=because, until=until, by_law=because == STATUTORY
    )


def _may_go(subject: Subject, gone: set[str], now: datetime) -> bool:
    """Whether nothing of the person has to stay once `gone` is gone; the birth date goes with the rest."""
    staying = [
        holding
        for holding in subject.kept()
        if holding.id not in gone and not (_only_tells_age(subject, holding) and not keepers(subject, holding, now))
    ]
    on_hold = any(hold.until is None or now < hold.until for hold in subject.holds.values())
    consents = any(consent.in_force(now) for consent in subject.consents)
    return not (staying or on_hold or consents or open_ones(subject.requests))


def _only_tells_age(subject: Subject, holding: Holding) -> bool:
    """A birth date that nothing else needs lasts as long as the person's record (settled rule 31)."""
    if holding.id != subject.birth_date:
        return False
    return not any(ground.purpose != MINORS and ground.ended is None for ground in holding.grounds)


def effects_of(before: Subject, after: Subject, touched: Iterable[str], now: datetime) -> tuple[e.Effect, ...]:
    """Say for each touched holding what became of it: erased, restricted until when, or kept by which purpose."""
    return tuple(_effect(after, after.holdings[id], now) for id in touched if id in before.holdings)


def _effect(subject: Subject, holding: Holding, now: datetime) -> e.Effect:
    named = {"holding": holding.id, "category": holding.category}
    if holding.anonymised:
        return e.Effect(**named, result="anonymised", because="no-ground-left")
    if holding.erased_at is not None:
        return e.Effect(**named, result="erased", because="no-ground-left")
    live = subject.live_grounds(holding, now)
    if live and not subject.is_restricted(holding, now):
        ends = [subject.end_of(ground) for ground in live]
        until = None if None in ends else max(end for end in ends if end is not None)
        purposes = ", ".join(sorted({ground.purpose for ground in live}))
        return e.Effect(**named, result="kept", because=purposes, until=until)
    keeping = () if live else keepers(subject, holding, now)
    if not keeping:
        asked = [r for r in holding.restrictions if r.until is None or now < r.until]
        until = None if any(r.until is None for r in asked) else max((r.until for r in asked if r.until), default=None)
        because = BY_LAW if any(r.by_law for r in asked) else "asked"
        return e.Effect(**named, result="restricted", because=because, until=until)
    open_ended = [keeper for keeper in keeping if keeper.until is None]
    last = open_ended[0] if open_ended else max(keeping, key=lambda keeper: keeper.until or now)
    return e.Effect(**named, result="restricted", because=last.because, until=last.until)


# -- what time brings ---------------------------------------------------------------------------------------------


class Due(NamedTuple):
    """One thing that time will bring: what, from which instant on, and for what."""

    # "retention", "restriction-end", "storage-only-end", "consent-lapse", "revision", "disclosure-notice",
    # "identifiers", or what request_dues and duty_dues name
    what: str
    due: datetime
    holding: str | None = None
    ground: int | None = None
    purpose: str | None = None
    rule: str | None = None  # of a provisional day: by which calendar it was counted
    not_before: datetime | None = None  # of identifiers: what keeps the record, whatever period a policy gives


def calendar(subject: Subject, policy: Policy) -> tuple[Due, ...]:
    """Everything that will fall due for this person if nothing else happens, in no particular order."""
    asked = [Due(each.what, each.due, each.request, rule=each.counted_by) for each in request_dues.calendar(subject)]
    asked += [Due(duty_dues.OVERDUE, duty.due, duty.instruction) for duty in duty_dues.waiting(subject)]
    if subject.version == 0 or subject.erasure is not None:
        return tuple(asked)
    found = asked + [
        Due("consent-lapse", consent.lapses, purpose=consent.purpose)
        for consent in subject.consents
        if consent.ended is None and consent.lapses is not None
    ]
    for holding in subject.kept():
        found.extend(_due_of(subject, holding))
    found.extend(Due("disclosure-notice", due) for _, due in delayed(subject))
    gone = _identifiers_due(subject, policy)
    return tuple(found) if gone is None else (*found, gone)


def _due_of(subject: Subject, holding: Holding) -> Iterable[Due]:
    open_grounds = [ground for ground in holding.grounds if ground.ended is None]
    for ground in open_grounds:
        end, rule = subject.ending(ground)
        if end is not None:
            yield Due("retention", end, holding.id, ground.number, ground.purpose, rule.name)
    if open_grounds and holding.id != subject.birth_date:
        ends = (each.until for each in holding.restrictions if each.until is not None and not each.over)
        yield from (Due("restriction-end", end, holding.id) for end in ends)
    if not open_grounds and (release := _released_at(subject, holding)) is not None:
        yield Due("storage-only-end", release, holding.id)


def _released_at(subject: Subject, holding: Holding) -> datetime | None:
    """When law lets go of a holding without grounds; None while only somebody's act can end what keeps it."""
    if any(hold.until is None and hold.covers(holding.category, hold.since) for hold in subject.holds.values()):
        return None
    ends = [restriction.until for restriction in holding.restrictions if restriction.by_law]
    minimum, copy = minimum_until(subject, holding), subject.mandatory_copies.get(holding.id)
    if None in ends:
        return None
    return max((end for end in (*ends, minimum, copy.until if copy else None) if end is not None), default=None)


def _identifiers_due(subject: Subject, policy: Policy) -> Due | None:
    """When the person can go altogether (settled rule 28): nothing is left, and nothing happened for a while."""
    stays = (
        any(not _only_tells_age(subject, holding) for holding in subject.kept())
        or any(hold.until is None for hold in subject.holds.values())
        or any(consent.ended is None for consent in subject.consents)
        or bool(open_ones(subject.requests))
        or any(delayed(subject))
    )
    if stays or subject.last_event_at is None:
        return None
    free = [let_go_at(subject, holding, subject.last_event_at) for holding in subject.kept()]
    not_before = max((at for at in free if at is not None), default=subject.last_event_at)
    if None in free:
        return None
    kept = Period(days=policy.identifiers.kept_days_after_last_event)
    rested = kept.due(subject.last_event_at, policy.time_zone)
    return Due("identifiers", max(rested, not_before), not_before=not_before)


def fall_due(
    subject: Subject,
    now: datetime,
    policy: Policy,
    calendars: Calendars = STANDARD,
    revisions: Sequence[Revision] = (),
) -> Decision:
    """Decide what time has brought for this person by `now`. Asked twice, the second time nothing is left to do.

    `policy` is the version in force for the person, `revisions` those that came into force after their first.
    """
    unfolding = Unfolding(subject, now)
    while (event := request_dues.next_event(unfolding.subject, now, policy, calendars)) is not None:
        unfolding.add(event)
    for silence in duty_dues.overdue(subject, now):
        unfolding.add(silence)
    if subject.version == 0 or subject.erasure is not None:
        return unfolding.decided()
    lapsed = dict.fromkeys(
        consent.purpose
        for consent in subject.consents
        if consent.ended is None and consent.lapses is not None and consent.lapses <= now
    )
    if lapsed:
        unfolding.add(e.ConsentExpired(occurred_at=now, purposes=tuple(lapsed), because=TERM_OVER))
    expire(unfolding, policy.time_zone)
    concerned = _revised(unfolding, revisions, policy.time_zone)
    lapse(unfolding, policy.time_zone)
    settle(unfolding, RETENTION)
    for notice in notices_due(subject, now, policy.time_zone):
        unfolding.add(notice)
    if forgotten := request_dues.forgettable(unfolding.subject, now):
        unfolding.add(e.ErasureOrdered(occurred_at=now, ground=RETENTION, holdings=forgotten))
    gone = _identifiers_due(subject, policy)
    if gone is not None and gone.due <= now and not unfolding.events:
        settle(unfolding, "identifiers", whole=True)
    return _telling(unfolding, effects_of(subject, unfolding.subject, concerned, now))


def _telling(unfolding: Unfolding, effects: tuple[e.Effect, ...]) -> Decision:
    """What became of the holdings that a revision concerns is told by the event that says it took effect."""
    for place, event in enumerate(unfolding.events):
        if effects and isinstance(event, RevisionTookEffect):
            unfolding.events[place] = event.model_copy(update={"effects": effects})
            break
    return unfolding.decided()


def _revised(unfolding: Unfolding, revisions: Sequence[Revision], zone: str) -> list[str]:
    """Record what each revision changed, in their order, and return the holdings that it concerns.

    What a revision leaves without a ground is erased, or stored only, because of it; what its shorter periods end
    expires.
    """
    concerned: list[str] = []
    for revision in revisions:
        overdue = over(unfolding, zone)
        events = consequences(unfolding.subject, revision, unfolding.now)
        for event in events:
            unfolding.add(event)
        if events:
            without_cover = touched([event for event in events if isinstance(event, e.GroundEnded)])
            by_time = over(unfolding, zone) - set(without_cover)
            settle(unfolding, REVISED, overdue=overdue | by_time)
            concerned += touched(events)
    return list(dict.fromkeys(concerned))


def revisions_due(subject: Subject, revisions: Sequence[Revision]) -> tuple[Due, ...]:
    """The instants at which a version comes into force for this person and changes what is held already."""
    if subject.version == 0 or subject.erasure is not None:
        return ()
    return tuple(
        Due("revision", each.since, rule=each.policy.version)
        for each in revisions
        if consequences(subject, each, each.since)
    )


def next_instant(subject: Subject, policy: Policy) -> datetime | None:
    """The earliest instant at which `fall_due` would find something to do."""
    return min((due.due for due in calendar(subject, policy)), default=None)
