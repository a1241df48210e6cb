"""What becomes of who leads, and of who waits for it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update

from lifecycle.schedule.leader import Leader, LeaseLeader
from lifecycle.schedule.presence import BesideAFile, OnAServer
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
    """As if half a minute had gone by and its holder were asleep."""
    with database.write("sequencer") as c:
        c.execute(update(lease).values(until=datetime.now(UTC) - timedelta(seconds=1)))


def dies(database: Database, leader: LeaseLeader) -> None:
    """As if its process were killed: the machine, or the server, lets go of what shows that it is there."""
    presence = leader._presence
    if isinstance(presence, BesideAFile):
        assert presence._descriptor is not None
        os.close(presence._descriptor)
        presence._descriptor = None
        return
    assert isinstance(presence, OnAServer)
    assert presence._session is not None
    process = presence._session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with database.own() as c:
        assert c.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process}).scalar_one()
