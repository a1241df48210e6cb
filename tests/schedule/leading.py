"""What becomes of who leads, and of who waits for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update

from lifecycle.schedule.leader import AdvisoryLeader, Leader
from lifecycle.storage.database import Database
from lifecycle.storage.tables import lease


def leads_soon(leader: Leader, within: float = 1) -> bool:
    """A server lets go of a lock when it has noticed that the session is over."""
    over = time.monotonic() + within
    while not leader.leads():
        if time.monotonic() > over:
            return False
        time.sleep(0.01)
    return True


def lease_runs_out(database: Database) -> None:
    """As if half a minute had gone by."""
    with database.write("sequencer") as c:
        c.execute(update(lease).values(until=datetime.now(UTC) - timedelta(seconds=1)))


def loses_the_lead(database: Database, leader: Leader) -> None:
    """It was asleep past the end of its lease; or the network, and so the server, gave its session up."""
    if not isinstance(leader, AdvisoryLeader):
        lease_runs_out(database)
        return
    assert leader._session is not None
    process = leader._session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with database.own() as c:
        assert c.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process}).scalar_one()
