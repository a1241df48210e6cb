"""Many rows by one statement, past SQLAlchemy's handling of each parameter, which cost more than the database itself.

Statements and types are still SQLAlchemy's: they are compiled once for each kind of database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Delete, Dialect, Insert, Table, Update

from lifecycle.columns import Counted, after_statement, before_statement, insert_of, is_watched
from lifecycle.one_message import Message, Sent, bound_encoder_of, exchange, send_now
from lifecycle.row_lists import encoder_of

Row = Mapping[str, Any]
Statement = Insert | Update | Delete
Values = Callable[[Iterable[Row]], list[tuple[Any, ...]]]


Step = tuple[Statement, Sequence[Row]]


class Last(NamedTuple):
    """What a transaction ends with, COMMIT apart: a look that fails if the rows must not be. `sql` and `given` are what
    whoever watches statements is told of it."""

    message: Message
    sql: str
    given: Sequence[Any]


BULK = 50
"""Rows of one table from which PostgreSQL is given them by COPY."""


class _Compiled(NamedTuple):
    sql: str
    values: Values
    sent: Sent
    encoders: tuple[tuple[str, Callable[[Any], bytes]], ...]
    copy: str | None = None  # PostgreSQL's other way to insert
    types: tuple[str, ...] = ()

    def encoded(self, row: Row) -> list[bytes | None]:
        return [None if (value := row[name]) is None else encode(value) for name, encode in self.encoders]


_compiled: dict[tuple[Statement, str], _Compiled] = {}


def write_rows(c: Connection, statement: Statement, rows: Iterable[Row]) -> int:
    """Execute `statement`, a constant of a module, once for each row; return how many rows it touched in all."""
    return write_together(c, [(statement, list(rows))])[0]


def write_together(c: Connection, steps: Sequence[Step], last: Last | None = None) -> list[int]:
    """Carry out the steps in order, each as `write_rows` does; return how many rows each of them touched. With
    `last` PostgreSQL's transaction ends with them.

    PostgreSQL is given them all at once and answers once: a single command waits for the network twice instead of once
    for each table. Many rows go by COPY, which cannot be sent along with others.
    """
    given = [(_compiled_for(c, statement), rows) for statement, rows in steps]
    if c.dialect.name == "sqlite":
        return [_executed(c, compiled.sql, compiled.values(rows)) for compiled, rows in given]
    if last is None and any(compiled.copy is not None and len(rows) >= BULK for compiled, rows in given):
        send_now(c)
        return [_written(c, compiled, rows) for compiled, rows in given]
    return _in_one_message(c, given, last)


def _in_one_message(
    c: Connection, given: Sequence[tuple[_Compiled, Sequence[Row]]], last: Last | None = None
) -> list[int]:
    watched = is_watched(c)
    for compiled, rows in given:
        if watched and rows:
            many = compiled.values(rows)
            before_statement(c, None, compiled.sql, many[0] if len(many) == 1 else many, many=len(many) > 1)
    messages = [(compiled.sent, compiled.encoded(row)) for compiled, rows in given for row in rows]
    if last is None:
        results = iter(exchange(c, messages))
    else:
        if watched:
            before_statement(c, None, last.sql, tuple(last.given))
        for observe in c.dispatch.commit:
            observe(c)
        results = iter(exchange(c, [*messages, last.message], b"COMMIT"))
    touched = [sum([next(results).command_tuples or 0 for _ in rows]) for _, rows in given]
    for (compiled, rows), count in zip(given, touched, strict=True):
        if watched and rows:
            after_statement(c, Counted(count), compiled.sql)
    return touched


def _executed(c: Connection, sql: str, many: list[tuple[Any, ...]]) -> int:
    if not many:
        return 0
    return c.exec_driver_sql(sql, many, execution_options={"preserve_rowcount": True}).rowcount


def _written(c: Connection, compiled: _Compiled, rows: Sequence[Row]) -> int:
    if compiled.copy is None or len(rows) < BULK:
        return _in_one_message(c, [(compiled, rows)])[0] if rows else 0
    driver: Any = c.connection.driver_connection
    cursor, many = driver.cursor(), compiled.values(rows)
    before_statement(c, cursor, compiled.copy, many, many=True)
    with cursor.copy(compiled.copy) as copy:
        copy.set_types(compiled.types)
        for row in many:
            copy.write_row(row)
    after_statement(c, cursor, compiled.copy)
    return len(many)


def insert_once(c: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of the rows whose key is not there yet; the others stay as they are."""
    if rows:
        c.execute(insert_of(c, table).on_conflict_do_nothing(), rows)


def _compiled_for(c: Connection, statement: Statement) -> _Compiled:
    key = (statement, c.dialect.name)
    if key not in _compiled:
        _compiled[key] = _compile(statement, c.dialect)
    return _compiled[key]


def _compile(statement: Statement, dialect: Dialect) -> _Compiled:
    names = [column.name for column in statement.table.columns] if isinstance(statement, Insert) else None
    # As the engine does it: on SQLite there are no schemas.
    schemas = {"vault": None} if dialect.name == "sqlite" else {}
    compiled = statement.compile(
        dialect=dialect, column_keys=names, schema_translate_map=schemas, render_schema_translate=True
    )
    order = compiled.positiontup or []
    values = _values_of(order, [encoder_of(compiled.binds[name].type, dialect) for name in order])
    sent = (
        Sent.of(compiled.string),
        tuple((name, bound_encoder_of(compiled.binds[name].type, dialect)) for name in order),
    )
    if dialect.name == "sqlite" or not isinstance(statement, Insert):
        return _Compiled(compiled.string, values, *sent)
    table = compiled.preparer.format_table(statement.table)
    copy = f"COPY {table} ({', '.join(order)}) FROM STDIN (FORMAT BINARY)"
    types = tuple(statement.table.columns[name].type.compile(dialect).lower().partition("(")[0] for name in order)
    return _Compiled(compiled.string, values, *sent, copy, types)


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
