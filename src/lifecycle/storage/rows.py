"""Many rows by one statement, past SQLAlchemy's handling of each parameter, which cost more than the database itself.

Statements and types are still SQLAlchemy's: they are compiled once for each kind of database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Delete, Dialect, Insert, LargeBinary, Table, Update

from lifecycle.columns import insert_of

Row = Mapping[str, Any]
Statement = Insert | Update | Delete
Values = Callable[[Iterable[Row]], list[tuple[Any, ...]]]


class _Compiled(NamedTuple):
    sql: str
    values: Values


_compiled: dict[tuple[Statement, str], _Compiled] = {}


def write_rows(c: Connection, statement: Statement, rows: Iterable[Row]) -> int:
    """Execute `statement`, a constant of a module, once for each row; return how many rows it touched in all."""
    key = (statement, c.dialect.name)
    if key not in _compiled:
        _compiled[key] = _compile(statement, c.dialect)
    sql, values = _compiled[key]
    many = values(rows)
    if not many:
        return 0
    return c.exec_driver_sql(sql, many, execution_options={"preserve_rowcount": True}).rowcount


def insert_once(c: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of the rows whose key is not there yet; the others stay as they are."""
    if rows:
        c.execute(insert_of(c, table).on_conflict_do_nothing(), rows)


def _compile(statement: Statement, dialect: Dialect) -> _Compiled:
    names = [column.name for column in statement.table.columns] if isinstance(statement, Insert) else None
    # As the engine does it: on SQLite there are no schemas.
    schemas = {"vault": None} if dialect.name == "sqlite" else {}
    compiled = statement.compile(
        dialect=dialect, column_keys=names, schema_translate_map=schemas, render_schema_translate=True
    )
    order = compiled.positiontup or []
    return _Compiled(
        compiled.string, _values_of(order, [_processor(compiled.binds[name].type, dialect) for name in order])
    )


def _processor(of: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(of, LargeBinary):
        return None  # both drivers take bytes as they are
    processor: Callable[[Any], Any] | None = of.dialect_impl(dialect).bind_processor(dialect)
    return processor


def _values_of(names: list[str], processors: list[Callable[[Any], Any] | None]) -> Values:
    """Column by column: a processor is looked up once for all rows, not once for each value."""

    def values(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
        rows = list(rows)
        columns = []
        for name, processor in zip(names, processors, strict=True):
            column = [row[name] for row in rows]
            columns.append(column if processor is None else [processor(value) for value in column])
        return list(zip(*columns, strict=True))

    return values
