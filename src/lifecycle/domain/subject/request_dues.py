"""What time brings to requests: a warning, a missed deadline, the end of a pause, a better calendar, forgetting."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from lifecycle.domain.decision import Asked
from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import request_events as e
from lifecycle.domain.subject.requesting import resumed
from lifecycle.domain.subject.requests import Request, is_answered_with_another, open_ones
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.calendars import Calendars
from lifecycle.policy.deadlines import Clock
from lifecycle.policy.model import Policy

WARNING = "request-warning"
DEADLINE = "request-deadline"
PAUSE = "request-pause-end"
PROVISIONAL = "request-provisional"
RECORDS = "request-records"


class RequestDue(NamedTuple):
    """What, from when on, of which request; of a provisional day also by which calendar it was counted."""

    what: str
    due: datetime
    request: str
    counted_by: str | None = None


def calendar(subject: Subject) -> Iterator[RequestDue]:
    """Everything that will fall due for this person's requests if nothing else happens."""
    for request in subject.requests.values():
        if request.is_open:
            yield from _of_open(subject, request)
        elif request.words_due is not None and may_forget(subject, request):
            yield RequestDue(RECORDS, request.words_due, request.id)


def _of_open(subject: Subject, request: Request) -> Iterator[RequestDue]:
    if request.paused is not None:
        yield RequestDue(PAUSE, request.paused.until, request.id)
        return
    if request.missed_at is not None or is_answered_with_another(subject.requests, request):
        return
    limit = request.deadline
    yield RequestDue(DEADLINE, limit.due, request.id)
    if subject.erasure is not None:  # of somebody erased only the end of the clock may still be told
        return
    if not request.warned:
        yield RequestDue(WARNING, limit.warn, request.id)
    for each in request.deadlines:
        if each.provisional:
            yield RequestDue(PROVISIONAL, limit.due, request.id, f"{each.calendar} {each.version}")


def may_forget(subject: Subject, request: Request) -> bool:
    """Whether the words of an answered request only wait for their time; a hold on everything keeps them too."""
    on_hold = any(hold.until is None and not hold.categories for hold in subject.holds.values())
    return not request.words_gone and subject.erasure is None and not on_hold


def forgettable(subject: Subject, now: datetime) -> tuple[str, ...]:
    """The requests whose words have to go by now."""
    return tuple(
        request.id
        for request in subject.requests.values()
        if request.words_due is not None and request.words_due <= now and may_forget(subject, request)
    )


def next_event(subject: Subject, now: datetime, policy: Policy, calendars: Calendars) -> DomainEvent | None:
    """One thing that is due by now; folded in, it is so no longer."""
    asked = Asked(now, now, policy, calendars=calendars)
    events = (event for request in open_ones(subject.requests) if (event := _due(subject, request, asked)))
    return next(events, None)


def _due(subject: Subject, request: Request, asked: Asked) -> DomainEvent | None:
    now = asked.now
    if request.paused is not None:
        return _pause_over(request, asked) if request.paused.until <= now else None
    if request.missed_at is not None or is_answered_with_another(subject.requests, request):
        return None
    clock = Clock(asked.policy, asked.calendars)
    if subject.erasure is None and any(clock.is_outdated(each) for each in request.deadlines):
        return e.DeadlineRecomputed(
            occurred_at=now,
            request=request.id,
            was=request.deadline.due_on,
            because="calendar",
            deadlines=clock.recounted(request.deadlines),
        )
    return _nearing_or_missed(subject, request, now)


def _nearing_or_missed(subject: Subject, request: Request, now: datetime) -> DomainEvent | None:
    limit = request.deadline
    if limit.due <= now:
        return e.DeadlineMissed(occurred_at=now, request=request.id, due=limit.due, due_on=limit.due_on)
    if limit.warn <= now and not request.warned and subject.erasure is None:
        return e.DeadlineNearing(occurred_at=now, request=request.id, due=limit.due, due_on=limit.due_on)
    return None


def _pause_over(request: Request, asked: Asked) -> DomainEvent:
    """Nobody waits for ever: from the end of the longest pause the clock runs, and with it whoever has to answer."""
    assert request.paused is not None
    limits, rested = resumed(asked, request, _day_before(request.paused.until, asked.policy))
    return e.RequestResumed(
        occurred_at=asked.now, request=request.id, because="pause-over", deadlines=limits, rested=rested
    )


def _day_before(instant: datetime, policy: Policy) -> date:
    """The last day of a pause: the day on which it ends, from its first instant, counts again."""
    return policy.day_of(instant) - timedelta(days=1)
