"""What time brings to duties of recipients: the last day, without an answer. Of people who are erased too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lifecycle.domain.subject.duty import Duty
from lifecycle.domain.subject.duty_events import RecipientOverdue
from lifecycle.domain.subject.state import Subject

OVERDUE = "recipient-duty"


def waiting(subject: Subject) -> Iterator[Duty]:
    """Duties whose last day has still to come, or has still to be said to have passed."""
    return (duty for duty in subject.duties.values() if duty.is_open and not duty.overdue)


def overdue(subject: Subject, now: datetime) -> Iterator[RecipientOverdue]:
    for duty in waiting(subject):
        if duty.due <= now:
            yield RecipientOverdue(
                occurred_at=now, instruction=duty.instruction, recipient=duty.recipient, due=duty.due
            )
