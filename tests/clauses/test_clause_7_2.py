"""7.2: correct and supplement; trustees who hold a copy are told, and confirm."""

from __future__ import annotations

import pytest
from sharing_with import answer, engaged, given, only, shared, told
from whole.stores import ANN, Store


@pytest.fixture
def store(store: Store) -> Store:
    engaged(store)
    return store


def test_clause_7_2_trustees_who_hold_a_copy_are_told_of_a_correction_and_confirm(store: Store):
    given(store, "email")
    unshared = store.do("correct", subject=ANN, data={"name": "Anne"}, reason="misspelt")
    assert unshared.events == ("personal-data-corrected/1",)
    done = store.do("correct", subject=ANN, data={"email": "anne@example.com"}, reason="misspelt")
    assert done.events == ("personal-data-corrected/1", "recipient-instructed/1")
    duty = only(store)
    assert (duty["duty"], duty["because"], duty["state"]) == ("correct", "corrected", "open")
    assert answer(store, "confirm", duty).outcome == "done"
    assert told(store) == [("correct", "confirmed")]
    again = store.do("correct", subject=ANN, data={"email": "anne@example.com"}, reason="misspelt")
    assert again.outcome == "nothing"
    assert {row["verdict"] for row in store.engine.read.re_decide(ANN)} == {"same", "cannot-tell"}


def test_clause_7_2_a_supplement_reaches_them_too(store: Store):
    given(store, "name")
    done = store.do("supplement", subject=ANN, data={"name": "Ann Lee"}, reason="incomplete")
    assert done.events == ("personal-data-supplemented/1", "recipient-instructed/1")
    assert only(store)["because"] == "corrected"
    assert {row["verdict"] for row in store.engine.read.re_decide(ANN)} == {"same"}


def test_clause_7_2_who_keeps_a_copy_for_us_is_told_however_long_ago_it_was_given(store: Store):
    given(store, "email")
    store.do("record-activity", "2026-07-01T10:00:00+08:00", subject=ANN, purpose="free-trial")
    store.do("correct", subject=ANN, data={"email": "anne@example.com"}, reason="misspelt")
    assert told(store) == [("correct", "open")]


def test_clause_7_2_what_a_hold_freezes_is_annotated_and_no_copy_is_changed(store: Store):
    given(store, "email")
    store.do("place-hold", subject=ANN, hold="case 7", reason="litigation", authority="court", categories=["email"])
    done = store.do("correct", subject=ANN, data={"email": "anne@example.com"}, reason="misspelt")
    assert done.events == ("correction-annotated/1",)
    assert told(store) == []


def test_clause_7_2_an_erased_holding_is_not_corrected(store: Store):
    given(store, "email", "name")
    store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    refused = store.do("correct", subject=ANN, data={"email": "anne@example.com"}, reason="misspelt")
    assert (refused.code, refused.clause) == ("holding-erased", "7.3")
    assert told(store) == [("erase", "open")]


def test_clause_7_2_several_recipients_and_holdings_are_one_instruction_each(store: Store):
    given(store, "email", "name")
    shared(store, "phone")
    changed = {"email": "anne@example.com", "name": "Anne", "phone": "+6591234568"}
    store.do("correct", subject=ANN, data=changed, reason="all wrong")
    assert len(only(store)["holdings"]) == 3
