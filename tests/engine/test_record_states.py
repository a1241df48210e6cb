"""States of records about no person are folded on from where they were known, and are those of the asked version."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from clauses.successor import DAY, NEWCO, done
from whole.stores import Store

from lifecycle.domain.event import Withheld
from lifecycle.domain.transfer.transfer import Status, Transfer
from lifecycle.engine.record_states import RecordStates
from lifecycle.storage.recorder import EventRecorder

NAMED = ("transfer", "newco")


@pytest.fixture
def store(store: Store) -> Store:
    store.engine.move_clock(datetime.fromisoformat(DAY))
    done(store.do("announce-transfer", transfer="newco", cause="merger", recipient=NEWCO))
    return store


def read(states: RecordStates, version: int | None = None) -> Transfer:
    found = states.of(NAMED, version)
    assert isinstance(found, Transfer)
    return found


def in_words(store: Store, states: RecordStates, version: int) -> Any:
    with store.engine.database.read() as c:
        return states.in_words(c, NAMED, version)


def test_a_record_that_went_on_is_read_behind_what_was_known(store: Store, monkeypatch: pytest.MonkeyPatch):
    states, asked = RecordStates(store.engine.streams), []
    assert read(states).status is Status.ANNOUNCED
    done(store.do("begin-transfer", transfer="newco"))
    real = EventRecorder.states

    def watched(self: EventRecorder, stream_id: UUID, gt: int | None, lte: int | None) -> Any:
        asked.append(gt)
        return real(self, stream_id, gt, lte)

    monkeypatch.setattr(EventRecorder, "states", watched)
    assert read(states).status is Status.BEGUN
    assert asked == [1]


def test_a_snapshot_sees_nothing_that_another_thread_read_later(store: Store):
    states = RecordStates(store.engine.streams)
    done(store.do("begin-transfer", transfer="newco"))
    assert (read(states).status, read(states, 1).status) == (Status.BEGUN, Status.ANNOUNCED)
    assert (in_words(store, states, 2).status, in_words(store, states, 1).status) == (Status.BEGUN, Status.ANNOUNCED)


def test_words_are_there_for_who_asks_for_them_and_for_nobody_else(store: Store):
    states = RecordStates(store.engine.streams)
    done(store.do("begin-transfer", transfer="newco"))
    for _ in range(2):
        assert read(states).contact is Withheld.SEALED
        assert in_words(store, states, 1).contact == NEWCO["contact"]
        assert in_words(store, states, 2).contact == NEWCO["contact"]


def test_of_what_nobody_began_there_is_a_record_of_nothing(store: Store):
    states = RecordStates(store.engine.streams)
    assert states.of(("transfer", "other")).version == 0
    with store.engine.database.read() as c:
        assert states.in_words(c, ("transfer", "other"), 0).version == 0
