"""Columns and rows alike on every engine: instants are microseconds since 1970 in UTC; pairs are found by an index."""

from __future__ import annotations

import json
import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Engine,
    LargeBinary,
    Select,
    Table,
)
from sqlalchemy.types import TypeDecorator

from lifecycle.one_message import Sent, array_encoder_of, bound_encoder_of, decoder_of, exchange, rows_in

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult
    from sqlalchemy.dialects.sqlite import Insert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# As the engine has it: on SQLite there are no schemas.
_NO_SCHEMAS = {"vault": None, "projection": None}
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


class Ask(NamedTuple):
    """A constant of a module, and for each of its parameters the value; for one that expands the values, of which there
    must be some."""

    statement: Select[Any]
    values: Mapping[str, Any]


def ask_together(c: Connection, asked: Sequence[Ask], last: bytes | None = None) -> list[Sequence[Any]]:
    """The rows that each question finds; their columns are attributes. `last` are words that PostgreSQL is told in the
    same message, behind them.

    Both drivers are asked past SQLAlchemy's handling of each statement, which took several times as long as the
    database. PostgreSQL is asked all of them in one message: what a single command asks is what it waits for.
    """
    watched = is_watched(c)
    if c.dialect.name == "sqlite":
        driver: Any = c.connection.driver_connection
        return [_asked_of_sqlite(c, driver, each, watched=watched) for each in asked]
    prepared = [(_prepared(each.statement, c.dialect), each.values) for each in asked]
    if watched:
        for one, values in prepared:
            before_statement(c, None, one.sql, one.watched(values))
    results = exchange(c, [(one.sent, one.encoded(values)) for one, values in prepared], last)
    if watched:
        for (one, _), result in zip(prepared, results, strict=True):
            after_statement(c, Counted(result.ntuples), one.sql)
    return [one.read(result) for (one, _), result in zip(prepared, results, strict=True)]


def _asked_of_sqlite(c: Connection, driver: Any, ask: Ask, *, watched: bool) -> list[Any]:
    one = _prepared_for_sqlite(ask.statement, c.dialect)
    sql, given = one.filled(ask.values)
    if not watched:
        return one.read(driver.execute(sql, given).fetchall())
    cursor = driver.cursor()
    before_statement(c, cursor, sql, given)
    rows = cursor.execute(sql, given).fetchall()
    after_statement(c, cursor, sql)
    return one.read(rows)


class Counted(NamedTuple):
    """What whoever watches statements is told of one that has no cursor."""

    rowcount: int


def is_watched(c: Connection | Engine) -> bool:
    """Asked once a message: to ask for each statement took a tenth of a command."""
    return bool(c.dispatch.before_cursor_execute) or bool(c.dispatch.after_cursor_execute)


def before_statement(c: Connection, cursor: Any, sql: str, given: Any, *, many: bool = False) -> None:
    """Whoever watches the statements of a connection sees those too that go past SQLAlchemy."""
    for observe in c.dispatch.before_cursor_execute:
        observe(c, cursor, sql, given, None, many)


def after_statement(c: Connection, cursor: Any, sql: str) -> None:
    """The same, once it is answered."""
    for observe in c.dispatch.after_cursor_execute:
        observe(c, cursor, sql, None, None, False)


class _Prepared(NamedTuple):
    sent: Sent
    sql: str
    order: list[str]
    lists: set[str]
    encoders: list[Callable[[Any], bytes]]
    row: Callable[[Any], Any]
    decoders: list[Callable[[bytes], Any]]

    def encoded(self, values: Mapping[str, Any]) -> list[bytes | None]:
        return [encode(values[name]) for name, encode in zip(self.order, self.encoders, strict=True)]

    def watched(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(list(values[name]) if name in self.lists else values[name] for name in self.order)

    def read(self, result: PGresult) -> list[Any]:
        return list(map(self.row, rows_in(result, self.decoders)))


def _row_of(names: Sequence[str]) -> Callable[[Any], Any]:
    """From a row as a driver has it to one whose columns are attributes; the class's own way is written in Python."""
    return partial(tuple.__new__, namedtuple("_Row", names, rename=True))


_EXPANDING = re.compile(r"IN \(__\[POSTCOMPILE_\w+\]\)")


P = TypeVar("P")


def _once_a_process(prepare: Callable[[Select[Any], Dialect], P]) -> Callable[[Select[Any], Dialect], P]:
    """Not once for each engine that it opens: two dialects of one kind compile alike."""
    known: dict[Select[Any], P] = {}

    def prepared(statement: Select[Any], dialect: Dialect) -> P:
        if statement not in known:
            known[statement] = prepare(statement, dialect)
        return known[statement]

    return prepared


@_once_a_process
def _prepared(statement: Select[Any], dialect: Dialect) -> _Prepared:
    """Compiled once: an array instead of as many parameters as there are values. So the server too plans it once."""
    compiled = statement.compile(dialect=dialect)
    columns = statement.selected_columns
    sql, order = _EXPANDING.sub("= ANY(%s)", compiled.string), list(compiled.positiontup or ())
    lists = {name for name in order if compiled.binds[name].expanding}
    return _Prepared(
        Sent.of(sql),
        sql,
        order,
        lists,
        [
            (array_encoder_of if name in lists else bound_encoder_of)(compiled.binds[name].type, dialect)
            for name in order
        ],
        _row_of(columns.keys()),
        [decoder_of(column.type, dialect) for column in columns],
    )


class _PreparedForSqlite(NamedTuple):
    parts: list[str]  # between the lists of marks
    order: list[str]
    lists: set[str]
    encoders: list[Callable[[Any], Any] | None]
    row: Callable[[Any], Any]
    decoders: list[tuple[int, Callable[[Any], Any]]]

    def filled(self, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """With marks for 1, 2, 4, 8 … values, the last of them again and again: so that there are few statements, and
        the driver finds most of them prepared. Very many are one parameter (see `value_lists`)."""
        if not self.lists:
            pairs = zip(self.order, self.encoders, strict=True)
            return self.parts[0], tuple(
                [values[name] if encode is None else encode(values[name]) for name, encode in pairs]
            )
        parts, given = iter(self.parts), list[Any]()
        sql = [next(parts)]
        for name, encode in zip(self.order, self.encoders, strict=True):
            if name not in self.lists:
                given.append(values[name] if encode is None else encode(values[name]))
                continue
            own = list(values[name]) if encode is None else [encode(value) for value in values[name]]
            if len(own) > _ALIKE and not isinstance(own[0], bytes):  # JSON has no bytes
                sql += ("IN (SELECT value FROM json_each(?))", next(parts))
                given.append(json.dumps(own))
                continue
            own += own[-1:] * ((1 << (len(own) - 1).bit_length()) - len(own))
            sql += ("IN (", ",".join("?" * len(own)), ")", next(parts))
            given += own
        return "".join(sql), tuple(given)

    def read(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        return list(map(self.row, map(self._decoded, rows) if self.decoders else rows))

    def _decoded(self, row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for place, decode in self.decoders:
            values[place] = decode(values[place])
        return values


_ALIKE = 128  # values, up to which each has a mark


@_once_a_process
def _prepared_for_sqlite(statement: Select[Any], dialect: Dialect) -> _PreparedForSqlite:
    compiled = statement.compile(dialect=dialect, schema_translate_map=_NO_SCHEMAS, render_schema_translate=True)
    columns, order = statement.selected_columns, list(compiled.positiontup or ())
    found = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    return _PreparedForSqlite(
        _EXPANDING.split(compiled.string),
        order,
        {name for name in order if compiled.binds[name].expanding},
        [_binds(compiled.binds[name].type, dialect) for name in order],
        _row_of(columns.keys()),
        [(place, processor) for place, processor in enumerate(found) if processor is not None],
    )


def _binds(of: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(of, LargeBinary):
        return None  # the driver takes bytes as they are
    processor: Callable[[Any], Any] | None = of.dialect_impl(dialect).bind_processor(dialect)
    return processor


def insert_of(c: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT: each dialect has one of its own, and only the one in use is loaded."""
    if c.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # noqa: PLC0415
    return insert(table)
