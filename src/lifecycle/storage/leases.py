"""Leases: who may do what only one may do, until when, and by which number its writes are known.

A term has a number that is greater than that of every term before it. A write that its holder makes asks, in its own
transaction, whether the term is still the newest (`Term.hold`): so a holder that was asleep while another took over
writes nothing. A lease that is taken wrongly from a slow holder is then harmless, and may be short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    cast,
    extract,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)

from lifecycle.columns import Instant, instant_of
from lifecycle.errors import StoreUnavailable
from lifecycle.storage.tables import lease

column = lease.c
_OVER = instant_of(0)


class LeadLost(StoreUnavailable):
    """Somebody else holds the lease by now. What was being written is undone."""

    code = "lead-lost"
    remedy = "nothing: whoever holds it now goes on"


@dataclass(frozen=True, slots=True)
class Term:
    """The time of one holder. It is stored as `number:name`, so that one comparison knows it."""

    duty: str
    number: int
    name: str

    @property
    def holder(self) -> str:
        return f"{self.number}:{self.name}"

    def hold(self, c: Connection) -> None:
        """Let no other term begin until this transaction ends. Errors: LeadLost if one has begun."""
        row = c.execute(select(column.holder).where(column.duty == self.duty).with_for_update(read=True)).first()
        if row is None or row.holder != self.holder:
            raise LeadLost("Another process has taken over.")


@dataclass(frozen=True, slots=True)
class Standing:
    """A lease as it stands. `now` is the server's on PostgreSQL, so that no machine's clock counts."""

    number: int
    holder: str
    until: datetime
    now: datetime

    def is_over(self, lasts: timedelta) -> bool:
        """Also where it ends later than any that begins now: then the clock was set back."""
        return not self.now < self.until <= self.now + lasts


def standing(c: Connection, duty: str, *, to_take: bool = False) -> Standing | None:
    """The lease of that duty. `to_take`: nobody else may take it until this transaction ends; None if somebody is
    about to."""
    query = select(column.holder, column.until, _now(c).label("now")).where(column.duty == duty)
    row = c.execute(query.with_for_update(skip_locked=True, of=lease) if to_take else query).first()
    return None if row is None else Standing(_number(row.holder), row.holder, row.until, row.now)


def take(
    c: Connection, duty: str, name: str, lasts: timedelta, is_gone: Callable[[Connection, int], bool]
) -> Term | None:
    """Begin a term, in a writing transaction; None while another one's lasts, unless `is_gone` says of its number that
    the holder is no more.

    Errors: WroteFirst when two take a lease that nobody ever had.
    """
    now = standing(c, duty, to_take=True)
    if now is None:
        term = Term(duty, 1, name)
        c.execute(insert(lease).values(duty=duty, holder=term.holder, until=_end(c, lasts)))
        return term
    if not now.is_over(lasts) and not is_gone(c, now.number):
        return None
    term = Term(duty, now.number + 1, name)
    c.execute(update(lease).where(column.duty == duty).values(holder=term.holder, until=now.now + lasts))
    return term


def renew(c: Connection, term: Term, lasts: timedelta) -> bool:
    """Let the term last on; False when it is over for good."""
    return _set(c, term, _end(c, lasts))


def give_back(c: Connection, term: Term) -> None:
    """Let the next one take it at once. Its number stays, so that the next one's is greater."""
    _set(c, term, _OVER)


def _set(c: Connection, term: Term, until: datetime) -> bool:
    mine = (column.duty == term.duty) & (column.holder == term.holder)
    return c.execute(update(lease).where(mine).values(until=until)).rowcount == 1


def _end(c: Connection, lasts: timedelta) -> datetime:
    now: datetime = c.execute(select(_now(c))).scalar_one()
    return now + lasts


def _now(c: Connection) -> ColumnElement[Any]:
    if c.dialect.name == "sqlite":
        return literal(datetime.now(UTC), Instant())
    return type_coerce(cast(extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger), Instant())


def _number(holder: str) -> int:
    """0 for a holder of the first programs, which had names alone."""
    number, found, _ = holder.partition(":")
    return int(number) if found else 0
