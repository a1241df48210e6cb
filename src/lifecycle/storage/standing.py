"""How far each projection has followed the log, and making, emptying and renewing what they stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from lifecycle.columns import Ask, ask_together
from lifecycle.errors import Invalid, StoreUnavailable, shown
from lifecycle.ledger.tables import event_position
from lifecycle.projections.projection import SCHEMA, Projection, tables_of_a_projection
from lifecycle.storage.tables import stream_head

_ONE_AT_A_TIME = 7_305_815  # any number: the lock that processes contend for who make the tables at once

# `position` counts the leaves of the log that are in the projection: it is the next one to be followed.
projection_position = Table(
    "projection_position",
    tables_of_a_projection(),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
)
column = projection_position.c
_POSITIONS = Ask(select(column.name, column.version, column.position), {})


class MadeByNewer(StoreUnavailable):
    """A newer program keeps these projections in another form; going back would undo its work."""

    remedy = "install the version of lifecycle that made them, or a later one"


class UnknownProjection(Invalid):
    code = "unknown-projection"
    remedy = "name one of these; `lifecycle projections rebuild` without a name rebuilds them all"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no projection {shown(name)}; there are {', '.join(known)}.")


class Overtaken(Exception):
    """Somebody else follows too and was faster, or makes the tables anew."""


def positions(c: Connection, projections: Iterable[Projection]) -> dict[str, int]:
    """Where the projections stand, by name; one that must be made or made anew is missing."""
    known = {row.name: row for row in ask_together(c, [_POSITIONS])[0]}
    for projection in projections:
        if projection.name in known and known[projection.name].version > projection.version:
            raise MadeByNewer(f"The projection {projection.name!r} was made by a newer program.")
    fitting = (p.name for p in projections if p.name in known and known[p.name].version == p.version)
    return {name: known[name].position for name in fitting}


def followed(c: Connection, projections: Sequence[Projection]) -> int:
    """How many leaves of the log are in every projection."""
    return min(positions(c, projections).values(), default=0)


def asks_how_far(projections: Sequence[Projection], stream_id: UUID) -> Ask:
    """What `is_up_to_date` has to be given the answer to: so that it can be asked together with something else."""
    return Ask(_how_far(tuple((each.name, each.version) for each in projections)), {"stream_id": stream_id})


def is_up_to_date(projections: Sequence[Projection], answer: Sequence[Any]) -> bool:
    """Whether there is this stream, and every projection is made as it should be and has the newest event."""
    if not answer:
        return False
    version, position, made, least = answer[0]
    return made == len(projections) and (version == 0 or (position is not None and position < least))


@cache
def _how_far(made: tuple[tuple[str, int], ...]) -> Select[Any]:
    """One row: the stream's head, the place of its newest event, and how many of these projections there are and how
    far the last of them is."""
    head, place = stream_head.c, event_position.c
    # Names and numbers of our own programs stand in the text.
    these = or_(
        *(
            and_(column.name == literal_column(f"'{name}'"), column.version == literal_column(str(n)))
            for name, n in made
        )
    )
    return (
        select(
            head.version,
            place.position,
            select(func.count()).where(these).scalar_subquery().label("made"),
            select(func.min(column.position)).where(these).scalar_subquery().label("least"),
        )
        .outerjoin_from(
            stream_head, event_position, (place.stream_id == head.stream_id) & (place.version == head.version)
        )
        .where(head.stream_id == bindparam("stream_id"))
    )


def move(c: Connection, projections: Sequence[Projection], old: int, new: int) -> None:
    """Claim the positions from `old` up to `new` in the caller's transaction. Errors: Overtaken."""
    mine = tuple_(column.name, column.version).in_([(each.name, each.version) for each in projections])
    moved = update(projection_position).where(mine, column.position == old).values(position=new)
    if c.execute(moved).rowcount != len(projections):
        raise Overtaken


def hold(c: Connection) -> None:
    """Let nobody move a position until this transaction ends; SQLite's writers are alone anyway."""
    c.execute(select(column.name).order_by(column.name).with_for_update()).all()


def are_made(c: Connection, projections: Sequence[Projection]) -> bool:
    """Whether every table is there, in the form that this program knows."""
    there = _tables(c)
    wanted = {table.name for projection in projections for table in projection.tables}
    return {projection_position.name, *wanted} <= there and len(positions(c, projections)) == len(projections)


def make(c: Connection, projections: Sequence[Projection]) -> None:
    """Make what is missing, and anew what has another form. What is made is empty and stands at the beginning."""
    _alone(c)
    projection_position.create(c, checkfirst=True)
    there = _tables(c)
    fitting = positions(c, projections)
    lacking = [
        projection
        for projection in projections
        if projection.name not in fitting or not {table.name for table in projection.tables} <= there
    ]
    if not lacking:
        return  # another process made them in between
    _stand_at_the_beginning(c, lacking)
    for projection in lacking:
        for table in projection.tables:
            table.drop(c, checkfirst=True)
            table.create(c)


def empty(c: Connection, projections: Sequence[Projection]) -> None:
    """Empty their tables. They are not dropped: a reader in the middle of its snapshot would find them empty."""
    _alone(c)
    _stand_at_the_beginning(c, projections)
    for projection in projections:
        for table in projection.tables:
            c.execute(table.delete())


def named(projections: Sequence[Projection], name: str | None) -> Sequence[Projection]:
    """The projection of this name; all of them for None. Errors: UnknownProjection."""
    found = [projection for projection in projections if name in (None, projection.name)]
    if not found:
        raise UnknownProjection(name or "", [projection.name for projection in projections])
    return found


def _stand_at_the_beginning(c: Connection, projections: Sequence[Projection]) -> None:
    """Before anything else, and all at once: whoever follows locks these rows first, too, and no deadlock arises."""
    names = [projection.name for projection in projections]
    c.execute(projection_position.delete().where(column.name.in_(names)))
    rows = [{"name": each.name, "version": each.version, "position": 0} for each in projections]
    c.execute(insert(projection_position), rows)


def _alone(c: Connection) -> None:
    """SQLite's writers are alone anyway."""
    if c.dialect.name == "postgresql":
        c.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))


def _tables(c: Connection) -> set[str]:
    return set(inspect(c).get_table_names(schema=None if c.dialect.name == "sqlite" else SCHEMA))
