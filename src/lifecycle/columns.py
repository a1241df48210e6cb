"""Columns and rows alike on every engine: instants are microseconds since 1970 in UTC; pairs are found by an index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Dialect, Table, tuple_
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


def among(first: Column[Any], second: Column[Any], pairs: Sequence[tuple[Any, Any]]) -> ColumnElement[bool]:
    """Whether (first, second) is one of these pairs. The first is asked for by itself too: by pairs alone SQLite
    searches the whole table, and what is asked costs what is stored."""
    return first.in_(list(dict.fromkeys(pair[0] for pair in pairs))) & tuple_(first, second).in_(pairs)


def insert_of(c: Connection, table: Table) -> Insert:
    """An INSERT that can say ON CONFLICT: each dialect has one of its own, and only the one in use is loaded."""
    if c.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # noqa: PLC0415
    return insert(table)
