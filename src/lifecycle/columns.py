"""Columns and rows alike on every engine: instants are microseconds since 1970 in UTC; pairs are found by an index."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Dialect, LargeBinary, Select, Table, tuple_
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(stored: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stored)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as a 64-bit integer: exact, ordered, and free of any driver's zone rules."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else instant_of(value)


class HexDigits(TypeDecorator[str]):
    """Lower-case hexadecimal digits, kept as the bytes that they say."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else value.hex()


def among(first: Column[Any], second: Column[Any], pairs: Sequence[tuple[Any, Any]]) -> ColumnElement[bool]:
    """Whether (first, second) is one of these pairs. The first is asked for by itself too: by pairs alone SQLite
    searches the whole table, and what is asked costs what is stored."""
    return first.in_(list(dict.fromkeys(pair[0] for pair in pairs))) & tuple_(first, second).in_(pairs)


class Ask(NamedTuple):
    """A constant of a module, and for each of its expanding parameters the values, of which there must be some."""

    statement: Select[Any]
    values: Mapping[str, Sequence[Any]]


def ask_together(c: Connection, asked: Sequence[Ask]) -> list[Sequence[Any]]:
    """The rows that each question finds; their columns are attributes.

    PostgreSQL is asked them all at once and answers once, past SQLAlchemy's handling of each statement, which took
    several times as long as the server: what a single command asks is what it waits for.
    """
    if c.dialect.name == "sqlite":
        return [c.execute(statement, dict(values)).all() for statement, values in asked]
    prepared = [(_prepared(each.statement, c.dialect), each.values) for each in asked]
    driver: Any = c.connection.driver_connection
    cursors = [driver.cursor() for _ in prepared]
    with driver.pipeline():  # for one question too: BEGIN goes along with the first
        for cursor, (one, values) in zip(cursors, prepared, strict=True):
            given = tuple(one.given(name, values[name]) for name in one.order)
            before_statement(c, cursor, one.sql, given)
            cursor.execute(one.sql, given)
    for cursor, (one, _) in zip(cursors, prepared, strict=True):
        after_statement(c, cursor, one.sql)
    return [one.read(cursor.fetchall()) for cursor, (one, _) in zip(cursors, prepared, strict=True)]


def before_statement(c: Connection, cursor: Any, sql: str, given: Any, *, many: bool = False) -> None:
    """Whoever watches the statements of a connection sees those too that go past SQLAlchemy."""
    for observe in c.dispatch.before_cursor_execute:
        observe(c, cursor, sql, given, None, many)


def after_statement(c: Connection, cursor: Any, sql: str) -> None:
    """The same, once it is answered."""
    for observe in c.dispatch.after_cursor_execute:
        observe(c, cursor, sql, None, None, False)


class _Prepared(NamedTuple):
    sql: str
    order: list[str]
    bound: dict[str, Callable[[Any], Any]]
    row: Any
    processors: list[tuple[int, Callable[[Any], Any]]]

    def given(self, name: str, values: Sequence[Any]) -> list[Any]:
        return list(map(self.bound[name], values)) if name in self.bound else list(values)

    def read(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not self.processors:
            return [self.row(*row) for row in rows]
        return [self.row(*self._processed(row)) for row in rows]

    def _processed(self, row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for place, processor in self.processors:
            values[place] = processor(values[place])
        return values


_EXPANDING = re.compile(r"IN \(__\[POSTCOMPILE_\w+\]\)")


@lru_cache(maxsize=64)
def _prepared(statement: Select[Any], dialect: Dialect) -> _Prepared:
    """Compiled once: an array instead of as many parameters as there are values. So the server too plans it once."""
    compiled = statement.compile(dialect=dialect)
    columns = statement.selected_columns
    found = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    binds = {name: compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in compiled.binds}
    return _Prepared(
        _EXPANDING.sub("= ANY(%s)", compiled.string),
        list(compiled.positiontup or ()),
        {name: bind for name, bind in binds.items() if bind is not None},
        namedtuple("_Row", columns.keys(), rename=True),
        [(place, processor) for place, processor in enumerate(found) if processor is not None],
    )


def insert_of(c: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT: each dialect has one of its own, and only the one in use is loaded."""
    if c.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # noqa: PLC0415
    return insert(table)
