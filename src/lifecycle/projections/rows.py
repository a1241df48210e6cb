"""Rows of projections by the thousand: COPY on PostgreSQL, executemany on SQLite, past SQLAlchemy and its types."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Boolean, Connection, Date, Dialect, Integer, Table, Text, Uuid
from sqlalchemy.exc import DBAPIError

from lifecycle.columns import Instant, microseconds

Row: TypeAlias = tuple[Any, ...]
"""The values of a row, in the order of the table's columns."""

COPIED = 16  # rows from which a COPY pays: it costs two round trips more than an INSERT
_IN_A_QUERY = 5_000
_OIDS = {
    Instant: "int8",
    BigInteger: "int8",
    Integer: "int4",
    Boolean: "bool",
    Date: "date",
    JSON: "text",  # the same bytes
    Text: "text",
    Uuid: "uuid",
}


class _Put(NamedTuple):
    """How rows of one table are written: the statement, COPY's types, and which columns the driver has otherwise."""

    insert: str
    copy: str
    types: list[str]
    converted: list[tuple[int, Callable[[Any], Any]]]


def put(c: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert these rows. Errors: DBAPIError as of any other statement."""
    if not rows:
        return
    how = _put(table, c.dialect.name)
    given = _converted(rows, how.converted)
    if c.dialect.name == "sqlite" or len(rows) < COPIED:
        c.exec_driver_sql(how.insert, given)
    else:
        _copy(c, how, given)


def take_out(c: Connection, table: Table, people: Collection[UUID]) -> None:
    """Delete every row about these people; they travel as one parameter."""
    left = list(people)
    name = _name(table, c.dialect.name)
    for start in range(0, len(left), _IN_A_QUERY):
        some = left[start : start + _IN_A_QUERY]
        if c.dialect.name == "sqlite":
            marks: Any = json.dumps([id.hex for id in some])
            c.exec_driver_sql(f"DELETE FROM {name} WHERE subject_id IN (SELECT value FROM json_each(?))", (marks,))  # noqa: S608
        else:
            c.exec_driver_sql(f"DELETE FROM {name} WHERE subject_id = ANY (%s)", (some,))  # noqa: S608


def _converted(rows: Iterable[Row], converted: Sequence[tuple[int, Callable[[Any], Any]]]) -> list[Row]:
    """Column by column: a conversion is looked up once for all rows."""
    columns: list[Any] = list(zip(*rows, strict=True))
    for at, convert in converted:
        columns[at] = [None if value is None else convert(value) for value in columns[at]]
    return list(zip(*columns, strict=True))


def _copy(c: Connection, how: _Put, rows: Iterable[Row]) -> None:
    driver: Any = c.connection.driver_connection
    dialect: Dialect = c.dialect
    errors: Any = dialect.loaded_dbapi.Error
    try:
        with driver.cursor().copy(how.copy) as copy:
            copy.set_types(how.types)
            for row in rows:
                copy.write_row(row)
    except errors as error:
        raise DBAPIError.instance(how.copy, None, error, errors, hide_parameters=True, dialect=dialect) from None


@cache
def _put(table: Table, engine: str) -> _Put:
    name, columns = _name(table, engine), ", ".join(f'"{column.name}"' for column in table.columns)
    mark = "?" if engine == "sqlite" else "%s"
    return _Put(
        f"INSERT INTO {name} ({columns}) VALUES ({', '.join([mark] * len(table.columns))})",  # noqa: S608
        f"COPY {name} ({columns}) FROM STDIN (FORMAT BINARY)",
        [_OIDS[type(column.type)] for column in table.columns],
        [
            (at, convert)
            for at, column in enumerate(table.columns)
            if (convert := _conversion(column.type, engine)) is not None
        ],
    )


def _conversion(kind: Any, engine: str) -> Callable[[Any], Any] | None:
    if isinstance(kind, Instant):
        return microseconds
    if isinstance(kind, JSON):
        return json.dumps
    if engine == "sqlite":
        return {Uuid: _hex, Date: _iso}.get(type(kind))
    return None


def _hex(id: UUID) -> str:
    return id.hex


def _iso(day: Any) -> str:
    text: str = day.isoformat()
    return text


def _name(table: Table, engine: str) -> str:
    return table.name if engine == "sqlite" or table.schema is None else f"{table.schema}.{table.name}"
