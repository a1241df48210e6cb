"""Rows known by their keys, changed or deleted many at a time: on PostgreSQL one statement with a list for each column.

A statement for each row took client and server several times as long as what it did. The order in which PostgreSQL
changes them is its own: who needs one order, so as to wait for nobody in a circle, locks the rows before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, LargeBinary, Table
from sqlalchemy.types import TypeDecorator, TypeEngine

Row = Mapping[str, Any]
"""By name of a column its value; the rows of a call name the same columns."""


def update_rows(c: Connection, table: Table, key: Sequence[str], rows: Sequence[Row]) -> int:
    """Give each row that has the columns of the key the others; return how many there were."""
    becomes = [name for name in rows[0] if name not in key] if rows else []
    if c.dialect.name == "sqlite":
        values = ", ".join(f"{name} = ?" for name in becomes)
        return _one_by_one(c, f"UPDATE {table.name} SET {values}", table, [*becomes, *key], key, rows)  # noqa: S608
    values = ", ".join(f"{name} = given.{name}" for name in becomes)
    return _at_once(c, f"UPDATE {table.fullname} SET {values} FROM", table, [*becomes, *key], key, rows)  # noqa: S608


def delete_rows(c: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Delete each row that has these columns; return how many there were."""
    key = list(rows[0]) if rows else []
    if c.dialect.name == "sqlite":
        return _one_by_one(c, f"DELETE FROM {table.name}", table, key, key, rows)  # noqa: S608
    return _at_once(c, f"DELETE FROM {table.fullname} USING", table, key, key, rows)  # noqa: S608


def _one_by_one(
    c: Connection, begins: str, table: Table, names: Sequence[str], key: Sequence[str], rows: Sequence[Row]
) -> int:
    if not rows:
        return 0
    has = " AND ".join(f"{name} = ?" for name in key)
    given = list(zip(*_columns(c, table, names, rows), strict=True))
    return c.exec_driver_sql(f"{begins} WHERE {has}", given, execution_options={"preserve_rowcount": True}).rowcount


def _at_once(
    c: Connection, begins: str, table: Table, names: Sequence[str], key: Sequence[str], rows: Sequence[Row]
) -> int:
    """The arrays travel in binary (%b): as text the driver looks at each element for quotes."""
    if not rows:
        return 0
    types = [table.columns[name].type.compile(dialect=c.dialect) for name in names]
    given = f"unnest({', '.join(f'%b::{each}[]' for each in types)}) AS given({', '.join(names)})"
    has = " AND ".join(f"{table.fullname}.{name} = given.{name}" for name in key)
    return c.exec_driver_sql(f"{begins} {given} WHERE {has}", tuple(_columns(c, table, names, rows))).rowcount


def _columns(c: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> list[list[Any]]:
    """As the driver takes the values."""
    columns = []
    for name in names:
        encode, values = encoder_of(table.columns[name].type, c.dialect), [row[name] for row in rows]
        columns.append(values if encode is None else [encode(value) for value in values])
    return columns


def encoder_of(of: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """How a driver is given a value of this type; None: as it is, like bytes, which are not wrapped."""
    if isinstance(of, TypeDecorator) and isinstance(of.impl_instance, LargeBinary):
        return lambda value: of.process_bind_param(value, dialect)
    return None if isinstance(of, LargeBinary) else of.dialect_impl(dialect).bind_processor(dialect)
