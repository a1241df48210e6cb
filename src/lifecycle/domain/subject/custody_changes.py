"""How facts about storage only change the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import custody_events as c
from lifecycle.domain.subject.state import Copy, Holding, Restriction, Subject

MANDATORY_COPY = "mandatory-copy"


def _lapsed(subject: Subject, event: c.RestrictionLapsed, _: datetime) -> Subject:
    def over(restriction: Restriction) -> Restriction:
        has_ended = restriction.until is not None and restriction.until <= event.due
        return replace(restriction, over=True) if has_ended else restriction

    return subject.with_holdings(
        subject.holdings[id]._replace(restrictions=tuple(map(over, subject.holdings[id].restrictions)))
        for id in event.holdings
    )


def _preserved(subject: Subject, event: c.CopyPreserved, _: datetime) -> Subject:
    """Refused again, the longest counts."""
    copies = dict(subject.mandatory_copies)
    for id in event.holdings:
        before = copies.get(id)
        if before is None or before.until < event.until:
            copies[id] = Copy(before.since if before else event.occurred_at, event.until, event.law)
    return subject.changed(mandatory_copies=copies)


def _copy_kept(subject: Subject, event: c.MandatoryCopyKept, _: datetime) -> Subject:
    kept = (subject.holdings[id] for id in event.holdings)
    return subject.with_holdings(each._replace(kept_by=each.kept_by | {MANDATORY_COPY}) for each in kept)


def _obstructed(subject: Subject, event: c.ErasureObstructed, recorded_at: datetime) -> Subject:
    def obstructed(holding: Holding) -> Holding:
        return holding._replace(obstructed_at=holding.obstructed_at or recorded_at)

    return subject.with_holdings(obstructed(subject.holdings[id]) for id in event.holdings)


CHANGES: dict[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]] = {
    c.RestrictionLapsed: _lapsed,
    c.CopyPreserved: _preserved,
    c.MandatoryCopyKept: _copy_kept,
    c.ErasureObstructed: _obstructed,
}
