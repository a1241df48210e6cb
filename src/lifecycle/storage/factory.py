"""What the eventsourcing library asks for when an application is built over our store."""

from __future__ import annotations

from typing import cast

from eventsourcing.persistence import InfrastructureFactory, TrackingRecorder
from eventsourcing.utils import Environment, EnvType, resolve_topic

from lifecycle.storage.database import Database
from lifecycle.storage.recorder import EventRecorder, StreamRecorder
from lifecycle.storage.tracking import ReactionRecorder, TrackRecorder


class StreamsFactory(InfrastructureFactory[TrackingRecorder]):
    """Recorders over one `Database`: a given one, or that of the environment's LIFECYCLE_DB, which is then closed here.

    By name it is `PERSISTENCE_MODULE=lifecycle.storage.factory:StreamsFactory`.
    """

    DATABASE = "LIFECYCLE_DB"

    def __init__(self, env: Environment | EnvType | None = None, database: Database | None = None) -> None:
        super().__init__(env)
        self._borrowed = database is not None
        self.database = database or Database(self.env.get(self.DATABASE) or "")

    def aggregate_recorder(self, purpose: str = "events") -> StreamRecorder:
        if purpose != "events":
            raise NotImplementedError("There are no snapshots: they would be copies of people that erasure must find.")
        return StreamRecorder(self.database)

    def application_recorder(self) -> EventRecorder:
        return EventRecorder(self.database)

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> TrackingRecorder:
        topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
        if tracking_recorder_class is None and topic:
            tracking_recorder_class = resolve_topic(topic)
        made = cast(type[TrackRecorder], tracking_recorder_class or TrackRecorder)
        return made(self.database)

    def process_recorder(self) -> ReactionRecorder:
        return ReactionRecorder(self.database)

    def close(self) -> None:
        if not self._borrowed:
            self.database.close()
