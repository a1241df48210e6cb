"""What do we hold about a person, why, until when, and what keeps it? Only where values are sealed, never values."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Boolean, Column, Connection, Integer, Table, Text, Uuid

from lifecycle.columns import Instant
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.held import Held, HeldGround, Kept, held_by, in_order
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row, about

metadata = tables_of_a_projection()

current_holding = Table(
    "current_holding",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("holding", Text, primary_key=True),
    Column("category", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("sealed_in", Integer, nullable=False),  # version of the event whose part holds the newest value
    Column("erased_at", Instant),
    Column("erased_by", Integer),
    Column("held_by", Text),  # a system that keeps the value: what is sealed here is its locator
    Column("anonymised", Boolean, nullable=False),
    Column("obstructed_at", Instant),
    Column("transferred_at", Instant),
    sqlite_with_rowid=False,
)

# `until` is the end as it is known now, fixed or computed. Nothing is rewritten when it comes.
current_ground = Table(
    "current_ground",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("holding", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("purpose", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("rule", Text, nullable=False),
    Column("ended", Text),
    Column("kept_until", Instant),  # the statutory minimum that begins when this ground ends
    Column("technology", Text),
    sqlite_with_rowid=False,
)

# What makes a holding storage only, or keeps it when its grounds are gone: restrictions and legal holds.
current_keeper = Table(
    "current_keeper",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("holding", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("because", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    sqlite_with_rowid=False,
)


class Holdings:
    """Rewrites all holdings of each person who changed."""

    name = "holdings"
    version = 5
    tables = (current_holding, current_ground, current_keeper)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        rewrite(c, changes, PORTRAIT)


_OF_A_HOLDING = (
    "holding",
    "category",
    "source",
    "since",
    "sealed_in",
    "erased_at",
    "erased_by",
    "held_by",
    "anonymised",
    "obstructed_at",
    "transferred_at",
)
_OF_A_GROUND = ("number", "purpose", "basis", "since", "until", "rule", "ended", "kept_until", "technology")
_OF_A_KEEPER = ("because", "since", "until")


_values = attrgetter(*_OF_A_HOLDING)


def _describe(subject: Subject) -> tuple[list[Row], list[Row], list[Row]]:
    id, held = subject.id, held_by(subject)
    return (
        [(id, *_values(one)) for one in held],
        [(id, one.holding, *ground) for one in held for ground in one.grounds],
        [(id, one.holding, number, *kept) for one in held for number, kept in enumerate(one.keepers, start=1)],
    )


PORTRAIT = Portrait(Holdings.tables, ("holdings", "activity", "holds", "mandatory_copies"), _describe)


def current_holdings(c: Connection, subject_id: UUID) -> list[Held]:
    """Everything ever held about one person, as it is projected now; three queries, however many holdings."""
    grounds: dict[str, list[HeldGround]] = {}
    for row in about(c, current_ground, ("holding", *_OF_A_GROUND), subject_id):
        grounds.setdefault(row[0], []).append(HeldGround(*row[1:]))
    keepers: dict[str, list[Kept]] = {}
    for row in about(c, current_keeper, ("holding", *_OF_A_KEEPER), subject_id):
        keepers.setdefault(row[0], []).append(Kept(*row[1:]))
    held = [
        Held(**dict(zip(_OF_A_HOLDING, row, strict=True)))
        for row in about(c, current_holding, _OF_A_HOLDING, subject_id)
    ]
    return in_order(
        one._replace(grounds=tuple(grounds.get(one.holding, ())), keepers=tuple(keepers.get(one.holding, ())))
        for one in held
    )
