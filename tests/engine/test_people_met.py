"""Who is meant is guessed from whom a process met before; what it is told then is the database's and not the guess's."""

from __future__ import annotations

from engine.stores import COLLECT, document
from whole.stores import ANN, BEN, Store

from lifecycle.engine import open_engine

PHONE = {"phone": "+6591234567"}


def test_a_name_that_went_to_somebody_else_means_them_to_a_process_that_met_the_first(store: Store):
    store.consent()
    store.consent(subject=BEN)
    store.do("link-identifier", subject=ANN, identifier=PHONE)
    named = document("collect", "by-phone", PHONE, data={"name": "A"}, **COLLECT)
    ann = store.engine.execute(named).subject
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert other.execute(document("unlink-identifier", "u", ANN, identifier=PHONE)).outcome == "done"
        assert other.execute(document("link-identifier", "l", BEN, identifier=PHONE)).outcome == "done"
        ben = other.read.subject_id(BEN)
    outcome = store.engine.execute({**named, "id": "by-phone-again", "data": {"name": "B"}})
    assert (outcome.outcome, outcome.subject) == ("done", ben)
    assert ann != ben


def test_a_name_that_is_nobodys_any_more_means_nobody_to_a_process_that_met_somebody(store: Store):
    store.consent()
    store.do("link-identifier", subject=ANN, identifier=PHONE)
    named = document("collect", "by-phone", PHONE, data={"name": "A"}, **COLLECT)
    ann = store.engine.execute(named).subject
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert other.execute(document("unlink-identifier", "u", ANN, identifier=PHONE)).outcome == "done"
    assert store.engine.execute({**named, "id": "by-phone-again"}).subject != ann
