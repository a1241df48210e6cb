"""Who may tick: one worker at a time, by a session's advisory lock on PostgreSQL, by a lease row on SQLite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, func, select

from lifecycle.storage import leases
from lifecycle.storage.database import Database
from lifecycle.storage.failures import spoken

WORKER_LOCK = 0x6C6966650000_7001
LEASE = timedelta(seconds=30)


class Leader(Protocol):
    def leads(self) -> bool:
        """Whether this worker may act now; asked before every tick."""
        ...

    def step_down(self) -> None: ...


class AdvisoryLeader:
    """Holds a connection of its own: when the process dies, the server gives the lock to the next at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Connection | None = None

    def leads(self) -> bool:
        if self._session is not None and self._is_alive():
            return True
        self.step_down()
        with spoken():
            session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                if session.execute(select(func.pg_try_advisory_lock(WORKER_LOCK))).scalar_one():
                    self._session = session
                    return True
            finally:
                if self._session is None:
                    session.close()
        return False

    def _is_alive(self) -> bool:
        assert self._session is not None
        try:
            self._session.execute(select(1))
        except Exception:  # noqa: BLE001 -- whatever the driver says, the lock is lost with the session
            return False
        return True

    def step_down(self) -> None:
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session = None


class LeaseLeader:
    """A row with a name and an end. A worker that was asleep past its end finds another name there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = secrets.token_hex(8)

    def leads(self) -> bool:
        with self._database.write("sequencer") as c:
            return leases.take(c, "worker", self._name, datetime.now(UTC), LEASE)

    def step_down(self) -> None:
        with self._database.write("sequencer") as c:
            leases.give_back(c, "worker", self._name)


@contextmanager
def leader_of(database: Database) -> Iterator[Leader]:
    leader: Leader = LeaseLeader(database) if database.is_sqlite else AdvisoryLeader(database)
    try:
        yield leader
    finally:
        leader.step_down()
