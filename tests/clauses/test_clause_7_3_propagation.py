"""7.3: whoever has a copy is told to erase it, or to stop, and it is not done before it says so."""

from __future__ import annotations

import pytest
from sharing_with import START, answer, duties, engaged, given, only, shared, told
from whole.stores import ANN, BEN, Store


@pytest.fixture
def store(store: Store) -> Store:
    engaged(store)
    return store


def by_id(store: Store) -> dict[str, str]:
    return {"id": str(store.engine.read.subject_id(ANN))}


def test_clause_7_3_erasure_reaches_exactly_who_was_given_that_holding(store: Store):
    given(store, "email", "name")
    ann = by_id(store)
    phone = store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    assert "recipient-instructed/1" not in phone.events
    done = store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    assert done.events[-1] == "recipient-instructed/1"
    duty = only(store)
    held = {row["holding"]: row["category"] for row in store.engine.read.holdings(ann)}
    assert [held[id] for id in duty["holdings"]] == ["email"]
    assert (duty["duty"], duty["because"], duty["recipient"], duty["state"]) == ("erase", "erased", "udesk", "open")
    assert duty["due"] == "2024-08-15T16:00:00Z"  # the 15th is the last day in Singapore
    store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    assert told(store) == [("erase", "open"), ("erase", "open")]


def test_clause_7_3_of_an_erased_person_the_duty_goes_on_until_it_is_confirmed(store: Store):
    given(store)
    ann = by_id(store)
    assert store.do("erase", subject=ANN, ground="7.3d").receipt is not None
    duty = only(store, subject=ann)
    assert duty["state"] == "open"
    assert answer(store, "confirm", duty).outcome == "done"
    assert only(store, subject=ann)["state"] == "confirmed"
    assert answer(store, "confirm", duty).outcome == "nothing"
    assert answer(store, "decline", duty).code == "answered-otherwise"
    assert store.kinds(ann)[-1] == "recipient-confirmed"
    assert {row["verdict"] for row in store.engine.read.re_decide(ann)} <= {"same", "cannot-tell", "not-a-decision"}


def test_clause_7_3_without_an_answer_it_is_overdue_once_and_a_finding(store: Store):
    given(store)
    ann = by_id(store)
    store.do("erase", subject=ANN, ground="7.3d")
    store.do("advance-clock") if False else store.engine.advance_clock(moment("2024-08-15T15:59:59+00:00"))
    assert only(store)["state"] == "open"
    store.engine.advance_clock(moment("2024-09-30T00:00:00+00:00"))
    duty = only(store)
    assert (duty["state"], duty["missed"]) == ("overdue", True)
    assert store.kinds(ann).count("recipient-overdue") == 1
    trustee = store.engine.trustee("udesk")
    assert [(each["because"], each["instruction"]) for each in trustee["findings"]] == [
        ("overdue", duty["instruction"])
    ]
    assert trustee["standing"] == "overdue-duties"
    assert answer(store, "confirm", duty).outcome == "done"
    assert store.engine.trustee("udesk")["standing"] == "findings-open"
    store.do("remedy-finding", trustee="udesk", finding="finding-1", evidence="a call")
    assert store.engine.trustee("udesk")["standing"] == "good"


def moment(text: str):
    from datetime import datetime

    return datetime.fromisoformat(text)
