"""Who has been given what of a person, when first, when last, and how often?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Connection, Integer, Table, Text, Uuid, select

from lifecycle.columns import Instant
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.projection import Change, Row, columns, moved, rewrite, tables_of_a_projection

recipient_of_holding = Table(
    "recipient_of_holding",
    tables_of_a_projection(),
    Column("subject_id", Uuid, primary_key=True),
    Column("holding", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("category", Text, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("times", Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class GivenTo:
    """A recipient keeps its copy until it confirms otherwise: erasing ours does not end this row."""

    holding: str
    recipient: str
    category: str
    first: datetime
    last: datetime
    times: int


def given_by(subject: Subject, at: datetime | None = None) -> list[GivenTo]:
    """What a folded state says was given away; with `at`, until then."""
    given: list[GivenTo] = []
    for holding in subject.holdings.values():
        when: dict[str, list[datetime]] = {}
        for share in holding.shares:
            if at is None or share.at <= at:
                when.setdefault(share.recipient, []).append(share.at)
        given.extend(
            GivenTo(holding.id, recipient, holding.category, min(times), max(times), len(times))
            for recipient, times in when.items()
        )
    return sorted(given, key=lambda one: (one.recipient, one.holding))


_FIELDS = tuple(GivenTo.__slots__)


class Recipients:
    """Rewrites all recipients of each person who changed."""

    name = "recipients"
    version = 1
    tables = (recipient_of_holding,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, recipient_of_holding, moved(changes, given_by), _rows)


def _rows(subject_id: UUID, given: GivenTo) -> list[Row]:
    return [{"subject_id": subject_id} | columns(given, _FIELDS)]


column = recipient_of_holding.c
_GIVEN = select(*(column[name] for name in _FIELDS)).order_by(column.recipient, column.holding)


def current_recipients(c: Connection, subject_id: UUID) -> list[GivenTo]:
    """Who was ever given something of one person, as it is projected now."""
    return [GivenTo(*row) for row in c.execute(_GIVEN.where(column.subject_id == subject_id))]
