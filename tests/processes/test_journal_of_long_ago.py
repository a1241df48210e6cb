"""What a store has noted of the erasure journal is read when it is needed, and not whenever a process starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clauses.test_clause_5 import Tape
from processes.traces import lived, named, order
from sqlalchemy import func, select
from whole.stores import Store

from lifecycle.engine import open_engine
from lifecycle.engine.doctor.examining import examine
from lifecycle.engine.doctor.finding import Level
from lifecycle.vault.files import KeysUnavailable
from lifecycle.vault.tables import data_key


def said(store: Store) -> list[tuple[Any, int]]:
    return [(entry.subject_id, entry.order) for entry in store.engine.journal.entries()]


def broken(path: Path) -> None:
    """Its first line is another now."""
    path.write_bytes(path.read_bytes().replace(b'"order":', b'"Order":', 1))


def mended(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"Order":', b'"order":', 1))


def test_a_store_opens_and_erases_whatever_was_erased_long_ago(store: Store):
    people = lived(store, "ann", "ben", "cleo")
    assert store.engine.execute(order("whole", "ann")).outcome == "done"
    assert store.engine.execute(order("part", "ben")).outcome == "done"
    path = store.engine.journal.path
    store.engine.close()
    broken(path)
    store.reopen()
    assert store.engine.execute(order("whole", "cleo")).outcome == "done"
    with store.engine.database.read("eraser") as c:
        keys = select(func.count()).where(data_key.c.subject_id.in_([people["ann"], people["cleo"]]))
        assert c.execute(keys).scalar_one() == 0
    mended(path)
    assert [subject for subject, _ in said(store)] == [people[name] for name in ("ann", "ben", "cleo")]


def test_a_line_of_long_ago_that_was_changed_ends_no_epoch_and_is_told_by_the_doctor(store: Store):
    lived(store, "ann", "ben")
    for name in ("ann", "ben"):
        assert store.engine.execute(order("whole", name)).outcome == "done"
    before = store.engine.vault_status()
    broken(store.engine.journal.path)
    store.reopen()
    with pytest.raises(KeysUnavailable, match="broken"):
        store.engine.rotate()
    assert store.engine.vault_status() == before
    found = {each.check: each.level for each in examine(store.settings)}
    assert found["journal"] is Level.FAILED
    mended(store.engine.journal.path)
    store.engine.rotate()


def test_an_erasure_that_is_stuck_is_written_once_however_many_processes_ask_again(store: Store):
    person = lived(store, "ann", "ben")["ann"]
    tape = Tape()
    for number in range(3):
        store.engine.close()
        store.engine = open_engine(store.settings.db, keys=store.settings.keys, sinks=[tape])
        if number == 0:
            assert store.engine.execute(order("part", "ann")).outcome == "done"
        store.engine.sweep()
        store.engine.sweep()
    assert [subject for subject, _ in said(store)] == [person]
    tape.is_open = True
    store.engine.sweep()
    assert len(said(store)) == 1
    assert store.engine.read.history(named("ann"))[-1]["kind"].startswith("erasure-completed")
