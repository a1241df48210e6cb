"""How instructions and their answers change the state of a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import duty_events as e
from lifecycle.domain.subject.duty import COPY_GOES, Duty
from lifecycle.domain.subject.state import Subject


def _instructed(subject: Subject, event: e.RecipientInstructed, _: datetime) -> Subject:
    duty = Duty(
        event.instruction,
        event.recipient,
        event.duty,
        event.holdings,
        event.purposes,
        event.agreement,
        event.because,
        event.occurred_at,
        event.due,
        event.token_hash,
    )
    return subject.changed(duties={**subject.duties, duty.instruction: duty})


def _confirmed(subject: Subject, event: e.RecipientConfirmed, _: datetime) -> Subject:
    """Who has no copy any more owes nothing else for it that it was told before."""
    done = replace(subject.duties[event.instruction], answer="confirmed", answered_at=event.occurred_at)
    duties = {**subject.duties, done.instruction: done}
    if done.duty in COPY_GOES:
        for other in subject.duties.values():
            if _is_covered(other, done):
                duties[other.instruction] = replace(other, answer="covered", answered_at=event.occurred_at)
    return subject.changed(duties=duties)


def _is_covered(other: Duty, done: Duty) -> bool:
    earlier = other.is_open and other.instruction != done.instruction and other.since <= done.since
    return earlier and other.recipient == done.recipient and set(other.holdings) <= set(done.holdings)


def _declined(subject: Subject, event: e.RecipientDeclined, _: datetime) -> Subject:
    duty = replace(subject.duties[event.instruction], answer="declined", answered_at=event.occurred_at)
    return subject.changed(duties={**subject.duties, duty.instruction: duty})


def _overdue(subject: Subject, event: e.RecipientOverdue, _: datetime) -> Subject:
    duty = replace(subject.duties[event.instruction], overdue=True)
    return subject.changed(duties={**subject.duties, duty.instruction: duty})


CHANGES: dict[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {
    e.RecipientInstructed: _instructed,
    e.RecipientConfirmed: _confirmed,
    e.RecipientDeclined: _declined,
    e.RecipientOverdue: _overdue,
}
