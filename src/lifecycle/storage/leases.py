"""Leases: who may do what only one may do, until when. For engines without session locks."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from lifecycle.storage.tables import lease

column = lease.c


def take(c: Connection, duty: str, holder: str, now: datetime, lasts: timedelta) -> bool:
    """Take or renew the lease in a writing transaction; False while somebody else's lasts."""
    row = c.execute(select(lease).where(column.duty == duty)).first()
    if row is None:
        c.execute(insert(lease).values(duty=duty, holder=holder, until=now + lasts))
        return True
    if row.holder != holder and now < row.until:
        return False
    c.execute(update(lease).where(column.duty == duty).values(holder=holder, until=now + lasts))
    return True


def give_back(c: Connection, duty: str, holder: str) -> None:
    """Let the next one take it at once."""
    c.execute(delete(lease).where(column.duty == duty, column.holder == holder))
