"""What an authority forbade to tell for a time: who may know of it when, and the notice that falls due at the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lifecycle.domain.subject import outgoing_events as o
from lifecycle.domain.subject.disclosures import Disclosure
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.periods import day_of


def disclosures_of(subject: Subject, at: datetime) -> tuple[Disclosure, ...]:
    """The disclosures that the person may be told of at `at`. Policy clauses 3.1b, 7.1."""
    return tuple(one for one in subject.disclosures if one.at <= at and one.may_be_told(at))


def delayed(subject: Subject) -> Iterator[tuple[Disclosure, datetime]]:
    """Each disclosure whose notice is still delayed, and when it falls due."""
    for one in subject.disclosures:
        if one.gag_until is not None and not one.notice_due:
            yield one, one.gag_until


def notices_due(subject: Subject, now: datetime, zone: str) -> list[o.DisclosureNoticeDue]:
    return [
        o.DisclosureNoticeDue(
            occurred_at=now, disclosure=one.number, due=due, due_on=day_of(due, zone), done_on=day_of(now, zone)
        )
        for one, due in delayed(subject)
        if due <= now
    ]
