"""Who asked what, when, and with what outcome? Refusals are in it too, also those about people whom nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Column, Connection, Index, Integer, Table, Text, Uuid, select

from lifecycle.columns import Instant
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.events import CommandRefused, PersonalDataRead
from lifecycle.domain.subject.package_events import AccessPackageMade
from lifecycle.ledger.tables import Position
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, Sequenced, tables_of_a_projection
from lifecycle.projections.rows import Row, put

Outcome = Literal["done", "refused", "read"]
READS = (PersonalDataRead, CustodyOpened, AccessPackageMade)

audit_trail = Table(
    "audit_trail",
    tables_of_a_projection(),
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("stream_id", Uuid, nullable=False),
    Column("subject_id", Uuid),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("command", Text),  # of a refusal: what was asked
    Column("role", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("clause", Text),
    Column("purpose", Text),
    Column("policy", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index("ix_audit_trail_subject_id", "subject_id", "position"),
)
column = audit_trail.c


@dataclass(frozen=True, slots=True)
class Asked:
    """One act or attempt. `subject_id` is None where it concerned nobody, or nobody known."""

    position: int
    stream_id: UUID
    subject_id: UUID | None
    version: int
    kind: str
    command: str | None
    role: str
    outcome: Outcome
    code: str | None
    clause: str | None
    purpose: str | None
    policy: str
    occurred_at: datetime
    recorded_at: datetime


class AuditTrail:
    """Adds a row for each event of every stream."""

    name = "audit-trail"
    version = 1
    tables = (audit_trail,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        put(c, audit_trail, [_row(change, sequenced) for change in changes for sequenced in change.events])


def _row(change: Change, sequenced: Sequenced) -> Row:
    recorded = sequenced.recorded
    event, judged = recorded.event, recorded.judged
    refused = event if isinstance(event, CommandRefused) else None
    return (
        sequenced.position,
        change.stream_id,
        change.subject_id,
        recorded.originator_version,
        event.kind,
        refused.command if refused else None,
        judged.role,
        "refused" if refused else "read" if isinstance(event, READS) else "done",
        refused.code if refused else None,
        refused.clause if refused else None,
        _purpose(event),
        judged.policy,
        event.occurred_at,
        recorded.recorded_at,
    )


def _purpose(event: object) -> str | None:
    said = event.__dict__  # of some events a purpose is one, of some several, of most none
    purposes: tuple[str, ...] = said.get("purposes", ())
    return ", ".join(purposes) or said.get("purpose")


_ASKED = select(*(column[name] for name in Asked.__slots__)).order_by(column.position)


def trail(c: Connection, subject_id: UUID | None, limit: int, after: int = -1) -> list[Asked]:
    """The next `limit` acts and attempts behind the position `after`: of one person, or of everybody."""
    chosen = _ASKED.where(column.position > after)
    if subject_id is not None:
        chosen = chosen.where(column.subject_id == subject_id)
    return [Asked(*row) for row in c.execute(chosen.limit(limit))]
