"""An erasure that is interrupted anywhere is gone on with, once, by whoever opens the store next."""

from __future__ import annotations

from uuid import UUID

import pytest
from engine.stores import CONSENT, QUOTE, count_of, document, headers_of, times_of, value_in_clear
from processes.dying import Crash, dies, erasure, kill_at, killed
from sqlalchemy import select
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import open_engine
from lifecycle.processes.erase_what_was_ordered import EraseWhatWasOrdered
from lifecycle.storage.tables import command_seen, epoch_erasure, event_body, pending_erasure, stream_head
from lifecycle.vault.tables import data_key, lookup, spent_command, subject_key, tombstone

STEPS = ("write_journal", "fence", "destroy", "verify", "complete")
MOMENTS = [(step, when) for step in STEPS for when in ("before", "after")]
LAST = [*MOMENTS, ("_append_completed", "after")]
ERASE_ALL = erasure(ANN["email"])


def lived(store: Store) -> UUID:
    """Ann has values, a refusal on her second stream and an identifier more; Ben is there too."""
    for person in (ANN, BEN):
        store.consent(subject=person)
        store.collect(subject=person, data=TRIAL)
    store.collect("no-such-purpose")
    store.do("link-identifier", subject=ANN, identifier={"ref": "user-1"})
    return store.engine.read.subject_id(ANN)


def nothing_is_left(store: Store, person: UUID) -> None:
    database = store.engine.database
    for table in (subject_key, data_key, lookup):
        assert count_of(database, table, table.c.subject_id == person) == 0
    for stream in (person, access_stream_of(person)):
        for each in (event_body, command_seen, pending_erasure):
            assert count_of(database, each, each.c.stream_id == stream) == 0
        assert count_of(database, stream_head, stream_head.c.stream_id == stream, stream_head.c.fenced) == 1
        assert count_of(database, epoch_erasure, epoch_erasure.c.stream_id == stream) == 1
    assert count_of(database, tombstone, tombstone.c.subject_id == person) == 1
    kinds = [header.kind for header in headers_of(database, person)]
    assert kinds.count("erasure-ordered/1") == kinds.count("erasure-completed/1") == 1


def orders_in_journal(store: Store) -> list[tuple[UUID, int]]:
    return [(entry.subject_id, entry.order) for entry in store.engine.journal.entries()]


@pytest.mark.parametrize(("step", "when"), LAST)
def test_a_whole_erasure_that_dies_at_a_step_is_gone_on_with_once(store: Store, step: str, when: str):
    person = lived(store)
    dies(store.engine.erasing, step, when)
    with pytest.raises(Crash):
        store.engine.execute(ERASE_ALL)
    store.reopen()
    nothing_is_left(store, person)
    assert store.engine.resume() == 0
    assert len(orders_in_journal(store)) == 1
    assert store.engine.execute(ERASE_ALL).code == "subject-erased"
    assert value_in_clear(store.engine, BEN) == TRIAL


@pytest.mark.parametrize(("step", "when"), LAST)
def test_a_partial_erasure_that_dies_at_a_step_is_gone_on_with_once(store: Store, step: str, when: str):
    person = lived(store)
    dies(store.engine.erasing, step, when)
    with pytest.raises(Crash):
        store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    store.reopen()
    kinds = [header.kind for header in headers_of(store.engine.database, person)]
    assert kinds.count("erasure-ordered/1") == kinds.count("erasure-completed/1") == 1
    assert count_of(store.engine.database, pending_erasure) == 0
    assert store.engine.resume() == 0
    assert value_in_clear(store.engine, ANN) == {name: value for name, value in TRIAL.items() if name != "name"}
    assert store.collect(data={"name": "Zoe"}).outcome == "done"


@pytest.mark.parametrize(("step", "when"), [("destroy", "before"), ("destroy", "after")])
def test_an_unlinking_that_dies_is_gone_on_with(store: Store, step: str, when: str):
    lived(store)
    dies(store.engine.erasing, step, when)
    with pytest.raises(Crash):
        store.do("unlink-identifier", subject=ANN, identifier={"ref": "user-1"})
    store.reopen()
    assert count_of(store.engine.database, lookup) == 2
    assert count_of(store.engine.database, pending_erasure) == 0
    assert times_of(store.engine.database, "erasure-completed") == 0  # nothing about a holding was ordered


def test_a_repeat_of_the_command_carries_the_order_out_before_it_answers(store: Store):
    """Done is done: whoever asks again after a failure is not told so while the values are still there."""
    person = lived(store)
    intact = store.engine.erasing
    store.engine.erasing = EraseWhatWasOrdered(
        store.engine.database, store.engine.streams, store.engine.vault, store.engine.journal, store.engine.policies
    )
    dies(store.engine.erasing, "write_journal", "before")
    with pytest.raises(Crash):
        store.engine.execute(ERASE_ALL)
    store.engine.erasing = intact
    again = store.engine.execute(ERASE_ALL)
    assert again.outcome == "done"
    assert again.receipt is not None
    nothing_is_left(store, person)


def test_nobody_reads_or_writes_a_person_between_fence_and_destruction(store: Store):
    person = lived(store)
    dies(store.engine.erasing, "fence", "after")
    with pytest.raises(Crash):
        store.engine.execute(ERASE_ALL)
    with store.engine.database.read() as c:
        assert store.engine.vault.keys_of(c, [person]) == {}
    for fields in (QUOTE | {"data": {"phone": "+6591234567"}}, QUOTE | {"data": {"company": "Acme"}}):
        assert store.do("collect", subject=ANN, **fields).code == "subject-erased"
    assert [row["value"] for row in store.engine.read.holdings(person) if row["value"]] == []
    store.reopen()
    nothing_is_left(store, person)


def test_steps_taken_twice_do_nothing_twice(store: Store):
    person = lived(store)
    dies(store.engine.erasing, "write_journal", "before")
    with pytest.raises(Crash):
        store.engine.execute(ERASE_ALL)
    saga = EraseWhatWasOrdered(
        store.engine.database, store.engine.streams, store.engine.vault, store.engine.journal, store.engine.policies
    )
    now = store.engine.clock.now()
    with store.engine.database.read() as c:
        order = c.execute(select(pending_erasure.c.stream_id, pending_erasure.c.version)).one()
        doomed = saga._doomed(c, [(order.stream_id, order.version)])
    epochs: dict[tuple[UUID, int], int] = {}
    for _ in range(2):
        saga.write_journal(doomed, now)
        saga.fence([person], now)
        epochs = saga.destroy(doomed, now)
        saga.verify(doomed)
    for _ in range(2):
        saga.complete(doomed, epochs, now)
    nothing_is_left(store, person)
    assert len(orders_in_journal(store)) == 1


def test_many_orders_are_carried_out_together_and_gone_on_with_together(store: Store):
    people = [{"ref": f"u{number}"} for number in range(12)]
    store.engine.execute_many([document("give-consent", "m-1", each, **CONSENT) for each in people])
    dies(store.engine.erasing, "destroy", "after")
    for each in people[:3]:
        with pytest.raises(Crash):
            store.do("erase", subject=each, ground="7.3c")
    other = store.reopen()
    assert times_of(other.database, "erasure-completed") == 3
    assert count_of(other.database, subject_key) == 9


def test_a_killed_erasure_is_either_not_ordered_or_completed_by_the_next_start(store: Store):
    """Killed between two statements, in each third of the way."""
    lived(store)
    seen = kill_at(store.engine, 0)
    store.engine.execute(erasure(BEN["email"]) | {"id": "other"})
    ordered = next(number for number, said in enumerate(seen) if "INSERT INTO pending_erasure" in said)
    person = store.engine.read.subject_id(ANN)
    for statement in (ordered - 1, (ordered + len(seen)) // 2, len(seen) - 4):
        store.engine.close()
        killed(store, f"erase {ANN['email']}", statement)
        store.engine = open_engine(store.settings.db, keys=store.settings.keys)
        was_ordered = "erasure-ordered/1" in [header.kind for header in headers_of(store.engine.database, person)]
        assert was_ordered == (statement != ordered - 1)
        if was_ordered:
            nothing_is_left(store, person)
            store.consent()
            store.collect()
            person = store.engine.read.subject_id(ANN)
            store.engine.forget_old_commands()
            forget_spent_now(store)


def forget_spent_now(store: Store) -> None:
    """So that the next round may use the same command id."""
    with store.engine.database.write("eraser") as c:
        c.execute(spent_command.delete())
