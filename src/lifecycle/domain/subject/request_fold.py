"""How each fact about a request changes the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import request_events as e
from lifecycle.domain.subject.requests import Pause, Request, Status
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.deadlines import Deadline
from lifecycle.policy.vocabulary import PauseReason


def _with(subject: Subject, event: Any, **changes: Any) -> Subject:
    """The request with these changes. Which events tell of it is remembered, so that its words are found again."""
    request: Request = subject.requests[event.request]
    changed = replace(request, told_in=(*request.told_in, subject.version), **changes)
    return subject.changed(requests={**subject.requests, request.id: changed})


def _received(subject: Subject, event: e.RequestReceived, _: datetime) -> Subject:
    at = event.occurred_at
    waits = None if event.waits_until is None else Pause(at, PauseReason.IDENTITY, event.waits_until)
    request = Request(
        id=event.request,
        asks=event.asks,
        at=at,
        received_on=event.received_on,
        channel=event.channel,
        deadlines=event.deadlines,
        first_due_on=event.deadlines[0].due_on,
        needs_identity=event.identity != "not-needed",
        verified=event.identity == "proven",
        paused=waits,
        on_behalf=event.on_behalf,
        authorised=event.authorised is not False,
        region=event.region,
        duplicate_of=event.duplicate_of,
        about=event.about,
    )
    return _with(subject.changed(requests={**subject.requests, request.id: request}), event)


def _going_on(subject: Subject, event: Any, limits: tuple[Deadline, ...] | None) -> dict[str, Any]:
    """The clock runs by these limits from now on."""
    if limits is None:
        return {}
    rested = subject.requests[event.request].rested + event.rested
    return {"deadlines": limits, "paused": None, "warned": False, "rested": rested}


def _verified(subject: Subject, event: e.RequesterVerified, _: datetime) -> Subject:
    return _with(subject, event, verified=True, **_going_on(subject, event, event.deadlines))


def _paused(subject: Subject, event: e.RequestPaused, _: datetime) -> Subject:
    pause = Pause(event.occurred_at, event.because, event.until)
    doubted = {"needs_identity": True} if event.because is PauseReason.IDENTITY else {}
    return _with(subject, event, paused=pause, **doubted)


def _resumed(subject: Subject, event: e.RequestResumed, _: datetime) -> Subject:
    return _with(subject, event, **_going_on(subject, event, event.deadlines))


def _extended(subject: Subject, event: e.DeadlineExtended, _: datetime) -> Subject:
    return _with(subject, event, deadlines=event.deadlines, extended=True, warned=False)


def _recomputed(subject: Subject, event: e.DeadlineRecomputed, _: datetime) -> Subject:
    return _with(subject, event, deadlines=event.deadlines, warned=False)


def _nearing(subject: Subject, event: e.DeadlineNearing, _: datetime) -> Subject:
    return _with(subject, event, warned=True)


def _missed(subject: Subject, event: e.DeadlineMissed, _: datetime) -> Subject:
    return _with(subject, event, missed_at=event.due)


def _closed(status: Status) -> Callable[[Subject, Any, datetime], Subject]:
    def close(subject: Subject, event: Any, _: datetime) -> Subject:
        at = event.occurred_at
        closed = {"closed": status, "closed_at": at, "words_due": event.kept.due(at), "paused": None}
        together = {id: replace(subject.requests[id], **closed) for id in getattr(event, "together", ())}
        return _with(subject.changed(requests={**subject.requests, **together}), event, **closed)

    return close


def _escalated(subject: Subject, event: e.ComplaintEscalated, _: datetime) -> Subject:
    return _with(subject, event, escalated_to=event.region)


CHANGES: dict[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {
    e.RequestReceived: _received,
    e.RequesterVerified: _verified,
    e.RequestPaused: _paused,
    e.RequestResumed: _resumed,
    e.DeadlineExtended: _extended,
    e.DeadlineRecomputed: _recomputed,
    e.DeadlineNearing: _nearing,
    e.DeadlineMissed: _missed,
    e.RequestFulfilled: _closed(Status.FULFILLED),
    e.RequestRefused: _closed(Status.REFUSED),
    e.RequestWithdrawn: _closed(Status.WITHDRAWN),
    e.ComplaintEscalated: _escalated,
}
