"""Many people in one sweep: a few statements for all of them, and nobody waits for one whose record is broken."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from engine.costs import work_done
from engine.stores import count_of, lift_triggers, statements, times_of
from plans import assert_walks_over_no, plans_of
from schedule.test_sweep import DUE, quoted
from sqlalchemy import select, update
from whole.stores import Store
from whole.test_damaged import tampered, with_another_shape

from lifecycle.projections.retention_calendar import due
from lifecycle.schedule.sweep import Swept
from lifecycle.storage import portions
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.tables import pending_erasure
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.tables import data_key, subject_key


def swept_with(store: Store, people: int, lot: str, days: int) -> list[str]:
    """The statements of a sweep that finds so many people due."""
    quoted(store, people, (DUE - timedelta(days=366 - days)).isoformat(), lot)
    store.engine.move_clock(DUE + timedelta(days=days))
    store.engine.drain()
    with statements(store.engine.database) as executed:
        assert store.engine.sweep().erased == people
    return executed


def test_the_statements_of_a_sweep_are_no_more_for_thirty_people_than_for_three(store: Store):
    swept_with(store, 2, "first", 0)  # what is loaded once is loaded
    few = swept_with(store, 3, "few", 9)
    many = swept_with(store, 30, "many", 18)
    assert len(many) <= len(few)  # on PostgreSQL many rows go by COPY


def test_what_is_asked_of_many_people_has_the_words_of_what_is_asked_of_fewer(store: Store):
    """The driver keeps each statement that it prepared, with room for its values: by words for each number of people a
    worker grew by two megabytes with every end of an epoch."""
    swept_with(store, 2, "first", 0)
    known: set[str] = set()
    for lot, people in enumerate((37, 52, 61)):  # up to 64 and beyond 32, within what is made alike with marks
        with statements(store.engine.database) as ended:
            store.engine.rotate()
        said = [*swept_with(store, people, f"lot{lot}-", 9 * (lot + 1)), *ended]
        asked = {re.sub(r"\b\d+\b", "0", each) for each in said}  # places in the log are written out
        assert lot < 2 or asked <= known
        known |= asked


def test_the_journal_has_one_line_for_all_who_are_swept_together(store: Store):
    quoted(store, 7)
    store.engine.move_clock(DUE)
    before = store.engine.journal.path.read_bytes().count(b"\n")
    assert store.engine.sweep().erased == 7
    assert store.engine.journal.path.read_bytes().count(b"\n") == before + 1
    assert len(list(store.engine.journal.entries())) == 7


def test_of_people_with_long_records_fewer_are_swept_together(store: Store, monkeypatch: pytest.MonkeyPatch):
    quoted(store, 7)
    store.engine.move_clock(DUE)
    monkeypatch.setattr(portions, "EVENTS", 10)
    before = store.engine.journal.path.read_bytes().count(b"\n")
    assert store.engine.sweep() == Swept(people=7, expired=7, erased=7)
    # Each has three events when it is decided, three people together; five when it is carried out: two, one, two, one, one.
    assert store.engine.journal.path.read_bytes().count(b"\n") == before + 5
    assert count_of(store.engine.database, data_key, data_key.c.hid != "record") == 0


def test_with_nothing_due_the_calendar_is_asked_one_probe_of_an_index(store: Store):
    """For what is due and for days that another calendar may move together, whatever else is stored."""
    engine, cost = store.engine, []
    for people in (3, 200):
        quoted(store, people, lot=f"lot{people}-")
        now = engine.clock.now()
        engine.sweeping(now)
        with statements(engine.database) as executed, work_done(engine.database) as done:
            assert engine.sweeping(now) == Swept()
        cost.append((len(executed), *done))
    assert cost[0] == cost[1]
    assert cost[0][0] < 12
    asked = [said for said in executed if "retention_calendar" in said]
    assert len(asked) == 1
    with store.engine.database.read() as c:
        plans = plans_of(c, lambda: list(due(c, now, 1)))
    assert len(plans) == 1
    assert plans[0].count("ix_retention_calendar_due") == 1
    assert plans[0].count("retention_calendar") == 2, "nothing else of it is looked at"
    assert_walks_over_no(plans, "retention_calendar")


def test_a_damaged_record_holds_up_nobody_else(store: Store):
    quoted(store, 5)
    database = store.engine.database
    broken = store.engine.read.subject_id({"email": "p2@example.com"})
    store.engine.move_clock(DUE)
    store.engine.drain()
    tampered(store, broken, 3, with_another_shape)
    database = store.engine.database
    with pytest.raises(RecordDamaged):
        store.engine.sweeping(store.engine.clock.now())
    assert times_of(database, "erasure-completed") == 4
    assert {each.subject_id for each in store.engine.sweeping.due(store.engine.clock.now())} == {broken}


def test_a_key_that_does_not_open_holds_up_nobody_else_and_its_order_is_gone_on_with(store: Store):
    quoted(store, 6)
    database = store.engine.database
    broken = store.engine.read.subject_id({"email": "p4@example.com"})
    mine = subject_key.c.subject_id == broken
    with database.own() as c:
        lift_triggers(c, subject_key)
        whole = bytes(c.execute(select(subject_key.c.wrapped).where(mine)).scalar_one())
        c.execute(update(subject_key).where(mine).values(wrapped=whole[:-1] + bytes([whole[-1] ^ 1])))
    store.engine.move_clock(DUE)
    with pytest.raises(Tampered):
        store.engine.sweep()
    assert times_of(database, "erasure-ordered") == 6
    assert times_of(database, "erasure-completed") == 5
    assert count_of(database, data_key, data_key.c.hid != "record") == 1
    assert count_of(database, pending_erasure) == 1
    with database.own() as c:
        c.execute(update(subject_key).where(mine).values(wrapped=whole))
    assert store.engine.resume() == 1
    assert times_of(database, "erasure-completed") == 6
    assert count_of(database, data_key, data_key.c.hid != "record") == 0
