"""What falls due for whom, and when? Read by `retention due`, by the dry run of the sweep and by the sweep itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Connection, Index, Select, Table, Text, Uuid, bindparam, func, select, tuple_

from lifecycle.columns import instant_of, microseconds
from lifecycle.domain.subject.request_dues import PROVISIONAL
from lifecycle.domain.subject.settling import Due, calendar, revisions_due
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.calendars import Calendars, newest, rank
from lifecycle.policy.countries import STANDARD, published
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period
from lifecycle.policy.succession import Acquaintance
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

IDENTIFIERS = "identifiers"
EVIDENCE = "evidence"
ANYBODY = Acquaintance(None, {})

# A row for all of a person that falls due at one instant, in microseconds. A day that was counted by a calendar which
# may learn more stands before all instants, the further the newer that calendar: so what is due now and what a newer
# calendar moves are one stretch of the index.
retention_calendar = Table(
    "retention_calendar",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("due", BigInteger, primary_key=True, autoincrement=False),
    Column("things", Text, nullable=False),
    Index("ix_retention_calendar_due", "due", "subject_id"),
    sqlite_with_rowid=False,
)
column = retention_calendar.c
IS_AN_INSTANT = column.due >= 0
_BITS = (25, 12, 12, 12)  # of an operator's edition, and of the first three numbers of the library's version


@dataclass(frozen=True, slots=True)
class Falling:
    """One thing that time brings to one person. It proposes; the person's own state decides when it is carried out."""

    due: datetime
    subject_id: UUID
    what: str  # as of `Due`, or "evidence"
    holding: str | None
    ground: int | None
    purpose: str | None
    rule: str | None
    place: int = 0  # in the calendar

    @classmethod
    def of_evidence(cls, subject_id: UUID, due: datetime) -> Falling:
        """Of somebody erased nothing is in the calendar any more; the evidence falls due by a table of its own."""
        return cls(due, subject_id, EVIDENCE, None, None, None, None)


class RetentionCalendar:
    """Rewrites the calendar of each person who changed.

    Before the first policy nobody's data can be recorded, so there is nothing to write then.
    """

    name = "retention-calendar"
    version = 5
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
    places: dict[int, list[Due]] = {}
    for each in will_fall_due(subject, policies):
        places.setdefault(_place(each), []).append(each)
    return [(subject.id, place, _written(together)) for place, together in places.items()]


def _place(found: Due) -> int:
    if found.what == PROVISIONAL and found.rule is not None:
        return before_all_instants(found.rule.split(" ", 1)[1])
    return microseconds(found.due)


def before_all_instants(version: str) -> int:
    """The place of a day that was counted by this version of a calendar, as far as its numbers have room."""
    edition, library = rank(version)
    numbers = (edition, *(number + 1 for number in library[:3]), 0, 0, 0)
    place = 0
    for number, bits in zip(numbers, _BITS, strict=False):
        place = place << bits | min(number, (1 << bits) - 1)
    return -1 - place


def _written(together: Sequence[Due]) -> str:
    """As `[what, purpose, rule, due, [holding, ground, holding, ground]]`: most differ in their holdings alone. `due`
    is told where the place does not."""
    alike: dict[tuple[Any, ...], list[Any]] = {}
    for each in together:
        due = microseconds(each.due) if each.what == PROVISIONAL else None
        alike.setdefault((each.what, each.purpose, each.rule, due), []).extend((each.holding, each.ground))
    return json.dumps([[*said, of] for said, of in alike.items()], separators=(",", ":"))


def _read(subject_id: UUID, place: int, things: str) -> Iterator[Falling]:
    for what, purpose, rule, told, of in json.loads(things):
        due = instant_of(place if told is None else told)
        for holding, ground in zip(of[::2], of[1::2], strict=True):
            yield Falling(due, subject_id, what, holding, ground, purpose, rule, place)


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
    """What is due at `now`, longest overdue first: all that `limit` rows say. Costs what is due, however many people.

    A provisional day is due at once when `calendars` know more than what it was counted by. `after` is the last one
    that the caller has seen, so that whoever pages comes to an end whatever becomes of them.
    """
    rows = c.execute(due_by(now, limit, after, calendars))
    return [falling for row in rows for falling in _read(*row)]


def due_by(now: datetime, limit: int, after: Falling | None = None, calendars: Calendars = STANDARD) -> Select[Any]:
    """The one selector: a stretch of one index."""
    known = newest(calendars.of(id).version for id in published())
    chosen = select(column.subject_id, column.due, column.things).where(
        column.due > before_all_instants(known), column.due <= microseconds(now)
    )
    key = (column.due, column.subject_id)
    if after is not None:
        chosen = chosen.where(tuple_(*key) > tuple_(after.place, bindparam(None, after.subject_id, Uuid)))
    return chosen.order_by(*key).limit(limit)


def next_due(c: Connection) -> datetime | None:
    """The earliest instant at which something falls due; it may be past. A provisional day has a deadline beside it."""
    earliest: int | None = c.execute(select(func.min(column.due)).where(IS_AN_INSTANT)).scalar_one()
    return None if earliest is None else instant_of(earliest)


def people_overdue(c: Connection, now: datetime) -> int:
    """About how many people something is due by now."""
    overdue = IS_AN_INSTANT & (column.due <= microseconds(now))
    return c.execute(select(func.count(column.subject_id.distinct())).where(overdue)).scalar_one()
