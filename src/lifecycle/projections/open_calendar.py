"""What falls due for whom that is no person: for a trustee, and for every other open record?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Connection, Index, Integer, Table, Text, Uuid, delete, func, insert, select

from lifecycle.columns import Instant
from lifecycle.domain.open_records import Named
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, tables_of_a_projection
from lifecycle.value_lists import one_of

open_calendar = Table(
    "open_calendar",
    tables_of_a_projection(),
    Column("stream_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("noun", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("due", Instant, nullable=False),
    Index("ix_open_calendar_due", "due", "stream_id", "number"),
)
column = open_calendar.c


@dataclass(frozen=True, slots=True)
class OpenFalling:
    """One thing that time brings to one open record; the record's own state decides when it is carried out."""

    due: datetime
    stream_id: UUID
    number: int
    noun: str
    name: str
    what: str

    @property
    def named(self) -> Named:
        return self.noun, self.name


_FIELDS = tuple(OpenFalling.__slots__)
_KEY = (column.due, column.stream_id, column.number)


class OpenCalendar:
    """Rewrites the calendar of each record that changed."""

    name = "open-calendar"
    version = 1
    tables = (open_calendar,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        told = [change for change in changes if change.named is not None]
        if not told or not policies:
            return
        c.execute(delete(open_calendar).where(one_of(column.stream_id, [change.stream_id for change in told])))
        rows = [row for change in told for row in _rows(change, policies[-1])]
        if rows:
            c.execute(insert(open_calendar), rows)


def _rows(change: Change, policy: Policy) -> list[dict[str, object]]:
    assert change.named is not None
    assert change.record is not None
    noun, name = change.named
    found = sorted(change.record.calendar(policy))
    return [
        {"stream_id": change.stream_id, "number": number, "noun": noun, "name": name, "what": what, "due": due}
        for number, (due, what) in enumerate(found, start=1)
    ]


def open_due(c: Connection, now: datetime, limit: int) -> list[OpenFalling]:
    """The next things that are due at `now`, longest overdue first."""
    chosen = select(*(column[name] for name in _FIELDS)).where(column.due <= now)
    return [OpenFalling(*row) for row in c.execute(chosen.order_by(*_KEY).limit(limit))]


def next_open_due(c: Connection) -> datetime | None:
    """The earliest instant at which something falls due; it may be past."""
    earliest: datetime | None = c.execute(select(func.min(column.due))).scalar_one()
    return earliest
