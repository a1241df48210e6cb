"""How instants are stored: whole microseconds since 1970 in UTC, the same number on every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

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
