"""What was each recipient told to do with its copies, until when, and what did it answer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    Select,
    Table,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    select,
)

from lifecycle.columns import Instant
from lifecycle.domain.subject.duty import DutyState
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

recipient_duty = Table(
    "recipient_duty",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("instruction", Text, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("duty", Text, nullable=False),
    Column("holdings", JSON, nullable=False),
    Column("purposes", JSON, nullable=False),
    Column("agreement", Text),
    Column("because", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("due", Instant, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("answer", Text),
    Column("answered_at", Instant),
    Column("overdue", Boolean, nullable=False),
    Index("ix_recipient_duty_open", "is_open", "due"),
    Index("ix_recipient_duty_recipient", "recipient", "is_open", "due"),
    Index("ix_recipient_duty_instruction", "instruction"),
)
column = recipient_duty.c


@dataclass(frozen=True, slots=True)
class Told:
    """One instruction to one recipient about one person, and what became of it."""

    subject_id: UUID
    instruction: str
    recipient: str
    duty: str
    holdings: Sequence[str]
    purposes: Sequence[str]
    agreement: str | None
    because: str
    since: datetime
    due: datetime
    is_open: bool
    answer: str | None
    answered_at: datetime | None
    overdue: bool

    def state(self, at: datetime) -> DutyState:
        if self.answer is not None:
            return DutyState(self.answer)
        return DutyState.OVERDUE if self.overdue or self.due <= at else DutyState.OPEN


_TOLD = tuple(Told.__slots__)


_values = attrgetter(*(column.name for column in recipient_duty.columns if column.name != "subject_id"))


def _describe(subject: Subject) -> list[list[Row]]:
    """Every duty of a folded state."""
    return [[(subject.id, *_values(duty)) for duty in subject.duties.values()]]


def told_about(subject: Subject) -> list[Told]:
    """The same as `duties_of`, by a folded state."""
    found = [Told(subject.id, *_values(duty)) for duty in subject.duties.values()]
    as_stored = (replace(one, holdings=list(one.holdings), purposes=list(one.purposes)) for one in found)
    return sorted(as_stored, key=lambda one: (one.since, one.instruction))


PORTRAIT = Portrait((recipient_duty,), ("duties",), _describe)


class Duties:
    """Rewrites all duties about each person who changed."""

    name = "duties"
    version = 1
    tables = (recipient_duty,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, PORTRAIT)


def duties_of(c: Connection, subject_id: UUID) -> list[Told]:
    """About one person, as they were told."""
    chosen = _all().where(column.subject_id == subject_id).order_by(column.since, column.instruction)
    return [Told(*row) for row in c.execute(chosen)]


def all_duties(c: Connection, limit: int, recipient: str | None = None, *, only_open: bool = False) -> list[Told]:
    """About everybody, of one recipient or of all; what waits longest comes first."""
    chosen = _all() if recipient is None else _all().where(column.recipient == recipient)
    if only_open:
        chosen = chosen.where(column.is_open)
    in_order = (column.is_open.desc(), column.due, column.subject_id, column.instruction)
    return [Told(*row) for row in c.execute(chosen.order_by(*in_order).limit(limit))]


def told(c: Connection, instruction: str) -> Told | None:
    row = c.execute(_ONE, {"its_instruction": instruction}).one_or_none()
    return None if row is None else Told(*row)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many answers of one recipient are missing, and how many of them are late."""

    open: int = 0
    overdue: int = 0


def waiting_for(c: Connection, at: datetime) -> dict[str, Waiting]:
    """By recipient; who owes no answer is not named."""
    late = func.sum(case((column.due <= at, 1), else_=0))
    rows = c.execute(select(column.recipient, func.count(), late).where(column.is_open).group_by(column.recipient))
    return {recipient: Waiting(count, int(overdue)) for recipient, count, overdue in rows}


def _all() -> Select[Any]:
    return select(*(column[name] for name in _TOLD))


_ONE = _all().where(column.instruction == bindparam("its_instruction"))  # made once: each letter asks it
