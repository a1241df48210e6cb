"""Which requests are open, how far have they come, and until when are they answered? No word of what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Connection, Date, Index, Select, Table, Text, Uuid, select

from lifecycle.columns import Instant
from lifecycle.domain.subject.requests import Request
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

rights_request = Table(
    "rights_request",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("request", Text, primary_key=True),
    Column("asks", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("received", Instant, nullable=False),
    Column("received_on", Date, nullable=False),
    Column("channel", Text, nullable=False),
    Column("region", Text),
    Column("on_behalf", Text),
    Column("duplicate_of", Text),
    Column("about", Text),
    Column("due", Instant),  # none while the clock rests, and after the answer
    Column("due_on", Date, nullable=False),
    Column("rule", Text, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("counted_by", Text, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("extended", Boolean, nullable=False),
    Column("rests_until", Instant),
    Column("missed_at", Instant),
    Column("escalated_to", Text),
    Column("closed_at", Instant),
    Index("ix_rights_request_open", "is_open", "due"),
    Index("ix_rights_request_request", "request"),
)
column = rights_request.c


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it stands. `due_on` is the last day as it was counted; `due` is empty while the clock rests."""

    subject_id: UUID
    request: str
    asks: str
    status: str
    is_open: bool
    received: datetime
    received_on: date
    channel: str
    region: str | None
    on_behalf: str | None
    duplicate_of: str | None
    about: str | None
    due: datetime | None
    due_on: date
    rule: str
    calendar: str
    counted_by: str
    provisional: bool
    extended: bool
    rests_until: datetime | None
    missed_at: datetime | None
    escalated_to: str | None
    closed_at: datetime | None


def asked_by(subject: Subject) -> list[Asked]:
    """Every request of a folded state, as they came in."""
    found = [_asked(subject.id, request) for request in subject.requests.values()]
    return sorted(found, key=lambda one: (one.received, one.request))


def _asked(subject_id: UUID, request: Request) -> Asked:
    limit = request.deadline
    return Asked(
        subject_id=subject_id,
        request=request.id,
        asks=request.asks.value,
        status=request.status.value,
        is_open=request.is_open,
        received=request.at,
        received_on=request.received_on,
        channel=request.channel,
        region=request.region,
        on_behalf=request.on_behalf,
        duplicate_of=request.duplicate_of,
        about=request.about,
        due=request.due,
        due_on=limit.due_on,
        rule=limit.rule,
        calendar=limit.calendar,
        counted_by=limit.version,
        provisional=limit.provisional,
        extended=request.extended,
        rests_until=request.paused.until if request.paused is not None else None,
        missed_at=request.missed_at,
        escalated_to=request.escalated_to,
        closed_at=request.closed_at,
    )


_ASKED = tuple(Asked.__slots__)


class Requests:
    """Rewrites all requests of each person who changed."""

    name = "requests"
    version = 1
    tables = (rights_request,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, PORTRAIT)


_values = attrgetter(*_ASKED)


def _describe(subject: Subject) -> list[list[Row]]:
    return [[_values(asked) for asked in asked_by(subject)]]


PORTRAIT = Portrait((rights_request,), ("requests",), _describe)


def requests_of(c: Connection, subject_id: UUID) -> list[Asked]:
    """Of one person, as they came in."""
    chosen = _all().where(column.subject_id == subject_id).order_by(column.received, column.request)
    return [Asked(*row) for row in c.execute(chosen)]


def all_requests(c: Connection, limit: int, *, only_open: bool) -> list[Asked]:
    """Of everybody, what is due next first; those whose clock rests come last."""
    chosen = _all().where(column.is_open) if only_open else _all()
    in_order = (column.is_open.desc(), column.due.is_(None), column.due, column.received, column.request)
    return [Asked(*row) for row in c.execute(chosen.order_by(*in_order).limit(limit))]


def whose(c: Connection, request: str) -> UUID | None:
    """The person of a request by our id; None if nobody's."""
    found: UUID | None = c.execute(select(column.subject_id).where(column.request == request)).scalar()
    return found


def _all() -> Select[Any]:
    return select(*(column[name] for name in _ASKED))
