"""A revision takes effect for everybody once, whoever is killed on the way."""

from __future__ import annotations

from datetime import datetime

import pytest
from clauses.revised import AFTER, BEFORE, publish, revision, tell
from engine.stores import count_of, times_of
from processes.dying import Death, Dying
from whole.stores import ANN, TRIAL, Store

from lifecycle.storage.tables import pending_erasure

CATEGORIES = 'categories = ["name", "company", "phone", "email"]\nbases = ["consent", "contract"]'
WITHOUT_COMPANY = revision((CATEGORIES, CATEGORIES.replace('"company", ', "")))
PEOPLE = [{"email": f"p{number}@example.com"} for number in range(3)]
DEATHS = [
    Death("sweeping", "_try", "INSERT event_header"),  # decided and not committed
    Death("sweeping", "_try", "COMMIT"),
    Death("erasing", "write_journal", "fsync"),  # committed and not carried out
    Death("erasing", "complete", "DELETE pending_erasure"),
]


@pytest.fixture
def told(store: Store) -> Store:
    """Three people are told of a revision that takes something of theirs away, and its day has come."""
    for person in PEOPLE:
        store.consent(subject=person, at=BEFORE)
        store.collect(subject=person, data={"company": f"of {person['email']}", "name": "Ann"})
    publish(store, WITHOUT_COMPANY)
    for person in PEOPLE:
        assert tell(store, subject=person).outcome == "done"
    store.engine.move_clock(datetime.fromisoformat(AFTER))
    return store


@pytest.mark.parametrize("death", DEATHS, ids=lambda each: f"{each.step}-{each.at}")
def test_a_worker_that_is_killed_while_a_revision_takes_effect_is_gone_on_with(told: Store, dying: Dying, death: Death):
    dying(told, death)
    told.engine.sweep()
    database = told.engine.database
    for kind in ("revision-took-effect", "ground-ended", "erasure-ordered", "erasure-completed"):
        assert times_of(database, kind) == len(PEOPLE), kind
    assert count_of(database, pending_erasure) == 0
    assert all(told.held(person) == {"company": "erased", "name": "held"} for person in PEOPLE)
    assert told.engine.due() == []


def test_a_command_that_is_killed_as_it_finds_the_revision_in_effect_leaves_nothing_half_done(
    store: Store, dying: Dying
):
    store.consent(at=BEFORE)
    store.collect()
    publish(store, WITHOUT_COMPANY)
    tell(store)
    store.engine.move_clock(datetime.fromisoformat(AFTER))
    document = store.document("record-activity", subject=ANN, purpose="free-trial")
    dying(store, Death("erasing", "write_journal", "fsync"), document)
    assert store.held()["company"] == "erased"  # opened again, what was ordered is carried out
    assert store.engine.execute(document).outcome == "done"
    assert store.kinds().count("revision-took-effect") == 1
    assert set(store.held()) == set(TRIAL)
