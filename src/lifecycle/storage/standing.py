"""How far each projection has followed the log, and making, emptying and renewing what they stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple
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
    case,
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

# `position` counts the leaves of the log that are in the projection: it is the next one to be followed. Of whoever
# began before it what is told is how things stand at `told_until`, if that is further: there the log ended when filling
# began.
projection_position = Table(
    "projection_position",
    tables_of_a_projection(),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("told_until", BigInteger),
)
column = projection_position.c
_POSITIONS = Ask(select(column.name, column.version, column.position), {})
_PLACES = Ask(select(column.name, column.version, column.position, column.told_until), {})


class Place(NamedTuple):
    """Where a projection stands. Of whoever began before `position` it says how things stand at `until`: that is the
    same place, unless it is being filled from the beginning."""

    position: int
    until: int


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
    return {row.name: row.position for row in _fitting(ask_together(c, [_POSITIONS])[0], projections)}


def places(c: Connection, projections: Iterable[Projection]) -> dict[str, Place]:
    """The same with how far they tell of people. Only of tables that were seen to be as this program makes them."""
    rows = _fitting(ask_together(c, [_PLACES])[0], projections)
    return {row.name: Place(row.position, max(row.position, row.told_until or 0)) for row in rows}


def _fitting(rows: Iterable[Any], projections: Iterable[Projection]) -> list[Any]:
    known = {row.name: row for row in rows}
    for projection in projections:
        if projection.name in known and known[projection.name].version > projection.version:
            raise MadeByNewer(f"The projection {projection.name!r} was made by a newer program.")
    return [known[p.name] for p in projections if p.name in known and known[p.name].version == p.version]


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


def move(c: Connection, projections: Sequence[Projection], old: Place, new: int) -> None:
    """Claim the positions from the old place up to `new` in the caller's transaction.

    Errors: Overtaken, also by who emptied them and has come as far again, telling of people up to elsewhere.
    """
    mine = tuple_(column.name, column.version).in_([(each.name, each.version) for each in projections])
    is_there = column.position == old.position
    if old.position:
        is_there &= case((column.told_until > column.position, column.told_until), else_=column.position) == old.until
    moved = update(projection_position).where(mine, is_there).values(position=new, told_until=old.until)
    if c.execute(moved).rowcount != len(projections):
        raise Overtaken


def hold(c: Connection) -> None:
    """Let nobody move a position until this transaction ends; SQLite's writers are alone anyway."""
    c.execute(select(column.name).order_by(column.name).with_for_update()).all()


def are_made(c: Connection, projections: Sequence[Projection]) -> bool:
    """Whether every table is there, in the form that this program knows."""
    there = _tables(c)
    wanted = {table.name for projection in projections for table in projection.tables}
    if not {projection_position.name, *wanted} <= there or not _says_until(c):
        return False
    return len(positions(c, projections)) == len(projections)


def make(c: Connection, projections: Sequence[Projection]) -> None:
    """Make what is missing, and anew what has another form. What is made is empty and stands at the beginning."""
    _alone(c)
    projection_position.create(c, checkfirst=True)
    if not _says_until(c):  # a program before ADR 0085 made it
        c.exec_driver_sql(f"ALTER TABLE {_name(c)} ADD COLUMN {column.told_until.name} BIGINT")
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


def _says_until(c: Connection) -> bool:
    return column.told_until.name in c.exec_driver_sql(f"SELECT * FROM {_name(c)} LIMIT 0").keys()  # noqa: S608, SIM118


def _name(c: Connection) -> str:
    return projection_position.name if c.dialect.name == "sqlite" else projection_position.fullname


def _tables(c: Connection) -> set[str]:
    return set(inspect(c).get_table_names(schema=None if c.dialect.name == "sqlite" else SCHEMA))
