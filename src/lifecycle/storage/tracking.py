"""How far a follower written with the eventsourcing library has read. Ours keep their position with their tables."""

from __future__ import annotations

from typing import Any

from eventsourcing.persistence import IntegrityError, ProcessRecorder, Tracking, TrackingRecorder
from sqlalchemy import Connection, select

from lifecycle.columns import insert_of
from lifecycle.storage.database import Database
from lifecycle.storage.recorder import EventRecorder
from lifecycle.storage.tables import tracking as table


class TrackRecorder(TrackingRecorder):
    """Positions that only move forward, so that two workers cannot process one event twice."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def insert_tracking(self, tracking: Tracking) -> None:
        with self.database.write("projector") as c:
            move(c, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        return _position(self.database, application_name)


class ReactionRecorder(ProcessRecorder, EventRecorder):
    """Events together with the position of the event that caused them."""

    def _also(self, c: Connection, tracking: Tracking | None = None, **kwargs: Any) -> None:
        if tracking is not None:
            move(c, tracking)

    def insert_tracking(self, tracking: Tracking) -> None:
        with self.database.write("writer") as c:
            move(c, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        return _position(self.database, application_name)


def move(c: Connection, to: Tracking) -> None:
    row = insert_of(c, table).values(application_name=to.application_name, notification_id=to.notification_id)
    ahead = row.on_conflict_do_update(
        index_elements=[table.c.application_name],
        set_={"notification_id": row.excluded.notification_id},
        where=table.c.notification_id < row.excluded.notification_id,
    )
    if c.execute(ahead, execution_options={"preserve_rowcount": True}).rowcount != 1:
        raise IntegrityError("This position, or a later one, is tracked already.")


def _position(database: Database, application_name: str) -> int | None:
    with database.read() as c:
        found = select(table.c.notification_id).where(table.c.application_name == application_name)
        return c.execute(found).scalar_one_or_none()
