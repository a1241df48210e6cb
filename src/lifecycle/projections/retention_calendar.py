"""What falls due for whom, and when? Read by `retention due`, by the dry run of the sweep and by the sweep itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    event,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from lifecycle.columns import Instant
from lifecycle.domain.subject.request_dues import PROVISIONAL
from lifecycle.domain.subject.settling import Due, calendar, revisions_due
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.calendars import Calendars, is_newer
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period
from lifecycle.policy.succession import Acquaintance
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

IDENTIFIERS = "identifiers"
EVIDENCE = "evidence"
ANYBODY = Acquaintance(None, {})

retention_calendar = Table(
    "retention_calendar",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("due", Instant, nullable=False),
    Column("what", Text, nullable=False),
    Column("holding", Text),
    Column("ground", Integer),
    Column("purpose", Text),
    Column("rule", Text),
    Index("ix_retention_calendar_due", "due", "subject_id", "number"),
    sqlite_with_rowid=False,
)
column = retention_calendar.c
# Written out: of a parameter no engine knows beforehand that the partial index serves.
IS_PROVISIONAL = column.what == literal_column(f"'{PROVISIONAL}'")


@event.listens_for(retention_calendar, "after_create")
def _index_what_is_provisional(table: Table, c: Connection, **_: Any) -> None:
    """A statement, not an `Index`: a partial one has every start load the dialects of both engines."""
    name = table.name if c.dialect.name == "sqlite" else table.fullname
    c.exec_driver_sql(f"CREATE INDEX ix_retention_calendar_provisional ON {name} (rule) WHERE what = '{PROVISIONAL}'")


@dataclass(frozen=True, slots=True)
class Falling:
    """One thing that time brings to one person. It proposes; the person's own state decides when it is carried out."""

    due: datetime
    subject_id: UUID
    number: int
    what: str  # as of `Due`, or "evidence"
    holding: str | None
    ground: int | None
    purpose: str | None
    rule: str | None

    @classmethod
    def of_evidence(cls, subject_id: UUID, due: datetime) -> Falling:
        """Of somebody erased nothing is in the calendar any more; the evidence falls due by a table of its own."""
        return cls(due, subject_id, 0, EVIDENCE, None, None, None, None)


class RetentionCalendar:
    """Rewrites the calendar of each person who changed.

    Before the first policy nobody's data can be recorded, so there is nothing to write then.
    """

    name = "retention-calendar"
    version = 4
    tables = (retention_calendar,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        if not policies:
            return
        # It looks at when the last event was, which is another instant after each.
        portrait = Portrait((retention_calendar,), ("version",), lambda subject: [_rows(subject, policies)])
        rewrite(c, changes, portrait)


def _rows(subject: Subject, policies: Sequence[Policy]) -> list[Row]:
    """By the versions that bind this person: one that is published later binds nobody who was not told of it, so a
    publication alone moves no row."""
    if subject.begun is None:
        return []
    found = enumerate(will_fall_due(subject, policies), start=1)
    return [
        (subject.id, number, each.due, each.what, each.holding, each.ground, each.purpose, each.rule)
        for number, each in found
    ]


def will_fall_due(subject: Subject, policies: Sequence[Policy]) -> list[Due]:
    """Everything that will fall due for this person if nothing else happens, by the policy in force by then."""
    coming = revisions_due(subject, subject.acquaintance.revisions(policies))
    return [*(_under_all(found, subject, policies) for found in calendar(subject, policies[-1])), *coming]


def _under_all(found: Due, subject: Subject, policies: Sequence[Policy]) -> Due:
    if found.what != IDENTIFIERS or subject.last_event_at is None:
        return found
    due = identifiers_due(subject.last_event_at, policies, subject.acquaintance)
    return found._replace(due=due if found.not_before is None else max(due, found.not_before))


def identifiers_due(last_event_at: datetime, policies: Sequence[Policy], known: Acquaintance = ANYBODY) -> datetime:
    """The first instant at which the policy that is in force then lets a person go for whom nothing is left.

    A version that takes effect later may bring the day forward, but not before it is in force for the person.
    """
    binding = [(since, policy) for policy in policies if (since := known.since(policy)) is not None]
    instants = [(max(_let_go(policy, last_event_at), since), policy) for since, policy in binding]
    return min(instant for instant, policy in instants if known.in_force(policies, instant) is policy)


def _let_go(policy: Policy, last_event_at: datetime) -> datetime:
    kept = Period(days=policy.identifiers.kept_days_after_last_event)
    return kept.due(last_event_at, policy.time_zone)


def due(
    c: Connection, now: datetime, limit: int, after: Falling | None = None, calendars: Calendars = STANDARD
) -> list[Falling]:
    """The next `limit` things that are due at `now`, longest overdue first. Costs what is due, however many people.

    A provisional day is due at once when `calendars` know more than what it was counted by. `after` is the last one
    that the caller has seen, so that whoever pages comes to an end whatever becomes of them.
    """
    return [Falling(*row) for row in c.execute(due_by(now, limit, after, _outdated(c, calendars)))]


def _outdated(c: Connection, calendars: Calendars) -> list[str]:
    """By which older calendars a day was counted that is still provisional; hardly ever one."""
    counted_by = c.execute(select(column.rule).where(IS_PROVISIONAL).distinct()).scalars()
    by = [(name, *name.split(" ", 1)) for name in counted_by if name is not None]
    return [name for name, id, version in by if is_newer(calendars.of(id).version, version)]


def due_by(now: datetime, limit: int, after: Falling | None = None, outdated: Sequence[str] = ()) -> Select[Any]:
    """The one selector."""
    key = (column.due, column.subject_id, column.number)
    falls = column.due <= now
    if outdated:
        falls = or_(falls, and_(IS_PROVISIONAL, column.rule.in_(outdated)))
    chosen = select(*(column[name] for name in Falling.__slots__)).where(falls)
    if after is not None:
        seen = (bindparam(None, after.due, Instant), bindparam(None, after.subject_id, Uuid), after.number)
        chosen = chosen.where(tuple_(*key) > tuple_(*seen))
    return chosen.order_by(*key).limit(limit)


def next_due(c: Connection) -> datetime | None:
    """The earliest instant at which something falls due; it may be past."""
    earliest: datetime | None = c.execute(select(func.min(column.due))).scalar_one()
    return earliest
