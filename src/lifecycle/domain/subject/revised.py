"""How a revision changes what a person's record adds up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject.revision_events import PolicyAcceptedByUse, RevisionTookEffect
from lifecycle.domain.subject.state import Ground, Limit, Subject

Changes = Mapping[type[DomainEvent], Callable[[Subject, Any, datetime], Subject]]


def _took_effect(subject: Subject, event: RevisionTookEffect, _: datetime) -> Subject:
    limits = {
        (ref.holding, ref.ground): Limit(shorter.rule, event.since)
        for shorter in event.shortened
        for ref in shorter.grounds
    }

    def limited(holding: str, ground: Ground) -> Ground:
        limit = limits.get((holding, ground.number))
        return ground if limit is None else ground._replace(limits=(*ground.limits, limit))

    touched = [subject.holdings[id] for id in dict.fromkeys(id for id, _ in limits)]
    return subject.with_holdings(
        holding._replace(grounds=tuple(limited(holding.id, ground) for ground in holding.grounds))
        for holding in touched
    )


def _accepted(subject: Subject, event: PolicyAcceptedByUse, _: datetime) -> Subject:
    return subject.changed(acceptances=subject.acceptances | {event.notice})


CHANGES: Changes = {RevisionTookEffect: _took_effect, PolicyAcceptedByUse: _accepted}
