"""Which incidents are there, how far have they come, and who may have been hit? Nobody's name, and no value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Select,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
)

from lifecycle.columns import Instant
from lifecycle.policy.model import Policy
from lifecycle.projections.holdings import current_holding
from lifecycle.projections.projection import Change, columns, records_of, tables_of_a_projection
from lifecycle.projections.recipients import recipient_of_holding
from lifecycle.value_lists import one_of

if TYPE_CHECKING:
    from lifecycle.domain.incident.exposure import Reach
    from lifecycle.domain.incident.incident import Incident

incident = Table(
    "incident",
    tables_of_a_projection(),
    Column("stream_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("nature", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("detected_at", Instant, nullable=False),
    Column("severity", Text),
    Column("risk", Text),
    Column("people", Integer),
    Column("minors", Integer),
    Column("told", Integer, nullable=False),
    Column("untold", Integer),
    Column("to_count", Boolean, nullable=False),
    Column("to_tell", Boolean, nullable=False),
    Column("next_due", Instant),
    Column("missed", Integer, nullable=False),
    Column("closed_at", Instant),
    Index("ix_incident_detected", "detected_at", "name"),
)
column = incident.c

# How far a count has come: numbers alone, and behind whom it goes on. One that is finished goes on when somebody comes;
# then those in front have been told, up to `told_behind`. A note of whoever counts: without it the count begins anew.
incident_count = Table(
    "incident_count",
    incident.metadata,
    Column("stream_id", Uuid, primary_key=True),
    Column("assessed_in", Integer, nullable=False),  # version of the assessment that it counts for
    Column("known_at", Instant, nullable=False),
    Column("after", Uuid, nullable=False),
    Column("tally", JSON, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("told_behind", Uuid),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One incident as it stands. `next_due` is the earliest limit that runs; `missed` counts those that passed."""

    name: str
    nature: str
    status: str
    detected_at: datetime
    severity: str | None
    risk: str | None
    people: int | None
    minors: int | None
    told: int
    untold: int | None
    to_count: bool
    to_tell: bool
    next_due: datetime | None
    missed: int
    closed_at: datetime | None


_FIELDS = tuple(Standing.__slots__)


class Incidents:
    """Rewrites the row of each incident that changed."""

    name = "incidents"
    version = 3
    tables = (incident, incident_count)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        told = list(records_of("incident", changes))
        if not told:
            return
        c.execute(delete(incident).where(one_of(column.stream_id, [change.stream_id for change, _ in told])))
        rows = [{"stream_id": change.stream_id} | columns(standing(one), _FIELDS) for change, one in told]
        c.execute(insert(incident), rows)


def standing(record: Incident) -> Standing:
    assert record.detected is not None, "an incident begins by being detected"
    return Standing(
        name=record.name_id,
        nature=record.detected.nature,
        status=record.status.value,
        detected_at=record.detected.occurred_at,
        severity=record.assessed.severity if record.assessed is not None else None,
        risk=record.assessed.risk if record.assessed is not None else None,
        people=record.counted.people if record.counted is not None else None,
        minors=record.counted.minors if record.counted is not None else None,
        told=record.told,
        untold=record.untold,
        to_count=record.to_count,
        to_tell=record.to_tell,
        next_due=min((clock.due.due for clock in record.clocks if clock.runs), default=None),
        missed=sum(clock.missed for clock in record.clocks),
        closed_at=record.closed_at,
    )


def all_incidents(c: Connection) -> list[Standing]:
    """The newest first."""
    chosen = select(*(column[name] for name in _FIELDS)).order_by(column.detected_at.desc(), column.name)
    return [Standing(*row) for row in c.execute(chosen)]


def waiting(c: Connection) -> list[str]:
    """Incidents for which somebody has to be counted or told."""
    return list(c.execute(select(column.name).where(column.to_count | column.to_tell).order_by(column.name)).scalars())


def counted(c: Connection) -> list[str]:
    """Incidents of which more people may turn out to have been hit, also after they were closed."""
    was_counted = column.people.is_not(None) & ~column.to_count
    return list(c.execute(select(column.name).where(was_counted).order_by(column.name)).scalars())


@dataclass(frozen=True, slots=True)
class Noted:
    """How far a count has come."""

    assessed_in: int
    known_at: datetime
    after: UUID
    tally: dict[str, Any]
    finished: bool = False
    told_behind: UUID | None = None


_NOTED = tuple(Noted.__slots__)


def noted_count(c: Connection, stream: UUID, assessed_in: int) -> Noted | None:
    """None too where the incident was found to be another one since."""
    mine = (incident_count.c.stream_id == stream) & (incident_count.c.assessed_in == assessed_in)
    row = c.execute(select(*(incident_count.c[name] for name in _NOTED)).where(mine)).one_or_none()
    return None if row is None else Noted(*row)


def note_count(c: Connection, stream: UUID, noted: Noted) -> None:
    c.execute(delete(incident_count).where(incident_count.c.stream_id == stream))
    c.execute(insert(incident_count), {"stream_id": stream, **columns(noted, _NOTED)})


def candidates(c: Connection, reach: Reach, after: UUID | None, limit: int) -> list[UUID]:
    """The next people, in the order of their ids, of whom something may have been within reach: their records
    decide. Too many rather than too few."""
    queries = [_holders(reach, after), _given(reach, after)]
    found = {id for query in queries if query is not None for id in c.execute(query.limit(limit)).scalars()}
    return sorted(found, key=lambda id: id.bytes)[:limit]


def _holders(reach: Reach, after: UUID | None) -> Select[Any] | None:
    if reach.scope.store is None and not reach.scope.keys:
        return None
    held = current_holding.c
    query = select(held.subject_id).where(held.since <= reach.window.ends)
    if reach.scope.categories:
        query = query.where(held.category.in_(reach.scope.categories))
    if after is not None:
        query = query.where(held.subject_id > after)
    return query.distinct().order_by(held.subject_id)


def _given(reach: Reach, after: UUID | None) -> Select[Any] | None:
    from lifecycle.domain.incident.exposure import OURS  # noqa: PLC0415 -- most that follows is about people alone

    outside = [reach.scope.store] if reach.scope.store not in (None, *OURS) else []
    names = [name for name in (reach.scope.trustee, *outside) if name is not None]
    if not names:
        return None
    given = recipient_of_holding.c
    query = select(given.subject_id).where(given.recipient.in_(names), given.first <= reach.window.ends)
    if reach.scope.categories:
        query = query.where(given.category.in_(reach.scope.categories))
    if after is not None:
        query = query.where(given.subject_id > after)
    return query.distinct().order_by(given.subject_id)
