"""Thousands of rows by one statement, past SQLAlchemy's handling of each value, which cost more than the database.

Values are the driver's: bytes, numbers, and ids as a raw query gives them (text on SQLite, UUID on PostgreSQL).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table

from lifecycle.columns import after_statement, before_statement
from lifecycle.one_message import send_now

Columns = Mapping[str, Sequence[Any]]  # name of a column: its values, one a row
_IN_A_QUERY = 5_000


def rows_of(c: Connection, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The rows of a query as the driver has them, within a transaction that has begun."""
    send_now(c)
    driver: Any = c.connection.driver_connection
    cursor = driver.cursor()
    before_statement(c, cursor, query, parameters)
    rows: list[tuple[Any, ...]] = cursor.execute(query, parameters).fetchall()
    after_statement(c, cursor, query)
    return rows


def rows_with(
    c: Connection, query: str, values: Iterable[int | str | UUID], kind: str = "bigint"
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query that ends `… WHERE column` for any of these numbers (or ids), some thousands at a time.

    They travel as one parameter: a mark for each made SQLAlchemy and the driver work longer than the database.
    """
    left, server = iter(values), c.dialect.name == "postgresql"
    while some := list(islice(left, _IN_A_QUERY)):
        if server:
            yield from rows_of(c, f"{query} = ANY (%s::{kind}[])", (f"{{{','.join(map(str, some))}}}",))
        else:
            yield from rows_of(c, f"{query} IN (SELECT value FROM json_each(?))", (json.dumps(some),))  # noqa: S608


def rows_at(
    c: Connection, columns: str, table: str, key: Mapping[str, str], pairs: Sequence[tuple[Any, Any]]
) -> Iterator[tuple[Any, ...]]:
    """These columns of the rows whose key, or what it begins with, is one of the pairs; each is found by the key. They
    may come several times of the last pair: with marks for 1, 2, 4 … there are few statements (see `value_lists`).

    `key`: two columns, and their types on PostgreSQL. By lists of the one and of the other both engines would look for
    each of the one with each of the other; and a mark for each value made SQLAlchemy work longer than the database.
    """
    (first, second), server = key, c.dialect.name == "postgresql"
    for start in range(0, len(pairs), _IN_A_QUERY):
        some = pairs[start : start + _IN_A_QUERY]
        if server:
            wanted = f"unnest({', '.join(f'%b::{kind}[]' for kind in key.values())}) AS wanted(a, b)"
            given: tuple[Any, ...] = tuple(list(each) for each in zip(*some, strict=True))
        elif isinstance(some[0][1], bytes):  # JSON has none
            alike = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
            marks = ",".join(["(?,?)"] * len(alike))
            wanted = f"(WITH wanted(a, b) AS (VALUES {marks}) SELECT a, b FROM wanted) AS wanted"  # noqa: S608
            given = tuple(chain.from_iterable(alike))
        else:
            of_one = "json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b"
            wanted = f"(SELECT {of_one} FROM json_each(?)) AS wanted"  # noqa: S608
            given = (json.dumps(some),)
        query = f"SELECT {columns} FROM {wanted} CROSS JOIN {table} WHERE {first} = wanted.a AND {second} = wanted.b"  # noqa: S608
        yield from rows_of(c, query, given)


def insert_many(c: Connection, table: Table, columns: Columns) -> None:
    _run(c, f"INSERT INTO {table.name} ({', '.join(columns)})", "", table, columns)


def upsert_many(c: Connection, table: Table, columns: Columns) -> None:
    """Insert, or replace what is not the key."""
    keys = [column.name for column in table.primary_key]
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    conflict = f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {rest}"
    _run(c, f"INSERT INTO {table.name} ({', '.join(columns)})", conflict, table, columns)


def _run(c: Connection, begins: str, ends: str, table: Table, columns: Columns) -> None:
    if not next(iter(columns.values())):
        return
    if c.dialect.name == "sqlite":
        many = list(zip(*columns.values(), strict=True))
        c.exec_driver_sql(f"{begins} VALUES ({', '.join('?' * len(columns))}){ends}", many)
        return
    rows = f" SELECT * FROM {_unnest(c, table, columns)} AS of_rows"  # noqa: S608
    c.exec_driver_sql(begins + rows + ends, _arrays(columns))


def _unnest(c: Connection, table: Table, columns: Columns) -> str:
    """PostgreSQL takes a column's values as one array, and makes rows of several.

    The arrays travel in binary (%b): as text the driver looks at each element for quotes, which took ten times as long
    as everything else.
    """
    types = [table.columns[name].type.compile(dialect=c.dialect) for name in columns]
    return f"unnest({', '.join(f'%b::{type}[]' for type in types)})"


def _arrays(columns: Columns) -> tuple[list[Any], ...]:
    return tuple(list(values) for values in columns.values())
