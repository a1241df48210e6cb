"""The eventsourcing library's own cases for recorders and factories, run on ours, on both engines.

Not run: `optional_test_insert_subscribe`. `EventRecorder.subscribe` is not offered, because the library's subscriptions
wake on NOTIFY; a test below holds that it says so.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from threading import Lock
from typing import Any
from unittest import defaultTestLoader

import eventsourcing.cryptography
import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.utils import Environment
from sqlalchemy import select

from lifecycle.ledger.sequencer import sequence, write_genesis
from lifecycle.ledger.tables import event_position
from lifecycle.storage.database import Database
from lifecycle.storage.factory import StreamsFactory
from lifecycle.storage.recorder import EventRecorder, StreamRecorder
from lifecycle.storage.tracking import ReactionRecorder, TrackRecorder

# The library's cases import its cipher over pycryptodome; it ships the same cipher over `cryptography`, which we have.
sys.modules.setdefault("eventsourcing.cipher", eventsourcing.cryptography)
from eventsourcing.tests import persistence as cases  # noqa: E402


class Sequencing:
    """Gives positions at once, as the library's own recorders do; ours are given later, by the sequencer.

    Appends stand together in the log (their event ids do), and here each is sequenced before the next: so positions
    of two appends never interleave.
    """

    database: Database
    _one_at_a_time = Lock()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        with self._one_at_a_time:
            super().insert_events(stored_events, **kwargs)  # type: ignore[misc]
            with self.database.write("sequencer") as c:
                while sequence(c):
                    pass
        with self.database.read() as c:
            place = event_position.c
            wanted = {(stored.originator_id, stored.originator_version) for stored in stored_events}
            streams = {stream_id for stream_id, _ in wanted}
            rows = c.execute(select(event_position).where(place.stream_id.in_(streams)).order_by(place.position))
            return [row.position for row in rows if (row.stream_id, row.version) in wanted]


class SequencingEventRecorder(Sequencing, EventRecorder):
    pass


class OverOurs:
    """unittest's cases take no fixtures, so each is given its database, and run below as a test of pytest."""

    __test__ = False

    database: Database


class OfStreamRecorder(OverOurs, cases.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return StreamRecorder(self.database)


class OfEventRecorder(OverOurs, cases.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return SequencingEventRecorder(self.database)


class OfAppendsStandingTogether(OverOurs, cases.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return SequencingEventRecorder(self.database)


class OfTrackRecorder(OverOurs, cases.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return TrackRecorder(self.database)


class OfReactionRecorder(OverOurs, cases.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return ReactionRecorder(self.database)


class OtherTrackRecorder(TrackRecorder):
    pass


class OfStreamsFactory(OverOurs, cases.InfrastructureFactoryTestCase[StreamsFactory]):
    def setUp(self) -> None:
        named = {"PERSISTENCE_MODULE": "lifecycle.storage.factory:StreamsFactory", "LIFECYCLE_DB": self.database.url}
        self.env = Environment("streams", named)
        super().setUp()

    def expected_factory_class(self) -> type[StreamsFactory]:
        return StreamsFactory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return StreamRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return EventRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return TrackRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OtherTrackRecorder

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return ReactionRecorder


OURS: tuple[Any, ...] = (
    OfStreamRecorder,
    OfEventRecorder,
    OfAppendsStandingTogether,
    OfTrackRecorder,
    OfReactionRecorder,
    OfStreamsFactory,
)
EVERY_CASE = [
    pytest.param(case, name, id=f"{case.__name__}-{name}")
    for case in OURS
    for name in defaultTestLoader.getTestCaseNames(case)
]


@pytest.mark.parametrize(("case", "name"), EVERY_CASE)
def test_a_case_of_the_library_holds(database: Database, case: Any, name: str):
    with database.own() as c:
        write_genesis(c, {"kind": "genesis"})  # leaf 0, so that events begin at 1 as the cases expect
    before = set(threading.enumerate())
    run = case(name)
    run.database = database
    run.debug()
    for left in set(threading.enumerate()) - before:
        left.join(10)  # some cases tell their readers to stop, and do not wait for them


def test_no_case_of_the_library_is_forgotten():
    """A later version of the library may bring more cases: then this fails, and somebody decides."""
    about_stores = {
        case
        for case in vars(cases).values()
        if isinstance(case, type) and case.__module__ == cases.__name__ and case.__name__.endswith("Case")
    }
    taken = {base for case in OURS for base in case.__mro__}
    assert about_stores - taken == {cases.TranscoderTestCase}  # ours is not a transcoder


def test_subscribing_is_not_offered_and_says_why(database: Database):
    with pytest.raises(NotImplementedError, match="NOTIFY"):
        EventRecorder(database).subscribe()
