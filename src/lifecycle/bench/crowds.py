"""Many people at once: the rows of somebody who is really on record, copied under other ids by the database itself."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Table, Uuid

from lifecycle.bench.lives import with_one_value
from lifecycle.bench.stores import copy_in, driver_id
from lifecycle.bench.workload import people
from lifecycle.engine.engine import Engine
from lifecycle.ledger.many_rows import rows_of
from lifecycle.ledger.tables import event_position, log_entry
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.tables import event_body, event_header, stream_head
from lifecycle.vault.tables import data_key, lookup, subject_key

_OWNED = (stream_head, event_header, event_body, subject_key, data_key, lookup)
_AT_ONCE = 50_000
FAR = timedelta(days=365 * 100)
# What has to be different for everybody, beside the person's id.
_RANDOM = {("stream_head", "sid"), ("subject_key", "sid"), ("lookup", "token")}


class _Someone(NamedTuple):
    id: UUID
    events: int
    first: int  # position
    size: int | None  # of the log, behind which the copies have their places; None: they have none
    later: int  # microseconds by which what falls due does so later


def crowd(engine: Engine, number: int) -> None:
    """So many people, each with the events, keys and projected rows of one. Nobody holds keys that open anything of
    theirs; the log has their places, and its tree is not told."""
    (person,) = with_one_value(engine, people(1))
    engine.drain()
    with engine.database.own() as c:
        someone = _someone(engine, c, person)
        size = rows_of(c, "SELECT size FROM log_state")[0][0]
        _copies(engine, c, someone._replace(size=size), number)
        grown = size + number * someone.events
        c.exec_driver_sql(f"UPDATE log_state SET size = {grown}")  # noqa: S608
        behind = "projection_position" if c.dialect.name == "sqlite" else "projection.projection_position"
        c.exec_driver_sql(f"UPDATE {behind} SET position = {grown}")  # noqa: S608
    _tidied(engine)


def idle_crowd(engine: Engine, like: UUID, number: int) -> None:
    """So many people who have what `like` has and of whom nothing falls due in a bench; without places in the log."""
    engine.drain()
    with engine.database.own() as c:
        later = FAR // timedelta(microseconds=1)
        _copies(engine, c, _someone(engine, c, like)._replace(later=later), number)
    _tidied(engine)


def _copies(engine: Engine, c: Connection, someone: _Someone, number: int) -> None:
    ids = EventIds()
    c.exec_driver_sql(f"CREATE TABLE crowd (number integer PRIMARY KEY, id {_id(c)})")
    for start in range(0, number, _AT_ONCE):
        some = range(start, min(start + _AT_ONCE, number))
        made = [driver_id(engine.database, ids.after(None)) for _ in some]
        copy_in(c, "crowd", {"number": some, "id": made})
    for table in (*_OWNED, *(each for projection in PROJECTIONS for each in projection.tables)):
        _copy(engine, c, table, someone)
    if someone.size is not None:
        _copy_places(engine, c, someone)
    c.exec_driver_sql("DROP TABLE crowd")


def _tidied(engine: Engine) -> None:
    with engine.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as c:
        c.exec_driver_sql("ANALYZE" if engine.database.is_sqlite else "VACUUM ANALYZE")


def _someone(engine: Engine, c: Connection, person: UUID) -> _Someone:
    mark = "?" if c.dialect.name == "sqlite" else "%s"
    query = f"SELECT count(*), min(position) FROM event_position WHERE stream_id = {mark}"  # noqa: S608
    events, first = rows_of(c, query, (driver_id(engine.database, person),))[0]
    return _Someone(person, events, first, None, 0)


def _copy(engine: Engine, c: Connection, table: Table, someone: _Someone) -> None:
    owner = "subject_id" if "subject_id" in table.c else "stream_id"
    if owner not in table.c:
        return
    chosen = [_value(c, table, column.name, owner, someone) for column in table.columns]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    name, mark = _name(c, table), "?" if c.dialect.name == "sqlite" else "%s"
    insert = f"INSERT INTO {name} ({names}) SELECT {', '.join(chosen)} FROM {name} t CROSS JOIN crowd"  # noqa: S608
    c.exec_driver_sql(f"{insert} WHERE t.{owner} = {mark}", (driver_id(engine.database, someone.id),))


def _value(c: Connection, table: Table, name: str, owner: str, someone: _Someone) -> str:
    if isinstance(table.c[name].type, Uuid) and name in (owner, "stream_id"):
        return "crowd.id"
    if (table.name, name) in _RANDOM:
        if c.dialect.name == "sqlite":
            return "randomblob(32)"
        return "sha256(convert_to(crowd.id::text || random()::text, 'UTF8'))"
    if name == "position" and someone.size is not None:
        return _place(someone)
    if name == "due" and someone.later:
        return f't."due" + {someone.later}'
    return f't."{name}"'


def _place(someone: _Someone) -> str:
    return f"{someone.size} + crowd.number * {someone.events} + t.position - {someone.first}"


def _copy_places(engine: Engine, c: Connection, someone: _Someone) -> None:
    place = _place(someone)
    mark = "?" if c.dialect.name == "sqlite" else "%s"
    of = (
        f"FROM {event_position.name} t JOIN {log_entry.name} e ON e.position = t.position CROSS JOIN crowd"
        f" WHERE t.stream_id = {mark}"
    )
    id = (driver_id(engine.database, someone.id),)
    c.exec_driver_sql(f"INSERT INTO {log_entry.name} (position, entry) SELECT {place}, e.entry {of}", id)
    columns = "(position, stream_id, version)"
    c.exec_driver_sql(
        f"INSERT INTO {event_position.name} {columns} SELECT {place}, crowd.id, t.version {of}",
        id,
    )


def _id(c: Connection) -> str:
    return "text" if c.dialect.name == "sqlite" else "uuid"


def _name(c: Connection, table: Table) -> str:
    return table.name if c.dialect.name == "sqlite" or table.schema is None else f"{table.schema}.{table.name}"
