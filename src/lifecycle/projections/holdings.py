"""What do we hold about a person, why, until when, and what keeps it? Only where values are sealed, never values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Connection, Integer, Table, Text, Uuid, bindparam, event, select

from lifecycle.columns import Ask, Instant, ask_together
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.projections.held import Held, HeldGround, Kept, held_by, in_order
from lifecycle.projections.projection import Change, Portrait, rewrite, tables_of_a_projection
from lifecycle.projections.rows import Row

metadata = tables_of_a_projection()

# A row for each ground of each holding, and one for a holding without: `number` 0. Numbers come before words, which on
# PostgreSQL leaves no gaps between them. `until` is the end as it is known now, fixed or computed; nothing is rewritten
# when it comes.
current_holding = Table(
    "current_holding",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("row", Integer, primary_key=True, autoincrement=False),  # among the person's
    Column("sealed_in", Integer, nullable=False),  # version of the event whose part holds the newest value
    Column("since", Instant, nullable=False),
    Column("ground_since", Instant),
    Column("until", Instant),
    Column("number", Integer, nullable=False),
    Column("holding", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("purpose", Text),
    Column("basis", Text),
    Column("rule", Text),
    Column("anonymised", Boolean, nullable=False),
    Column("erased_at", Instant),
    Column("erased_by", Integer),
    Column("held_by", Text),  # a system that keeps the value: what is sealed here is its locator
    Column("obstructed_at", Instant),
    Column("transferred_at", Instant),
    Column("ended", Text),
    Column("kept_until", Instant),  # the statutory minimum that begins when this ground ends
    Column("technology", Text),
    sqlite_with_rowid=False,
)
column = current_holding.c
HAS_GROUND = column.number > 0


@event.listens_for(current_holding, "after_create")
def _without_key_on_a_server(table: Table, c: Connection, **_: Any) -> None:
    """Rows are read and rewritten by person, and an index that is not unique names each person once: a fifth of the
    key's room. SQLite has the rows in the key. Replication by rows needs another identity then."""
    if c.dialect.name == "sqlite":
        return
    c.exec_driver_sql(f"ALTER TABLE {table.fullname} DROP CONSTRAINT {table.name}_pkey")
    c.exec_driver_sql(f"ALTER TABLE {table.fullname} REPLICA IDENTITY FULL")
    c.exec_driver_sql(f"CREATE INDEX ix_current_holding_subject ON {table.fullname} (subject_id)")


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
    version = 6
    tables = (current_holding, current_keeper)

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
_OF_A_GROUND = ("number", "purpose", "basis", "ground_since", "until", "rule", "ended", "kept_until", "technology")
_OF_A_KEEPER = ("because", "since", "until")
_WITHOUT_GROUND = (0, *[None] * (len(_OF_A_GROUND) - 1))

_values = attrgetter(*_OF_A_HOLDING)
# From what is said of a holding and of a ground, in this order, to the order of the columns behind the first two.
_as_columns = itemgetter(
    *((*_OF_A_HOLDING, *_OF_A_GROUND).index(each.name) for each in list(current_holding.columns)[2:])
)


def _describe(subject: Subject) -> tuple[list[Row], list[Row]]:
    id, held = subject.id, held_by(subject)
    said = [(*_values(one), *ground) for one in held for ground in one.grounds or (_WITHOUT_GROUND,)]
    return (
        [(id, row, *_as_columns(each)) for row, each in enumerate(said, start=1)],
        [(id, one.holding, number, *kept) for one in held for number, kept in enumerate(one.keepers, start=1)],
    )


PORTRAIT = Portrait(Holdings.tables, ("holdings", "activity", "holds", "mandatory_copies"), _describe)


_GROUND = len(_OF_A_HOLDING)  # where in an answer the ground begins
_WITH_GROUNDS = (
    select(*(column[name] for name in (*_OF_A_HOLDING, *_OF_A_GROUND)))
    .where(column.subject_id == bindparam("id"))
    .order_by(column.row)
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
        grounds = tuple([HeldGround(*row[_GROUND:]) for row in each if row[_GROUND]])
        *begins, obstructed_at, transferred_at = each[0][:_GROUND]
        own = (grounds, tuple(keepers.get(holding, ())), obstructed_at, transferred_at)
        held.append(Held._make((*begins, *own)))
    return in_order(held)


def current_holdings(c: Connection, subject_id: UUID) -> list[Held]:
    """The same, asked by itself; two questions, however many holdings."""
    return holdings_in(*ask_together(c, asks_for_holdings(subject_id)))
