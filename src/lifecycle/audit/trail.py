"""Who asked what, when, and with what outcome? Refusals are in it too, also those about people whom nobody knows.

Read from the events by their positions: everything that it says is in their headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.streams import access_stream_of, is_access_stream, is_person_stream, subject_of_access
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.events import CommandRefused, PersonalDataRead
from lifecycle.domain.subject.package_events import AccessPackageMade
from lifecycle.ledger.tables import event_position
from lifecycle.storage.mapper import recorded
from lifecycle.storage.tables import event_header

Outcome = Literal["done", "refused", "read"]
READS = (PersonalDataRead, CustodyOpened, AccessPackageMade)

_place, _head = event_position.c, event_header.c
_EVENTS = (
    select(_place.position, _place.stream_id, _place.version, _head.header)
    .join(event_header, (_head.stream_id == _place.stream_id) & (_head.version == _place.version))
    .order_by(_place.position)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One act or attempt. `subject_id` is None where it concerned nobody, or nobody known."""

    position: int
    stream_id: UUID
    subject_id: UUID | None
    version: int
    kind: str
    command: str | None  # of a refusal: what was asked
    role: str
    outcome: Outcome
    code: str | None
    clause: str | None
    purpose: str | None
    policy: str
    occurred_at: datetime
    recorded_at: datetime


def trail(c: Connection, subject_id: UUID | None, limit: int, after: int = -1) -> list[Asked]:
    """The next `limit` acts and attempts behind the position `after`: of one person, or of everybody."""
    chosen = _EVENTS.where(_place.position > after)
    if subject_id is not None:
        chosen = chosen.where(_place.stream_id.in_((subject_id, access_stream_of(subject_id))))
    return [_asked(*row) for row in c.execute(chosen.limit(limit))]


def _asked(position: int, stream_id: UUID, version: int, header: bytes) -> Asked:
    said = recorded(stream_id, version, header)
    event, judged = said.event, said.judged
    refused = event if isinstance(event, CommandRefused) else None
    return Asked(
        position=position,
        stream_id=stream_id,
        subject_id=_subject_of(stream_id),
        version=version,
        kind=event.kind,
        command=refused.command if refused else None,
        role=judged.role,
        outcome="refused" if refused else "read" if isinstance(event, READS) else "done",
        code=refused.code if refused else None,
        clause=refused.clause if refused else None,
        purpose=_purpose(event),
        policy=judged.policy,
        occurred_at=event.occurred_at,
        recorded_at=said.recorded_at,
    )


def _subject_of(stream_id: UUID) -> UUID | None:
    if is_access_stream(stream_id):
        return subject_of_access(stream_id)
    return stream_id if is_person_stream(stream_id) else None


def _purpose(event: DomainEvent) -> str | None:
    said = event.__dict__  # of some events a purpose is one, of some several, of most none
    purposes: tuple[str, ...] = said.get("purposes", ())
    return ", ".join(purposes) or said.get("purpose")
