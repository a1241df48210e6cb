"""One person's data from collection to erasure, through the library, on both engines."""

from __future__ import annotations

from datetime import datetime

import pytest
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.domain.subject.refusals import UnknownSubject


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_data_collected_with_consent_is_held_masked_and_expires_by_itself(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    assert store.collect(at="2024-08-01T10:00:05+08:00").outcome == "done"
    assert {row["category"]: row["value"] for row in store.engine.read.holdings(ANN)} == {
        "name": "A***",
        "company": "***",
        "phone": "+65***67",
        "email": "a***@example.com",
    }
    store.engine.advance_clock(instant("2026-08-01T23:59:59+08:00"))
    assert set(store.held().values()) == {"held"}
    store.engine.advance_clock(instant("2026-08-02T00:00:00+08:00"))
    assert set(store.held().values()) == {"erased"}
    expired = [row for row in store.engine.read.history(ANN) if row["kind"] == "retention-expired/1"]
    assert {row["data"]["due_on"] for row in expired} == {"2026-08-02"} == {row["data"]["done_on"] for row in expired}
    assert {row["data"]["rule"] for row in expired} == {"free-trial@1.0"}


def test_a_sweep_that_is_late_says_when_it_was_due_and_when_it_was_done(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect(at="2024-08-01T10:00:05+08:00")
    store.engine.move_clock(instant("2026-09-05T12:00:00+08:00"))
    assert set(store.held().values()) == {"restricted"}  # from the due instant on nobody may read, swept or not
    dry = store.engine.due()
    swept = store.engine.sweep()
    assert (swept.people, swept.expired, swept.erased) == (1, len(dry), 1)
    expired = [row["data"] for row in store.engine.read.history(ANN) if row["kind"] == "retention-expired/1"]
    assert {(row["due_on"], row["done_on"]) for row in expired} == {("2026-08-02", "2026-09-05")}
    assert store.engine.sweep().people == 0


def test_the_same_email_for_two_purposes_is_one_holding_that_lives_until_the_last_ground_ends(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect()
    store.collect("quotation", data={"email": "ANN@example.com"}, basis="contract", evidence="K-1")
    (email,) = [row for row in store.engine.read.holdings(ANN) if row["category"] == "email"]
    assert [ground["purpose"] for ground in email["grounds"]] == ["free-trial", "quotation"]
    outcome = store.do("withdraw-consent", subject=ANN, purposes=["free-trial"], channel="email")
    results = {effect.category: (effect.result, effect.because) for effect in outcome.effects}
    assert results["email"] == ("kept", "quotation")
    assert results["name"] == ("erased", "no-ground-left")
    assert store.held() == {"name": "erased", "company": "erased", "phone": "erased", "email": "held"}
    store.engine.advance_clock(instant("2025-08-03T00:00:00+08:00"))
    assert store.held()["email"] == "erased"


def test_a_statutory_minimum_turns_erasure_into_storage_and_its_end_turns_it_back(store: Store):
    store.collect(
        "account-login",
        data={"login-account": "ann@example.com"},
        basis="contract",
        evidence="order 7",
        at="2024-08-01T10:00:00+08:00",
    )
    store.do(
        "end-purpose", at="2024-09-01T10:00:00+08:00", subject=ANN, purpose="account-login", reason="contract-ended"
    )
    (held,) = store.engine.read.holdings(ANN)
    assert (held["state"], held["restriction"]["because"], held["value"]) == ("restricted", "statutory-minimum", None)
    outcome = store.do("erase", subject=ANN, ground="7.3d")
    assert [(effect.result, effect.because) for effect in outcome.effects] == [("restricted", "statutory-minimum")]
    store.engine.advance_clock(instant("2027-09-02T00:00:00+08:00"))
    assert store.held() == {"login-account": "erased"}


def test_a_whole_person_is_erased_with_a_receipt_and_returns_as_a_new_person(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    first = store.collect()
    erased = store.do("erase", at="2024-09-01T10:00:00+08:00", subject=ANN, ground="7.3c")
    assert erased.receipt is not None
    assert set(erased.receipt) == {"sid", "salt"}
    with pytest.raises(UnknownSubject):
        store.engine.read.holdings(ANN)
    assert set(store.held({"id": str(first.subject)}).values()) == {"erased"}
    ended = store.engine.rotate()
    assert (ended.epoch, ended.finalised, ended.people) == (1, 1, 1)
    assert store.kinds(first.subject)[-3:] == ["erasure-ordered", "erasure-completed", "erasure-finalised"]
    again = store.consent()
    assert again.subject != first.subject


def test_somebody_of_whom_nothing_is_left_is_forgotten_after_thirty_days(store: Store):
    store.do("refuse-consent", at="2024-08-01T10:00:00+08:00", subject=ANN, purposes=["free-trial"], notice="1.0",
             channel="web-form")  # fmt: skip
    store.engine.advance_clock(instant("2024-08-31T23:59:00+08:00"))
    assert store.kinds()[-1] == "consent-refused"
    store.engine.advance_clock(instant("2024-09-01T00:00:00+08:00"))
    with pytest.raises(UnknownSubject):
        store.engine.read.holdings(ANN)


def test_holdings_at_earlier_times_are_folded_from_the_events_and_agree_with_the_present(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect(at="2024-08-01T10:00:05+08:00")
    store.do("correct", at="2024-09-01T10:00:00+08:00", subject=ANN, data={"name": "Zoe"}, reason="typing error")
    store.do("withdraw-consent", at="2024-10-01T10:00:00+08:00", subject=ANN, purposes=[], channel="email")
    assert store.held(as_of=instant("2024-07-31T00:00:00+08:00")) == {}
    assert set(store.held(as_of=instant("2024-08-15T00:00:00+08:00")).values()) == {"held"}
    assert set(store.held(as_of=instant("2024-10-02T00:00:00+08:00")).values()) == {"erased"}
    now = store.engine.clock.now()
    assert store.engine.read.holdings(ANN, as_of=now) == store.engine.read.holdings(ANN)


def test_a_correction_is_seen_now_and_the_earlier_value_as_of_then(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect(at="2024-08-01T10:00:05+08:00")
    store.do("correct", at="2024-09-01T10:00:00+08:00", subject=ANN, data={"name": "Zoe"}, reason="typing error")

    def name(**times: datetime) -> str:
        return next(row["value"] for row in store.engine.read.holdings(ANN, **times) if row["category"] == "name")

    assert (name(), name(as_of=instant("2024-08-15T00:00:00+08:00"))) == ("Z***", "A***")


def test_clear_values_need_a_role_and_a_live_ground_and_the_read_is_on_record(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect()
    officer = {"id": "dpo", "role": "officer"}
    rows = store.engine.read_clear(ANN, "free-trial", officer)
    assert {row["category"]: row["value"] for row in rows} == TRIAL
    assert [row["kind"] for row in store.engine.read.audit_trail(ANN)][-1] == "personal-data-read/1"
    with pytest.raises(Exception, match="may not read") as refused:
        store.engine.read_clear(ANN, "free-trial", {"id": "x", "role": "recipient"})
    assert refused.value.code == "not-permitted"
    with pytest.raises(Exception, match="No live ground"):
        store.engine.read_clear(ANN, "quotation", officer)


def test_a_missing_category_is_supplemented_under_the_ground_that_lives(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect(data={"email": "ann@example.com"})
    added = store.do("supplement", at="2024-08-02T10:00:00+08:00", subject=ANN,
                     data={"phone": "+6591234567", "name": "Ann"}, reason="incomplete", evidence="letter")  # fmt: skip
    assert (added.outcome, added.events) == ("done", ("missing-data-added/1",) * 2)
    store.reopen()
    email, name, phone = sorted(store.engine.read.holdings(ANN), key=lambda row: row["category"])
    assert (phone["state"], phone["value"]) == ("held", "+65***67")
    (joined,), (beside,) = phone["grounds"], email["grounds"]
    assert {**joined, "since": None} == {**beside, "since": None}
    assert name["source"] == "web-form"
    assert {row["verdict"] for row in store.engine.read.re_decide(ANN)} == {"same"}
    assert store.do("supplement", subject=ANN, data={"ip-address": "192.0.2.7"}, reason="x").code == "holding-erased"
    store.do("withdraw-consent", subject=ANN, purposes=[], channel="web-form")
    assert set(store.held({"id": str(added.subject)}).values()) == {"erased"}


def test_sharing_is_judged_by_the_agreement_and_recorded_with_the_recipient(store: Store):
    store.consent(at="2024-08-01T10:00:00+08:00")
    store.collect()
    share = {"subject": ANN, "trustee": "udesk", "purpose": "free-trial", "method": "api"}
    assert store.do("share", categories=["email"], **share).code == "agreement-missing"
    store.do("engage-trustee", trustee="udesk", name="Udesk", contact="x", country="CN")
    terms = {"purpose": "free-trial", "from": "2024-07-15", "to": "2024-08-31", "method": "api",
             "categories": ["email"], "measures": "sealed", "rights_and_obligations": "audit"}  # fmt: skip
    lacking = store.do("sign-agreement", trustee="udesk", agreement={**terms, "measures": None})
    assert (lacking.code, lacking.clause) == ("agreement-incomplete", "3.1a")
    assert store.do("sign-agreement", trustee="udesk", agreement=terms).outcome == "done"
    assert store.do("share", categories=["email"], **share).outcome == "done"
    assert store.do("share", categories=["name"], **share).code == "outside-agreement"
    assert [row["recipient"] for row in store.engine.read.recipients(ANN)] == ["udesk"]
    early = store.do("share", at="2024-08-01T09:59:00+08:00", categories=["email"], **share)
    assert early.code == "agreement-lapsed"  # it was not signed yet
    assert store.do("sign-agreement", trustee="udesk", agreement=terms).outcome == "nothing"
    store.reopen()
    assert store.do("sign-agreement", trustee="udesk", agreement=terms).outcome == "nothing"
    assert store.do("sign-agreement", trustee="udesk", agreement={**terms, "measures": "other"}).outcome == "done"
    store.do("engage-trustee", trustee="acme", name="Acme", contact="x", country="SG")
    assert store.do("sign-agreement", trustee="acme", agreement=terms).outcome == "done"
    undeclared = store.do("share", categories=["email"], **{**share, "trustee": "acme"})
    assert (undeclared.outcome, undeclared.code, undeclared.clause) == ("refused", "recipient-not-declared", "3.1a")
    assert store.do("share", at="2024-09-01T00:00:00+08:00", categories=["email"], **share).code == "agreement-lapsed"


def test_a_refused_attempt_is_in_the_audit_trail_without_values_and_registers_nobody(store: Store):
    outcome = store.collect(subject=BEN)
    assert (outcome.outcome, outcome.code, outcome.clause) == ("refused", "consent-missing", "1.3")
    assert outcome.remedy
    (attempt,) = [row for row in store.engine.read.audit_trail() if row["outcome"] == "refused"]
    assert (attempt["command"], attempt["purpose"], attempt["subject"]) == ("collect", "free-trial", None)
    with pytest.raises(UnknownSubject):
        store.engine.read.history(BEN)


def test_the_young_need_a_guardian_and_everything_about_them_is_sensitive(store: Store):
    at = "2024-08-01T10:00:00+08:00"
    impossible = store.do("record-birth-date", at=at, subject=ANN, birth_date="2024-08-02")
    assert (impossible.outcome, impossible.code) == ("invalid", "wrong-format")
    store.do("record-birth-date", at=at, subject=ANN, birth_date="2012-05-17")
    impossible = store.do("correct", subject=ANN, data={"birth-date": "1812-05-17"}, reason="misread")
    assert (impossible.outcome, impossible.code) == ("invalid", "wrong-format")
    assert store.consent().code == "guardian-missing"
    guardian = {"email": "parent@example.com"}
    store.do("record-guardian", subject=ANN, guardian=guardian, evidence="family book")
    assert store.consent(guardian={"email": "stranger@example.com"}).code == "guardian-missing"
    assert store.consent(guardian=guardian).outcome == "done"
    assert store.collect().code == "separate-consent-missing"
    assert store.consent(guardian=guardian, separate=True).outcome == "done"
    assert store.collect().outcome == "done"
    later = "2026-06-01T10:00:00+08:00"  # fourteen: what there is stays good, new data needs the person's own consent
    assert store.collect(at=later, data={"name": "Annie"}).code == "consent-missing"
    assert store.consent().outcome == "done"
    assert store.collect(data={"name": "Annie"}).outcome == "done"
