"""Clause 7.5: consent is withdrawn as easily as it was given; what was done before stays lawful."""

from __future__ import annotations

from datetime import datetime

import pytest
from clauses.revised import BEFORE, a_trial, answer, publish, revision
from whole.stores import ANN, TRIAL, Store

from lifecycle.commands.subject.give_consent import GiveConsent
from lifecycle.commands.subject.withdraw_consent import WithdrawConsent

LATER = "2025-06-20T09:00:00+08:00"


def withdraw(store: Store, *purposes: str, at: str | None = LATER):
    return store.do("withdraw-consent", at=at, subject=ANN, purposes=list(purposes), channel="web-form")


def needed(model: type) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}


def test_clause_7_5_withdrawing_asks_for_nothing_that_giving_did_not_ask_for():
    assert needed(WithdrawConsent) <= needed(GiveConsent)


@pytest.mark.parametrize("channel", ["web-form", "phone", "email", "wechat", "online-consultation", "api"])
def test_clause_7_5_every_channel_that_takes_a_consent_takes_its_withdrawal(store: Store, channel: str):
    assert store.consent(at=BEFORE, channel=channel).outcome == "done"
    said = {"subject": ANN, "purposes": ["free-trial"], "channel": channel}
    assert store.do("withdraw-consent", **said).outcome == "done"


def test_clause_7_5_it_ends_what_rests_on_it_and_the_caller_is_told_the_consequence(store: Store):
    a_trial(store)
    withdrawn = withdraw(store, "free-trial")
    assert {(each.category, each.result) for each in withdrawn.effects} == {(name, "erased") for name in TRIAL}
    assert set(store.held().values()) == {"erased"}
    assert answer(store.collect()) == ("refused", "consent-missing")


def test_clause_7_5_what_was_done_before_stays_lawful(store: Store):
    a_trial(store)
    withdraw(store, "free-trial")
    before = datetime.fromisoformat(BEFORE)
    assert set(store.held(as_of=before).values()) == {"held"}
    assert [row["status"] for row in store.engine.read.consents(ANN, as_of=before)] == ["given"]
    verdicts = {row["verdict"] for row in store.engine.read.re_decide(ANN)}
    assert "different" not in verdicts


def test_clause_7_5_one_of_two_purposes_is_withdrawn_and_the_other_goes_on(store: Store):
    a_trial(store)
    store.consent("quotation")
    store.collect("quotation", data={"company": TRIAL["company"]})
    told = {each.category: each for each in withdraw(store, "free-trial").effects}
    assert (told["company"].result, told["company"].because) == ("kept", "quotation")
    assert store.held() == {"name": "erased", "phone": "erased", "email": "erased", "company": "held"}


def test_clause_7_5_no_purpose_named_means_all(store: Store):
    a_trial(store)
    store.consent("quotation")
    assert withdraw(store).outcome == "done"
    assert {row["status"] for row in store.engine.read.consents(ANN)} == {"withdrawn"}


def test_clause_7_5_twice_is_once(store: Store):
    a_trial(store)
    assert withdraw(store, "free-trial").outcome == "done"
    assert withdraw(store, "free-trial").outcome == "nothing"


def test_clause_7_5_what_rests_on_another_basis_is_not_ended_and_the_answer_says_so(store: Store):
    a_trial(store)
    store.collect("free-trial", basis="contract", evidence="K-1", data={"company": TRIAL["company"]})
    told = {each.category: each.result for each in withdraw(store, "free-trial").effects}
    assert told == {"name": "erased", "phone": "erased", "email": "erased", "company": "kept"}


def test_clause_7_5_where_there_never_was_a_consent_nothing_is_withdrawn(store: Store):
    store.engine.move_clock(datetime.fromisoformat(BEFORE))
    store.collect("free-trial", basis="contract", evidence="K-1")
    assert withdraw(store, "free-trial", at=None).outcome == "nothing"
    assert set(store.held().values()) == {"held"}


def test_clause_7_5_after_a_withdrawal_consent_can_be_given_anew_and_the_old_one_stays_withdrawn(store: Store):
    a_trial(store)
    withdraw(store, "free-trial")
    assert store.consent(at="2025-06-21T09:00:00+08:00").outcome == "done"
    assert store.collect().outcome == "done"
    assert [row["status"] for row in store.engine.read.consents(ANN)] == ["withdrawn", "given"]


def test_clause_7_5_what_was_agreed_to_before_its_version_takes_effect_can_be_taken_back_before_it(store: Store):
    events = """[purposes.events]
clause = "1.3 no. 7"
label = "Inviting to events"
categories = ["email"]
bases = ["consent"]
retention = { days = 30, assumed = true, reason = "an event" }

[purposes.quotation]"""
    publish(store, revision(("[purposes.quotation]\n", events + "\n")))
    a_trial(store, at="2025-06-11T09:00:00+08:00")
    assert store.consent("events", notice="2.0").events == ("notice-given/1", "consent-given/1")
    assert withdraw(store, "events").outcome == "done"
    assert {row["purpose"]: row["status"] for row in store.engine.read.consents(ANN)}["events"] == "withdrawn"
