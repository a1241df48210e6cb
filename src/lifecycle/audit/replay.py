"""How a person's record came to be: the state after every event, folded anew from the events alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.audit.history import events_of
from lifecycle.audit.telling import instant, told
from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.fold import born
from lifecycle.domain.subject.state import Subject
from lifecycle.storage.folding import folded


def known_at(events: Iterable[Recorded], as_known_at: datetime | None) -> list[Recorded]:
    """What was recorded until then: the time of recording never goes back along a stream."""
    return [event for event in events if as_known_at is None or event.recorded_at <= as_known_at]


def state_of(c: Connection, subject_id: UUID, as_known_at: datetime | None = None) -> Subject:
    """What a person's record adds up to, by what was recorded until then; values are not part of it."""
    events = [event for event, _ in events_of(c, subject_id)]
    return folded(None, known_at(events, as_known_at)) or born(subject_id)


def states(events: Iterable[Recorded]) -> Iterator[dict[str, Any]]:
    """The state after each event as JSON, without values."""
    subject: Subject | None = None
    for event in events:
        subject = folded(subject, [event])
        yield {
            "version": event.originator_version,
            "kind": event.event.kind,
            "recorded_at": instant(event.recorded_at),
            "state": told(subject),
        }
