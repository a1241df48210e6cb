"""What do we hold about a person, why, until when, and what keeps it? Only where values are sealed, never values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from uuid import UUID

from sqlalchemy import Boolean, Column, Connection, Integer, Table, Text, Uuid, bindparam, select

from lifecycle.columns import Ask, Instant, ask_together
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.held import Held, HeldGround, Kept, held_by, in_order
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

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


_GROUND = len(_OF_A_HOLDING)  # where in a row of both the ground begins
_WITH_GROUNDS = (
    select(*(current_holding.c[name] for name in _OF_A_HOLDING), *(current_ground.c[name] for name in _OF_A_GROUND))
    .outerjoin_from(
        current_holding,
        current_ground,
        (current_ground.c.subject_id == current_holding.c.subject_id)
        & (current_ground.c.holding == current_holding.c.holding),
    )
    .where(current_holding.c.subject_id == bindparam("id"))
    .order_by(current_holding.c.holding, current_ground.c.number)
)
_KEEPERS = (
    select(current_keeper.c.holding, *(current_keeper.c[name] for name in _OF_A_KEEPER))
    .where(current_keeper.c.subject_id == bindparam("id"))
    .order_by(current_keeper.c.holding, current_keeper.c.number)
)


def asks_for_holdings(subject_id: UUID) -> list[Ask]:
    """What `holdings_in` has to be given the answers to: so that they can be asked together with something else."""
    return [Ask(_WITH_GROUNDS, {"id": subject_id}), Ask(_KEEPERS, {"id": subject_id})]


def holdings_in(with_grounds: Iterable[Row], kept: Iterable[Row]) -> list[Held]:
    """Everything ever held about one person, as it is projected now."""
    keepers: dict[str, list[Kept]] = {}
    for row in kept:
        keepers.setdefault(row[0], []).append(Kept(*row[1:]))
    held: list[Held] = []
    for holding, rows in groupby(with_grounds, key=itemgetter(0)):
        each = list(rows)
        grounds = tuple([HeldGround(*row[_GROUND:]) for row in each if row[_GROUND] is not None])
        *begins, obstructed_at, transferred_at = each[0][:_GROUND]
        own = (grounds, tuple(keepers.get(holding, ())), obstructed_at, transferred_at)
        held.append(Held._make((*begins, *own)))
    return in_order(held)


def current_holdings(c: Connection, subject_id: UUID) -> list[Held]:
    """The same, asked by itself; two questions, however many holdings."""
    return holdings_in(*ask_together(c, asks_for_holdings(subject_id)))
