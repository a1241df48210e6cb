"""Many people who are stored and of whom nothing happens: copies of one real person's rows, under ids of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, func, select

from lifecycle.bench.stores import copy_in, driver_id
from lifecycle.columns import microseconds
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine.engine import Engine
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.tables import event_body, event_header, stream_head
from lifecycle.vault.tables import data_key, lookup, subject_key

AT_ONCE = 10_000  # people
FAR = timedelta(days=365 * 100)  # nothing of theirs is due in a bench
_OF_PEOPLE = tuple(
    table for projection in PROJECTIONS for table in projection.tables if "subject_id" in table.primary_key.columns
)
TABLES = (stream_head, event_header, event_body, subject_key, data_key, lookup, *_OF_PEOPLE)
_UNLIKE = ("sid", "token")  # of 32 bytes, and different for everybody


def crowd(engine: Engine, like: UUID, people: int) -> None:
    """Store so many people more who have what `like` has, except for places in the log, which nothing here looks up."""
    engine.drain()
    with engine.database.own() as c:
        rows = {table: _raw(c, table, like) for table in TABLES}
    ids = EventIds()
    far = microseconds(engine.clock.now() + FAR)
    for start in range(0, people, AT_ONCE):
        made = [ids.after(None) for _ in range(min(AT_ONCE, people - start))]
        with engine.database.own() as c:
            for table, theirs in rows.items():
                if theirs:
                    copy_in(c, _name(engine, table), _columns(engine, theirs, like, made, far))
    if not engine.database.is_sqlite:
        with engine.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as c:
            c.exec_driver_sql("VACUUM ANALYZE")


def stored(engine: Engine) -> int:
    with engine.database.read("eraser") as c:
        return int(c.execute(select(func.count()).select_from(subject_key)).scalar_one())


def _name(engine: Engine, table: Table) -> str:
    return table.name if engine.database.is_sqlite or table.schema is None else f"{table.schema}.{table.name}"


def _raw(c: Any, table: Table, person: UUID) -> list[Mapping[str, Any]]:
    """As the driver has them: they are written again as they are."""
    is_sqlite = c.dialect.name == "sqlite"
    of = "stream_id" if "stream_id" in table.c else "subject_id"
    name = table.name if is_sqlite or table.schema is None else f"{table.schema}.{table.name}"
    id = person.hex if is_sqlite else person
    found = c.exec_driver_sql(f"SELECT * FROM {name} WHERE {of} = {'?' if is_sqlite else '%s'}", (id,))  # noqa: S608
    return [dict(row) for row in found.mappings()]


def _columns(
    engine: Engine, rows: Sequence[Mapping[str, Any]], like: UUID, people: Sequence[UUID], far: int
) -> dict[str, list[Any]]:
    ids = {driver_id(engine.database, id) for id in (like, access_stream_of(like))}
    columns: dict[str, list[Any]] = {name: [] for name in rows[0]}
    for row in rows:
        for name, value in row.items():
            columns[name] += _values(engine, name, value, people, far, is_id=value in ids)
    return columns


def _values(
    engine: Engine, name: str, value: Any, people: Sequence[UUID], far: int, *, is_id: bool
) -> Sequence[Any] | Iterator[Any]:
    if is_id:
        return [driver_id(engine.database, id) for id in people]
    if name in _UNLIKE:
        return [os.urandom(32) for _ in people]
    return [far if name == "due" else value] * len(people)
