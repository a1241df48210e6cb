"""Everything that projections hold, for comparing; and one that counts, so that nothing can happen twice unseen."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert, select, update

from lifecycle.policy.model import Policy
from lifecycle.projections.incidents import incident_count
from lifecycle.projections.projection import SCHEMA, Change, Projection
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.database import Database

tally = Table(
    "tally",
    MetaData(schema=SCHEMA),
    Column("kind", Text, primary_key=True),
    Column("times", Integer, nullable=False),
)


class Tally:
    """How often has each kind of event happened? Not idempotent on purpose."""

    name = "tally"
    version = 1
    tables = (tally,)

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        for change in changes:
            for _, recorded in change.events:
                one = tally.c.kind == recorded.event.kind
                if c.execute(update(tally).where(one).values(times=tally.c.times + 1)).rowcount == 0:
                    c.execute(insert(tally).values(kind=recorded.event.kind, times=1))


class Failing(Tally):
    """Stops in the middle of its `at`-th batch, after it has written."""

    def __init__(self, at: int) -> None:
        self.left = at

    def apply(self, c: Connection, changes: Sequence[Change], policies: Sequence[Policy]) -> None:
        super().apply(c, changes, policies)
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("crashed")


def everything(
    database: Database, projections: Sequence[Projection] = PROJECTIONS
) -> dict[str, list[tuple[object, ...]]]:
    """All that follows from events: not the note of a count, without which it is made anew (ADR 0060)."""
    with database.read() as c:
        return {
            table.name: [tuple(row) for row in c.execute(select(table).order_by(*table.primary_key.columns))]
            for projection in projections
            for table in projection.tables
            if table is not incident_count
        }


def counted(database: Database) -> dict[str, int]:
    with database.read() as c:
        return {row.kind: row.times for row in c.execute(select(tally))}
