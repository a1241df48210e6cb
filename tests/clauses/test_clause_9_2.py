"""Clause 9.2: going on using the service accepts a revision, and never stands for consent; shorter periods apply to
what is held, longer ones do not; what loses its cover goes when the version comes into force."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from clauses.partners import VISIT, browsing, visiting
from clauses.revised import (
    AFTER,
    BEFORE,
    TRIAL_KEPT,
    a_trial,
    answer,
    engage,
    publish,
    revision,
    share,
    tell,
    verdicts,
    without_trial,
)
from whole.stores import ANN, TRIAL, Store

from lifecycle.engine.receipts import newest_about
from lifecycle.policy.examples import example_policy_text

CATEGORIES = 'categories = ["name", "company", "phone", "email"]\nbases = ["consent", "contract"]'
SHORTER = revision((TRIAL_KEPT, "months = 6"))
LONGER = revision((TRIAL_KEPT, "months = 48"))
WIDER = revision((CATEGORIES, CATEGORIES.replace('"email"]', '"email", "position"]')))
WITHOUT_COMPANY = revision((CATEGORIES, CATEGORIES.replace('"company", ', "")))
ON_CONTRACT_ALONE = revision((CATEGORIES, CATEGORIES.replace('"consent", ', "")))
WITHOUT_TRIAL = revision(*without_trial())


def used(store: Store, at: str, purpose: str = "free-trial"):
    return store.do("record-activity", at=at, subject=ANN, purpose=purpose)


def until(store: Store) -> set[str | None]:
    return {ground["until"] for row in store.engine.read.holdings(ANN) for ground in row["grounds"]}


def advance(store: Store, to: str) -> None:
    store.engine.advance_clock(datetime.fromisoformat(to))


# -- going on using the service ------------------------------------------------------------------------------------


def test_clause_9_2_the_first_use_after_the_revision_accepts_it_once(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    tell(store)
    assert used(store, "2025-06-20T09:00:00+08:00").events == ("activity-recorded/1",)
    assert used(store, AFTER).events == ("activity-recorded/1", "policy-accepted-by-use/1")
    assert used(store, "2025-07-02T09:00:00+08:00").events == ("activity-recorded/1",)
    assert verdicts(store) == {"same"}


def test_clause_9_2_going_on_accepts_nothing_of_which_the_person_was_not_told(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    assert used(store, AFTER).events == ("activity-recorded/1",)
    tell(store, at="2025-07-05T09:00:00+08:00")
    assert used(store, "2025-07-05T09:00:01+08:00").events == ("activity-recorded/1", "policy-accepted-by-use/1")


def test_clause_9_2_a_policy_that_does_not_say_so_is_not_accepted_by_use(store: Store):
    a_trial(store)
    publish(store, revision(("continued_use_accepts = true", "continued_use_accepts = false")))
    tell(store)
    assert used(store, AFTER).events == ("activity-recorded/1",)


def test_clause_9_2_acceptance_by_use_never_stands_for_consent(store: Store):
    """PIPL Art. 14: where the basis is consent, a wider purpose needs consent anew."""
    a_trial(store)
    publish(store, WIDER)
    tell(store)
    assert "policy-accepted-by-use/1" in used(store, AFTER).events
    for data in ({"position": "CTO"}, {"name": "Anna"}):
        assert answer(store.collect(data=data)) == ("refused", "consent-missing")
    on_contract = store.collect(data={"position": "CTO"}, basis="contract", evidence="K-1")
    assert on_contract.outcome == "done"  # who is asked is who agreed; a contract carries on
    assert store.consent(notice="2.0").outcome == "done"
    assert store.collect(data={"name": "Anna"}).outcome == "done"
    assert verdicts(store) == {"same"}


def test_clause_9_2_a_new_recipient_is_given_nothing_on_a_consent_that_did_not_name_it(store: Store):
    a_trial(store)
    mailer = """[trustees.mailer]
clause = "3.1a"
name = "Mailer"
contact = "https://mailer.example.com"
country = "SG"
purposes = ["free-trial"]
methods = ["api"]

[third_party_products.wechat]"""
    recipients = f'{CATEGORIES}\nrecipients = ["udesk"]'
    named = (recipients, recipients.replace('"udesk"', '"udesk", "mailer"')), ("[third_party_products.wechat]", mailer)
    publish(store, revision(*named))
    engage(store, "mailer")
    engage(store, "udesk")
    tell(store)
    assert used(store, AFTER).outcome == "done"  # deemed acceptance
    assert answer(share(store, "mailer")) == ("refused", "consent-missing")
    assert share(store, "udesk").outcome == "done"
    store.consent(notice="2.0")
    assert share(store, "mailer").outcome == "done"


def test_clause_9_2_who_says_yes_in_words_accepts_what_they_were_told_of_and_nothing_else(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    said = {"subject": ANN, "policy": "2.0", "channel": "web-form"}
    assert answer(store.do("accept-policy", **said)) == ("refused", "notice-missing")
    tell(store)
    assert store.do("accept-policy", **said).events == ("policy-accepted/1",)
    assert used(store, AFTER).events == ("activity-recorded/1",)  # accepted already


# -- how long what is held is kept -----------------------------------------------------------------------------------


def test_clause_9_2_a_shorter_period_applies_to_what_is_held(store: Store):
    a_trial(store)
    assert until(store) == {"2027-06-02T16:00:00Z"}
    publish(store, SHORTER)
    tell(store)
    advance(store, AFTER)
    assert until(store) == {"2025-12-02T16:00:00Z"}
    rows = store.engine.read.holdings(ANN)
    assert {ground["rule"] for row in rows for ground in row["grounds"]} == {"free-trial@2.0"}
    advance(store, "2025-12-03T00:00:00+08:00")
    assert set(store.held().values()) == {"erased"}
    expired = [row["data"]["rule"] for row in store.engine.read.history(ANN) if row["kind"] == "retention-expired/1"]
    assert set(expired) == {"free-trial@2.0"}
    assert verdicts(store) <= {"same", "not-a-decision", "cannot-tell"}


def test_clause_9_2_a_period_that_was_over_by_the_new_rule_ends_when_the_version_comes_into_force(store: Store):
    """Never before: what was held until then was held by the rule that was in force."""
    a_trial(store, at="2024-08-01T09:00:00+08:00")
    publish(store, SHORTER)
    tell(store)
    advance(store, "2025-06-30T23:00:00+08:00")
    assert set(store.held().values()) == {"held"}
    advance(store, AFTER)
    assert set(store.held().values()) == {"erased"}
    assert set(store.held(as_of=datetime.fromisoformat(BEFORE)).values()) == {"held"}
    due = {row["data"]["due"] for row in store.engine.read.history(ANN) if row["kind"] == "retention-expired/1"}
    assert due == {"2025-06-30T16:00:00Z"}


def test_clause_9_2_a_longer_period_needs_a_new_basis(store: Store):
    a_trial(store)
    publish(store, LONGER)
    tell(store)
    advance(store, AFTER)
    assert until(store) == {"2027-06-02T16:00:00Z"}
    assert answer(store.collect()) == ("refused", "consent-missing")  # it is wider than what was agreed to
    store.consent(notice="2.0")
    assert store.collect(at="2025-07-03T09:00:00+08:00").outcome == "done"
    assert until(store) == {"2029-07-03T16:00:00Z"}  # renewed under the consent to it


def test_clause_9_2_what_a_later_version_shortened_a_still_later_one_does_not_lengthen(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    tell(store)
    advance(store, AFTER)
    longer_again = revision((TRIAL_KEPT, "months = 12"), version="3.0", effective="2025-08-01")
    publish(store, longer_again, at="2025-07-02T09:00:00+08:00")
    tell(store, "3.0")
    advance(store, "2025-08-02T09:00:00+08:00")
    assert until(store) == {"2025-12-02T16:00:00Z"}


def test_clause_9_2_who_was_not_told_keeps_the_longer_promise(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    advance(store, AFTER)
    assert until(store) == {"2027-06-02T16:00:00Z"}
    assert "revision-took-effect" not in store.kinds()


# -- what loses its cover --------------------------------------------------------------------------------------------


def revised(store: Store) -> list[str]:
    """The kinds of events that the revision brought, in order."""
    kinds = store.kinds()
    return kinds[kinds.index("revision-took-effect") :]


def test_clause_9_2_a_category_that_is_dropped_loses_its_ground_and_goes(store: Store):
    a_trial(store)
    publish(store, WITHOUT_COMPANY)
    tell(store)
    advance(store, AFTER)
    held = store.held()
    assert held.pop("company") == "erased"
    assert set(held.values()) == {"held"}
    assert revised(store) == ["revision-took-effect", "ground-ended", "erasure-ordered", "erasure-completed"]
    assert verdicts(store) <= {"same", "not-a-decision", "cannot-tell"}


@pytest.mark.parametrize("text", [WITHOUT_TRIAL, ON_CONTRACT_ALONE], ids=["purpose", "basis"])
def test_clause_9_2_a_purpose_or_basis_that_is_dropped_ends_grounds_and_consents(store: Store, text: str):
    a_trial(store)
    publish(store, text)
    tell(store)
    advance(store, AFTER)
    assert set(store.held().values()) == {"erased"}
    assert [(row["purpose"], row["status"]) for row in store.engine.read.consents(ANN)] == [("free-trial", "expired")]
    assert "consent-expired" in revised(store)


def test_clause_9_2_a_technology_that_is_dropped_takes_its_consents_with_it_and_no_others(store: Store):
    assert browsing(store, "baidu", "360", at=BEFORE).outcome == "done"
    assert visiting(store, "baidu", at=BEFORE).outcome == "done"
    assert visiting(store, "360", at=BEFORE, data={"ip-address": "192.0.2.8"}).outcome == "done"
    text = example_policy_text()
    baidu = text[text.index("[technologies.baidu]") : text.index("[technologies.udesk]")]
    publish(store, revision((baidu, "")))
    tell(store)
    advance(store, AFTER)
    consents = {row["technology"]: row["status"] for row in store.engine.read.consents(ANN)}
    assert consents == {"baidu": "expired", "360": "given"}
    states = {(row["category"], row["state"]) for row in store.engine.read.holdings(ANN)}
    assert states == {*((category, "erased") for category in VISIT), ("ip-address", "held")}
    assert revised(store)[:3] == ["revision-took-effect", "consent-expired", "ground-ended"]
    assert "different" not in verdicts(store)
    assert answer(visiting(store, "baidu", at=AFTER)) == ("refused", "unknown-word")
    receipt = json.loads(store.engine.consent_receipt(ANN, newest_about(store.engine, ANN, "website-browsing")))
    record = receipt["receipt"]["record"]
    assert (record["event_state"], [one["technology"] for one in record["processing"]]) == (
        "dpv:ConsentExpired",
        ["baidu"],
    )


def test_clause_9_2_what_another_purpose_still_covers_stays_and_the_record_says_so(store: Store):
    a_trial(store)
    quote = {"company": TRIAL["company"], "email": TRIAL["email"]}
    store.collect("quotation", basis="contract", evidence="K-1", data=quote)
    publish(store, WITHOUT_TRIAL)
    tell(store)
    advance(store, AFTER)
    assert store.held() == {"name": "erased", "phone": "erased", "company": "held", "email": "held"}
    took = next(row for row in store.engine.read.history(ANN) if row["kind"] == "revision-took-effect/1")
    told = {each["category"]: each["result"] for each in took["data"]["effects"]}
    assert told == {"name": "erased", "phone": "erased", "company": "kept", "email": "kept"}


def test_clause_9_2_what_a_hold_keeps_is_stored_only(store: Store):
    a_trial(store)
    store.do("place-hold", subject=ANN, hold="H-1", reason="suit", authority="court")
    publish(store, WITHOUT_TRIAL)
    tell(store)
    advance(store, AFTER)
    assert set(store.held().values()) == {"restricted"}


# -- when, and how often -----------------------------------------------------------------------------------------------


def test_clause_9_2_a_command_before_the_sweep_finds_the_revision_in_effect(store: Store):
    """Nothing hangs on when the sweep comes."""
    a_trial(store, at="2024-08-01T09:00:00+08:00")
    publish(store, SHORTER)
    tell(store)
    used(store, AFTER)  # the clock moved without any sweep
    assert set(store.held().values()) == {"erased"}
    assert "erasure-completed" in store.kinds()
    store.engine.sweep()
    assert store.kinds().count("revision-took-effect") == 1
    assert "different" not in verdicts(store)


def test_clause_9_2_two_revisions_that_came_into_force_meanwhile_take_effect_in_their_order(store: Store):
    a_trial(store)
    publish(store, WITHOUT_COMPANY)
    tell(store)
    publish(store, revision(version="3.0", effective="2025-08-01"), at="2025-06-12T09:00:00+08:00")
    tell(store, "3.0")
    store.engine.move_clock(datetime.fromisoformat("2025-09-01T09:00:00+08:00"))
    store.engine.sweep()
    assert store.held()["company"] == "erased"  # what version 2.0 took away version 3.0 does not bring back
    assert store.engine.due() == []
