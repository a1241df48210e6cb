"""An erasure that is interrupted anywhere is gone on with, once, by whoever opens the store next."""

from __future__ import annotations

import pytest
from engine.stores import CONSENT, QUOTE, count_of, document, headers_of, times_of, value_in_clear
from processes.dying import Crash, Death, Dying, dies, is_well_again
from processes.traces import ORDERS, lived, named, order, trace
from sqlalchemy import select
from whole.stores import TRIAL, Store

from lifecycle.engine import open_engine
from lifecycle.processes.doomed import Doomed, doomed_by
from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered
from lifecycle.storage.tables import pending_erasure
from lifecycle.vault.tables import subject_key

STEPS = ("write_journal", "fence", "destroy", "verify", "complete")
MOMENTS = [*((step, when) for step in STEPS for when in ("before", "after")), ("_append_completed", "after")]
DEATHS = {
    "whole": [
        ("write_journal", "fsync", 1),  # a line without its end
        ("fence", "INSERT tombstone", 1),
        ("destroy", "DELETE subject_key", 1),
        ("verify", "SELECT data_key", 1),
        ("complete", "INSERT event_header", 1),
    ],
    "part": [
        ("write_journal", "fsync", 2),  # a line that may be on the disk, or not
        ("destroy", "UPDATE data_key", 1),
        ("destroy", "COMMIT", 1),
        ("complete", "DELETE pending_erasure", 1),
    ],
    "identifier": [
        ("destroy", "DELETE lookup", 1),
        ("complete", "INSERT epoch_erasure", 1),
    ],
}
VALUES = {
    "whole": {},
    "part": {name: value for name, value in TRIAL.items() if name != "name"},
    "identifier": TRIAL | {"name": "Anna"},
}


def saga_of(store: Store) -> EraseWhatWasOrdered:
    engine = store.engine
    return EraseWhatWasOrdered(engine.database, engine.streams, engine.vault, engine.journal, engine.policies)


def undisturbed(store: Store, kind: str) -> dict[str, object]:
    """What is left of somebody whose erasure nothing interrupts."""
    people = lived(store, "undisturbed", "never")
    before = trace(store, people["never"])
    outcome = store.engine.execute(order(kind, "undisturbed"))
    assert outcome.outcome == "done"
    left = trace(store, people["undisturbed"])
    assert len(left["journal"]) == 1
    assert left["pending_erasure"] == [0, 0]
    assert left["epochs"][0] == [1]
    assert len(left["completed"]) == (kind != "identifier")
    assert len(left["lookup"]) == {"whole": 0, "part": 2, "identifier": 1}[kind]
    assert len(left["data_key"]) == {"whole": 0, "part": 4, "identifier": 6}[kind]
    assert left["subject_key"] == {"whole": [], "part": [2], "identifier": [1]}[kind]
    if kind == "whole":
        assert (left["event_body"], left["command_seen"], left["tombstone"]) == ([0, 0], [0, 0], [2])
        assert left["epochs"] == [[1], [1]]
        assert [fenced for fenced, _, _ in left["heads"]] == [True, True]
    assert trace(store, people["never"]) == before
    return left


def is_as_if_nothing_had_happened(store: Store, kind: str, name: str) -> None:
    """For whoever asks: the same command again, a new one, and what can be read."""
    again = store.engine.execute(order(kind, name))
    if kind == "whole":
        assert again.code == "subject-erased"
        return
    assert again.outcome == "done"
    assert value_in_clear(store.engine, named(name)) == VALUES[kind]


@pytest.mark.parametrize("kind", ORDERS)
def test_an_erasure_that_dies_before_or_after_any_step_ends_as_one_that_does_not(store: Store, kind: str):
    expected = undisturbed(store, kind)
    people = lived(store, *(f"{step}-{when}" for step, when in MOMENTS))
    for (step, when), (name, person) in zip(MOMENTS, people.items(), strict=True):
        dies(store.engine.erasing, step, when)
        with pytest.raises(Crash):
            store.engine.execute(order(kind, name))
        is_well_again(store.engine.erasing, step)
        is_pending = (step, when) != ("complete", "after")
        assert store.engine.resume() == is_pending
        assert trace(store, person) == expected, name
    assert store.engine.resume() == 0
    for name in list(people)[::4]:
        is_as_if_nothing_had_happened(store, kind, name)


@pytest.mark.parametrize("kind", ORDERS)
def test_an_erasure_whose_process_is_killed_within_a_step_ends_as_one_that_is_not(
    store: Store, dying: Dying, kind: str
):
    expected = undisturbed(store, kind)
    people = lived(store, *(f"{step}-{number}" for number, (step, *_) in enumerate(DEATHS[kind])))
    for death, (name, person) in zip(DEATHS[kind], people.items(), strict=True):
        dying(store, Death("erasing", *death), order(kind, name))
        assert trace(store, person) == expected, death
    assert store.engine.resume() == 0
    for name in list(people)[::3]:
        is_as_if_nothing_had_happened(store, kind, name)


def test_an_order_whose_process_is_killed_before_its_commit_was_never_given(store: Store, dying: Dying):
    people = lived(store, "ann")
    before = trace(store, people["ann"])
    dying(store, Death("streams", "save", "INSERT pending_erasure"), order("whole", "ann"))
    assert trace(store, people["ann"]) == before
    assert store.engine.execute(order("whole", "ann")).outcome == "done"


def test_a_repeat_of_the_command_carries_the_order_out_before_it_answers(store: Store):
    """Done is done: whoever asks again after a failure is not told so while the values are still there."""
    expected = undisturbed(store, "whole")
    person = lived(store, "ann")["ann"]
    dies(store.engine.erasing, "write_journal", "before")
    with pytest.raises(Crash):
        store.engine.execute(order("whole", "ann"))
    is_well_again(store.engine.erasing, "write_journal")
    again = store.engine.execute(order("whole", "ann"))
    assert again.outcome == "done"
    assert again.receipt is not None
    assert trace(store, person) == expected


def test_nobody_reads_or_writes_a_person_between_fence_and_destruction(store: Store):
    person = lived(store, "ann")["ann"]
    dies(store.engine.erasing, "fence", "after")
    with pytest.raises(Crash):
        store.engine.execute(order("whole", "ann"))
    with store.engine.database.read() as c:
        assert store.engine.vault.keys_of(c, [person]) == {}
    for fields in (QUOTE | {"data": {"phone": "+6591234567"}}, QUOTE | {"data": {"company": "Acme"}}):
        assert store.do("collect", subject=named("ann"), **fields).code == "subject-erased"
    assert [row["value"] for row in store.engine.read.holdings(person) if row["value"]] == []


def ordered(store: Store, kind: str, name: str) -> EraseWhatWasOrdered:
    """Order an erasure that is not carried out; return a saga that could."""
    dies(store.engine.erasing, "write_journal", "before")
    with pytest.raises(Crash):
        store.engine.execute(order(kind, name))
    store.engine.erasing = saga_of(store)
    return saga_of(store)


def doomed_in(store: Store) -> list[Doomed]:
    with store.engine.database.read() as c:
        orders = c.execute(select(pending_erasure.c.stream_id, pending_erasure.c.version)).all()
        return doomed_by(c, store.engine.streams, [(row.stream_id, row.version) for row in orders])


@pytest.mark.parametrize("kind", ORDERS)
def test_steps_taken_twice_do_nothing_twice(store: Store, kind: str):
    expected = undisturbed(store, kind)
    person = lived(store, "ann")["ann"]
    saga, now = ordered(store, kind, "ann"), store.engine.clock.now()
    doomed = doomed_in(store)
    for _ in range(2):
        saga.write_journal(doomed, now)
        saga.fence([person] if kind == "whole" else [], now)
        epochs = saga.destroy(doomed, now)
        saga.verify(doomed)
    for _ in range(2):
        saga.complete(doomed, epochs, now)
    assert trace(store, person) == expected


@pytest.mark.parametrize("kind", ORDERS)
def test_who_comes_late_to_an_order_that_another_carried_out_adds_nothing(store: Store, kind: str):
    """Two resume the same order; one is paused so long that the epoch has ended meanwhile."""
    person = lived(store, "ann")["ann"]
    late, now = ordered(store, kind, "ann"), store.engine.clock.now()
    doomed = doomed_in(store)
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        other.rotate()
    late.write_journal(doomed, now)
    late.fence([person] if kind == "whole" else [], now)
    late.complete(doomed, late.destroy(doomed, now), now)
    store.engine.resume()
    assert count_of(store.engine.database, pending_erasure) == 0
    kinds = [header.kind for header in headers_of(store.engine.database, person)]
    assert kinds.count("erasure-completed/1") == (kind != "identifier")
    store.engine.rotate()
    kinds = [header.kind for header in headers_of(store.engine.database, person)]
    assert kinds.count("erasure-finalised/1") == (1 if kind != "identifier" else 2)


def test_many_orders_are_carried_out_together_and_gone_on_with_together(store: Store):
    people = [{"ref": f"u{number}"} for number in range(12)]
    store.engine.execute_many([document("give-consent", "m-1", each, **CONSENT) for each in people])
    dies(store.engine.erasing, "destroy", "after")
    for each in people[:3]:
        with pytest.raises(Crash):
            store.do("erase", subject=each, ground="7.3c")
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert times_of(other.database, "erasure-completed") == 3
        assert count_of(other.database, subject_key) == 9
