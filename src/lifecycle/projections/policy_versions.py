"""Which policy versions were published, who was told of each, and who accepted it?

People about whom nothing is held, nor agreed, are not waited for: a notice would only make us keep them longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, ColumnElement, Connection, Date, Table, Text, Uuid, case, func, insert, select

from lifecycle.columns import Instant
from lifecycle.domain.policy_events import PolicyPublished
from lifecycle.domain.streams import policy_stream
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.policy.succession import takes_effect
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

metadata = tables_of_a_projection()

published_version = Table(
    "published_version",
    metadata,
    Column("version", Text, primary_key=True),
    Column("policy", Text, nullable=False),
    Column("effective", Date, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("published_at", Instant, nullable=False),
)

# People about whom something is held or agreed. Who came when a version was in force already needs no notice of it.
acquainted_person = Table(
    "acquainted_person",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("begun", Instant, nullable=False),
)

told_person = Table(
    "told_person",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("told_at", Instant),  # none: accepted by somebody who came when it was in force
    Column("accepted", Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class VersionStanding:
    """How far one version has come. `to_be_told` counts people for whom it is not in force without a notice."""

    version: str
    policy: str
    effective: date
    fingerprint: str
    published_at: datetime
    told: int
    accepted: int
    to_be_told: int


@dataclass(frozen=True, slots=True)
class Told:
    """One person and one version: when they were told, and whether they accepted it, in words or by going on."""

    subject_id: UUID
    version: str
    told_at: datetime | None
    accepted: bool


class PolicyVersions:
    """Rewrites what each person who changed was told; a publication adds its version."""

    name = "policy-versions"
    version = 1
    tables = (published_version, acquainted_person, told_person)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, ACQUAINTED)
        rewrite(c, changes, TOLD)
        rows = [row for change in changes if change.stream_id == policy_stream() for row in _published(change)]
        if rows:
            c.execute(insert(published_version), rows)


def _published(change: Change) -> Iterable[dict[str, Any]]:
    for sequenced in change.events:
        event = sequenced.recorded.event
        if isinstance(event, PolicyPublished):
            yield {
                "version": event.version,
                "policy": event.policy,
                "effective": event.effective,
                "fingerprint": event.fingerprint,
                "published_at": sequenced.recorded.recorded_at,
            }


def _acquainted(subject: Subject) -> list[list[Row]]:
    concerned = subject.erasure is None and (
        bool(subject.kept()) or any(consent.ended is None for consent in subject.consents)
    )
    return [[(subject.id, subject.begun)] if concerned else []]


def _told(subject: Subject) -> list[list[Row]]:
    if subject.erasure is not None or not (subject.told or subject.acceptances):
        return [[]]
    versions = sorted({*subject.told, *subject.acceptances})
    return [[(subject.id, each, subject.told.get(each), each in subject.acceptances) for each in versions]]


ACQUAINTED = Portrait((acquainted_person,), ("begun", "erasure", "holdings", "consents"), _acquainted)
TOLD = Portrait((told_person,), ("erasure", "told", "acceptances"), _told)


def _waits(policy: Policy) -> ColumnElement[bool]:
    """Of whom this version needs a notice, and who had none."""
    person, told = acquainted_person.c, told_person.c
    was_told = select(told.subject_id).where(
        told.subject_id == person.subject_id, told.version == policy.version, told.told_at.is_not(None)
    )
    return (person.begun < takes_effect(policy)) & ~was_told.exists()


def to_be_told(c: Connection, policy: Policy, limit: int, after: UUID | None = None) -> list[UUID]:
    """People who have to be told before this version is in force for them, a page in the order of their ids."""
    person = acquainted_person.c
    chosen = select(person.subject_id).where(_waits(policy))
    if after is not None:
        chosen = chosen.where(person.subject_id > after)
    return list(c.execute(chosen.order_by(person.subject_id).limit(limit)).scalars())


def waits_for(c: Connection, policy: Policy, person: UUID) -> bool:
    """Whether this person has to be told before the version is in force for them."""
    mine = (acquainted_person.c.subject_id == person) & _waits(policy)
    return c.execute(select(acquainted_person.c.subject_id).where(mine)).first() is not None


def how_many_to_be_told(c: Connection, policy: Policy) -> int:
    return c.execute(select(func.count()).select_from(acquainted_person).where(_waits(policy))).scalar_one()


def standings(c: Connection, policies: Sequence[Policy], offered: Sequence[Policy]) -> list[VersionStanding]:
    """Every published version, oldest first; of one that was replaced nobody has to be told any more."""
    told = told_person.c
    counted = select(
        told.version,
        func.count(told.told_at).label("told"),
        func.sum(case((told.accepted, 1), else_=0)).label("accepted"),
    ).group_by(told.version)
    counts = {row.version: (int(row.told), int(row.accepted)) for row in c.execute(counted)}
    rows = {row.version: row for row in c.execute(select(published_version))}
    return [
        VersionStanding(
            row.version,
            row.policy,
            row.effective,
            row.fingerprint,
            row.published_at,
            *counts.get(row.version, (0, 0)),
            how_many_to_be_told(c, policy) if policy in offered else 0,
        )
        for policy in policies
        if (row := rows.get(policy.version)) is not None
    ]


def people_told(c: Connection, version: str, limit: int, after: UUID | None = None) -> list[Told]:
    """Who was told of one version, or accepted it, a page in the order of their ids."""
    told = told_person.c
    chosen = select(told.subject_id, told.version, told.told_at, told.accepted).where(told.version == version)
    if after is not None:
        chosen = chosen.where(told.subject_id > after)
    return [Told(*row) for row in c.execute(chosen.order_by(told.subject_id).limit(limit))]
