"""7.3: whoever has a copy is told to erase it, or to stop, and it is not done before it says so."""

from __future__ import annotations

from datetime import datetime

import pytest
from sharing_with import answer, duties, engaged, given, only, shared, told
from whole.stores import ANN, BEN, Store


@pytest.fixture
def store(store: Store) -> Store:
    engaged(store)
    return store


def by_id(store: Store) -> dict[str, str]:
    return {"id": str(store.engine.read.subject_id(ANN))}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def verdicts(store: Store, subject: dict[str, str]) -> set[str]:
    return {row["verdict"] for row in store.engine.read.re_decide(subject)}


def test_clause_7_3_erasure_reaches_exactly_who_was_given_that_holding(store: Store):
    given(store, "email", "name")
    phone = store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    assert "recipient-instructed/1" not in phone.events
    done = store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    assert done.events[-1] == "recipient-instructed/1"
    duty = only(store)
    held = {row["holding"]: row["category"] for row in store.engine.read.holdings(ANN)}
    assert [held[id] for id in duty["holdings"]] == ["email"]
    assert (duty["duty"], duty["because"], duty["recipient"], duty["state"]) == ("erase", "erased", "udesk", "open")
    assert duty["due"] == "2024-08-15T16:00:00Z"  # the 15th is the last day in Singapore
    store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    assert told(store) == [("erase", "open"), ("erase", "open")]
    assert "different" not in verdicts(store, ANN)


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
    assert verdicts(store, ann) == {"same", "cannot-tell", "not-a-decision"}


def test_clause_7_3_without_an_answer_it_is_overdue_once_and_a_finding(store: Store):
    given(store)
    ann = by_id(store)
    store.do("erase", subject=ANN, ground="7.3d")
    store.engine.advance_clock(at("2024-08-15T15:59:59+00:00"))
    assert only(store)["state"] == "open"
    store.engine.advance_clock(at("2024-08-15T16:00:00+00:00"))
    assert only(store)["state"] == "overdue"
    store.engine.advance_clock(at("2024-09-30T00:00:00+00:00"))
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
    assert store.do("remedy-finding", trustee="udesk", finding="finding-1", evidence="a call").outcome == "done"
    assert store.engine.trustee("udesk")["standing"] == "good"
    assert verdicts(store, ann) == {"same", "cannot-tell", "not-a-decision"}


def test_clause_7_3_withdrawal_and_expiry_tell_to_stop_for_that_purpose_and_erasure_covers_it(store: Store):
    given(store, "email")
    store.collect("quotation", data={"email": "ann@example.com"}, basis="contract", evidence="K-1")
    store.do("withdraw-consent", subject=ANN, purposes=["free-trial"], channel="web-form")
    stop = only(store)  # the e-mail address is kept for the quotation: the copy may stay, unused
    assert (stop["duty"], stop["because"], stop["purposes"]) == ("stop", "ground-ended", ["free-trial"])
    store.engine.advance_clock(at("2025-09-01T00:00:00+00:00"))  # twelve months of quotation are over
    assert [(each["duty"], each["because"]) for each in duties(store)] == [
        ("stop", "ground-ended"),
        ("erase", "erased"),
    ]
    erase = duties(store)[1]
    assert answer(store, "confirm", erase).outcome == "done"
    assert told(store) == [("erase", "confirmed"), ("stop", "covered")]
    assert verdicts(store, {"id": erase["subject"]}) <= {
        "same",
        "cannot-tell",
        "not-a-decision",
    }


def test_clause_7_3_storage_only_by_request_tells_to_stop_altogether(store: Store):
    given(store, "email")
    store.do("restrict", subject=ANN, categories=["email", "name"], reason="disputed")
    duty = only(store)
    assert (duty["duty"], duty["because"], duty["purposes"]) == ("stop", "restricted", [])
    assert "different" not in verdicts(store, ANN)


def test_clause_7_3_who_confirmed_that_the_copy_is_gone_is_told_nothing_until_it_is_given_again(store: Store):
    given(store, "email")
    store.do("instruct", subject=ANN, recipient="udesk", duty="return")
    assert answer(store, "confirm", only(store)).outcome == "done"
    store.do("correct", subject=ANN, data={"email": "anne@example.com"}, reason="misspelt")
    assert told(store) == [("return", "confirmed")]
    store.engine.move_clock(at("2024-08-02T00:00:00+00:00"))
    shared(store, "email")
    store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    assert told(store) == [("erase", "open"), ("return", "confirmed")]


def test_clause_7_3_a_forged_token_or_one_of_another_duty_is_refused_and_nothing_is_half_done(store: Store):
    given(store, "email")
    given(store, "email", subject=BEN)
    for subject in (ANN, BEN):
        store.do("erase", subject=subject, ground="7.3d", categories=["email"])
    ann, ben = (only(store, subject=subject) for subject in (ANN, BEN))
    other = store.engine.letter(ben["instruction"])["token"]
    assert answer(store, "confirm", ann, token="0" * 64).code == "token-wrong"
    assert answer(store, "confirm", ann, token=other).code == "token-wrong"
    assert answer(store, "decline", ann, token=other).code == "token-wrong"
    assert answer(store, "confirm", ann, subject={"id": ben["subject"]}).code == "unknown-instruction"
    assert answer(store, "confirm", ann, token="").outcome == "invalid"
    assert {each["state"] for each in duties(store)} == {"open"}
    assert answer(store, "confirm", ben).outcome == "done"
    assert only(store, subject=ANN)["state"] == "open"


def test_clause_7_3_a_declined_duty_is_a_finding_and_stays_in_sight(store: Store):
    given(store, "email")
    store.do("erase", subject=ANN, ground="7.3d", categories=["email"])
    duty = only(store)
    assert answer(store, "decline", duty, because="law-requires-it").outcome == "done"
    assert answer(store, "decline", duty, because="law-requires-it").outcome == "nothing"
    assert answer(store, "confirm", duty).code == "answered-otherwise"
    assert only(store)["state"] == "declined"
    store.engine.sweep()
    assert [each["because"] for each in store.engine.trustee("udesk")["findings"]] == ["declined"]
    store.engine.advance_clock(at("2024-12-01T00:00:00+00:00"))
    assert "recipient-overdue" not in store.kinds(ANN)


def test_clause_7_3_who_was_given_nothing_cannot_be_instructed(store: Store):
    given(store, "email")
    asked = {"subject": ANN, "recipient": "udesk", "duty": "erase"}
    name = next(row["holding"] for row in store.engine.read.holdings(ANN) if row["category"] == "name")
    assert store.do("instruct", **asked | {"recipient": "acme"}).code == "not-a-recipient"
    assert store.do("instruct", **asked, holdings=[name]).code == "not-a-recipient"
    assert store.do("instruct", **asked).outcome == "done"
    assert store.do("instruct", **asked).outcome == "nothing"
    assert verdicts(store, ANN) == {"same"}
