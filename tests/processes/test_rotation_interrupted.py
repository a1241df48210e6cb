"""Ending an epoch: whatever step is the last before a crash, the next try goes on, and everything is said once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from engine.stores import CONSENT, count_of, document, headers_of, times_of, value_in_clear
from processes.dying import Crash, Death, Dying, dies, is_well_again
from processes.test_erasure_interrupted import doomed_in, ordered
from processes.traces import ORDERS, lived, order
from sqlalchemy import select
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.ledger.envelope import b64url, leaf_hash
from lifecycle.ledger.tables import log_entry
from lifecycle.ledger.tree import root
from lifecycle.storage.tables import epoch_erasure, stream_head
from lifecycle.vault.rotation import Rotation
from lifecycle.vault.tables import epoch, installation_key, lookup, subject_key

STEPS = [
    ("begin", "after"),
    ("wrap_again", "after"),
    ("destroy", "after"),
    ("_say", "before"),
    ("_say", "after"),
    ("_finalise", "after"),
]
DEATHS = [
    ("begin", "COMMIT", 1),  # the file of the new key is there, its row is not
    ("wrap_again", "COMMIT", 2),  # between two batches
    ("destroy", "INSERT ledger_queue", 1),  # the file of the old key is gone, and nothing says so
    ("_say", "INSERT event_header", 1),
    ("finalise", "DELETE epoch_erasure", 1),  # said, and not known to have been said
]


def went(store: Store) -> UUID:
    """Two people are there, and one has gone."""
    for person in (ANN, BEN):
        store.consent(subject=person)
        store.collect(subject=person, data=TRIAL)
    person = lived(store, "gone")["gone"]
    assert store.engine.execute(order("whole", "gone")).outcome == "done"
    return person


def system_entries(store: Store, kind: str) -> list[dict[str, Any]]:
    """The log's own entries of this kind; they are readable by everybody."""
    store.engine.drain()
    with store.engine.database.read() as c:
        entries = [bytes(entry) for entry in c.execute(select(log_entry.c.entry)).scalars()]
    said = [orjson.loads(entry[1:]) for entry in entries if entry[:1] == b"\x03"]
    return [each for each in said if each["kind"] == kind]


def present(store: Store) -> int:
    with store.engine.database.read() as c:
        (now_open,) = c.execute(select(epoch.c.epoch).where(epoch.c.ended_at.is_(None))).scalars()
        return now_open


def finalised_in(store: Store, person: UUID) -> list[list[int]]:
    """Of either stream: the epochs whose end was said to make it final."""
    return [
        [header.data["epoch"] for header in headers_of(store.engine.database, stream)
         if header.kind == "erasure-finalised/1"]
        for stream in (person, access_stream_of(person))
    ]  # fmt: skip


def each_end_is_said_once(store: Store) -> None:
    ended = Counter(entry["epoch"] for entry in system_entries(store, "epoch-destroyed/1"))
    assert ended == dict.fromkeys(range(1, present(store)), 1)
    assert store.engine.vault.epoch_keys.present() == [present(store)]
    assert count_of(store.engine.database, epoch_erasure) == 0
    with store.engine.database.read() as c:
        for table in (installation_key, subject_key, lookup):
            assert set(c.execute(select(table.c.epoch)).scalars()) <= {present(store)}


def test_an_epoch_that_ends_makes_final_what_was_erased_in_it(store: Store):
    person = went(store)
    ended = store.engine.rotate()
    assert (ended.epoch, ended.finalised, ended.people) == (1, 2, 1)  # both streams of one person
    assert finalised_in(store, person) == [[1], [1]]
    each_end_is_said_once(store)
    (entry,) = system_entries(store, "epoch-destroyed/1")
    with store.engine.database.read() as c:
        both = stream_head.c.stream_id.in_([person, access_stream_of(person)])
        sids = sorted(bytes(sid) for sid in c.execute(select(stream_head.c.sid).where(both)).scalars())
    assert (entry["epoch"], entry["records"]) == (1, 2)
    assert entry["root"] == b64url(root([leaf_hash(sid) for sid in sids]))
    assert value_in_clear(store.engine, ANN) == value_in_clear(store.engine, BEN) == TRIAL
    assert store.consent(subject=ANN).outcome == "nothing"  # found under the new key of the blind index


def test_a_rotation_that_dies_between_any_two_steps_is_gone_on_with(store: Store):
    went(store)
    people = lived(store, *(f"{step.strip('_')}-{when}" for step, when in STEPS))
    for (step, when), (name, person) in zip(STEPS, people.items(), strict=True):
        number = present(store)
        store.engine.execute(order("whole", name))
        dies(store.engine.ending, step, when)
        with pytest.raises(Crash):
            store.engine.rotate()
        is_well_again(store.engine.ending, step)
        assert value_in_clear(store.engine, ANN) == TRIAL, name  # also while the rotation is unfinished
        assert store.consent(subject=BEN).outcome == "nothing", name
        store.engine.rotate()
        assert finalised_in(store, person) == [[number], [number]], name
    each_end_is_said_once(store)
    assert value_in_clear(store.reopen(), BEN) == TRIAL


def test_a_rotation_whose_process_is_killed_within_a_step_is_gone_on_with(store: Store, dying: Dying):
    went(store)
    people = lived(store, *(f"{step.strip('_')}-{number}" for number, (step, *_) in enumerate(DEATHS)))
    for death, (name, person) in zip(DEATHS, people.items(), strict=True):
        with store.engine.database.read() as c:
            number = c.execute(select(epoch.c.epoch).order_by(epoch.c.epoch.desc())).scalars().first()
        store.engine.execute(order("whole", name))
        dying(store, Death("ending", *death))
        assert value_in_clear(store.engine, ANN) == TRIAL, death
        assert store.consent(subject=BEN).outcome == "nothing", death
        store.engine.rotate()
        assert finalised_in(store, person) == [[number], [number]], death
    each_end_is_said_once(store)


def test_what_an_ended_epoch_left_unsaid_is_said_at_the_next_start(store: Store):
    """Nothing can bring the values back: the records say so without waiting for the end of another epoch."""
    person = went(store)
    dies(store.engine.ending, "_finalise", "before")
    with pytest.raises(Crash):
        store.engine.rotate()
    assert finalised_in(store, person) == [[], []]
    store.reopen()
    assert finalised_in(store, person) == [[1], [1]]
    each_end_is_said_once(store)


def test_who_registers_while_an_epoch_ends_stays_readable_and_findable(store: Store):
    went(store)
    rotation = Rotation(store.engine.vault.epoch_keys)
    new = {"email": "new@example.com"}
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        store.engine.ending.begin(rotation, store.engine.clock.now())
        assert other.execute(document("give-consent", "n-1", new, **CONSENT)).outcome == "done"
        with store.engine.database.write("eraser") as c:
            assert rotation.rewrap_batch(c, 1) > 0
        for who in (ANN, BEN):
            assert other.execute(document("give-consent", "n-5", who, **CONSENT)).outcome == "nothing"
        store.engine.ending.wrap_again(rotation)
        assert other.execute(document("give-consent", "n-2", {"ref": "newer"}, **CONSENT)).outcome == "done"
        store.engine.rotate()
        fields = {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": {"name": "New"}}
        for number, who in enumerate((new, {"ref": "newer"})):
            assert other.execute(document("collect", f"n-{number + 3}", who, **fields)).outcome == "done"
            assert value_in_clear(store.engine, who) == {"name": "New"}
    assert times_of(store.engine.database, "subject-registered") == 5


def test_what_is_erased_while_an_epoch_ends_is_final_at_the_right_end(store: Store):
    """A key that was wrapped under both epochs dies only with the second."""
    person = went(store)
    rotation = Rotation(store.engine.vault.epoch_keys)
    store.engine.ending.begin(rotation, store.engine.clock.now())
    store.engine.ending.wrap_again(rotation)
    late = store.do("erase", subject=BEN, ground="7.3c").subject
    assert late is not None
    store.engine.rotate()
    assert finalised_in(store, person) == [[1], [1]]
    assert finalised_in(store, late) == [[], []]
    store.engine.rotate()
    assert finalised_in(store, late)[0] == [2]


@pytest.mark.parametrize("kind", ORDERS)
def test_what_was_not_completed_when_its_epoch_ended_is_counted_with_the_next(store: Store, kind: str):
    """Whoever ends an epoch counts the records that it makes final: none may be added to them afterwards."""
    person = lived(store, "ann")["ann"]
    saga, now = ordered(store, kind, "ann"), store.engine.clock.now()
    doomed = doomed_in(store)
    saga.write_journal(doomed, now)
    saga.fence([person] if kind == "whole" else [], now)
    epochs = saga.destroy(doomed, now)
    assert store.engine.ending(now).epoch == 1  # by another process, which knows nothing of the erasure under way
    saga.complete(doomed, epochs, now)
    assert store.engine.ending(now).epoch == 2
    assert [entry["records"] for entry in system_entries(store, "epoch-destroyed/1")] == [
        0,
        2 if kind == "whole" else 1,
    ]
    assert finalised_in(store, person) == [[2], [2] if kind == "whole" else []]
    each_end_is_said_once(store)


def test_two_who_end_an_epoch_at_once_end_each_only_once(store: Store):
    person = went(store)

    def rotate(_: int) -> int:
        with open_engine(store.settings.db, keys=store.settings.keys) as engine:
            return engine.rotate().epoch

    with ThreadPoolExecutor(2) as pool:
        ended = sorted(pool.map(rotate, range(2)))
    assert ended in ([1, 1], [1, 2])
    assert finalised_in(store, person) == [[1], [1]]
    each_end_is_said_once(store)
    assert value_in_clear(store.engine, ANN) == TRIAL


def test_an_epoch_may_end_with_nobody_in_it_and_ends_of_itself_only_if_something_was_destroyed(store: Store):
    ending, now = store.engine.ending, store.engine.clock.now()
    assert store.engine.rotate().epoch == 1
    assert [entry["records"] for entry in system_entries(store, "epoch-destroyed/1")] == [0]
    assert not ending.is_due(now + timedelta(days=9))
    went(store)
    assert not ending.is_due(now + timedelta(hours=23, minutes=59))
    assert ending.is_due(now + timedelta(hours=24))
    store.engine.move_clock(now + timedelta(hours=24))
    store.engine.rotate()
    assert not ending.is_due(now + timedelta(days=9))
