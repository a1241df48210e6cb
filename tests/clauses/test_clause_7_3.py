"""7.3 a to e: deletion on five grounds; where law, a hold or a medium forbids it, all processing but storage stops."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from engine.stores import QUOTE, count_of, headers_of, value_in_clear
from whole.stores import ANN, TRIAL, Store

from lifecycle.engine.answers import NotRead
from lifecycle.vault.tables import custody_key, data_key

FIRST = "2024-08-01T10:00:00+08:00"
ACCOUNT = {"purpose": "account-login", "basis": "contract", "evidence": "K-1", "source": "web-form"}
HOLD = {"hold": "case-7", "reason": "litigation", "authority": "court"}
DPO = {"id": "dpo", "role": "officer"}


def customer(store: Store) -> None:
    """Four values on consent, the company and the phone on a contract too, and an account that law keeps for a while
    when its contract ends."""
    store.engine.move_clock(max(datetime.fromisoformat(FIRST), store.engine.clock.now()))
    store.consent()
    store.collect()
    store.do("collect", subject=ANN, data={"company": "Acme", "phone": TRIAL["phone"]}, **QUOTE)
    store.do("collect", subject=ANN, data={"login-account": "ann-7"}, **ACCOUNT)


def inside(store: Store) -> int:
    return count_of(store.engine.database, custody_key)


def effects(outcome: Any) -> dict[str, tuple[str, str]]:
    return {each.category: (each.result, each.because) for each in outcome.effects}


def test_clause_7_3a_what_was_collected_for_a_purpose_that_is_over_goes_and_other_purposes_keep_theirs(store: Store):
    customer(store)
    outcome = store.do("erase", subject=ANN, ground="7.3a", purposes=["free-trial"])
    assert effects(outcome) == {
        "name": ("erased", "no-ground-left"),
        "email": ("erased", "no-ground-left"),
        "company": ("kept", "quotation"),
        "phone": ("kept", "quotation"),
    }
    assert store.held()["name"] == "erased"
    assert value_in_clear(store.engine, ANN, "quotation") == {"company": "Acme", "phone": TRIAL["phone"]}


def test_clause_7_3a_an_account_whose_contract_has_ended_is_stored_only_until_the_law_s_date(store: Store):
    customer(store)
    outcome = store.do("end-purpose", subject=ANN, purpose="account-login", reason="contract-ended")
    assert effects(outcome) == {"login-account": ("restricted", "statutory-minimum")}
    assert inside(store) == 1
    with pytest.raises(NotRead):
        store.engine.read_clear(ANN, "account-login", DPO)
    (row,) = store.engine.open_custody(ANN, DPO, law="ecommerce-law-31", reason="tax inspection")
    assert row["value"] == "ann-7"


def test_clause_7_3b_when_the_service_ends_everything_goes_but_what_law_keeps(store: Store):
    customer(store)
    outcome = store.do("erase", subject=ANN, ground="7.3b")
    assert {result for result, _ in effects(outcome).values()} == {"erased", "restricted"}
    assert effects(outcome)["login-account"] == ("restricted", "statutory-minimum")
    assert outcome.receipt is None  # the person is not gone altogether
    assert inside(store) == 1
    assert count_of(store.engine.database, data_key, data_key.c.hid != "record") == 0


def test_clause_7_3b_a_repeated_request_answers_the_same_and_changes_nothing(store: Store):
    customer(store)
    first = store.do("erase", subject=ANN, ground="7.3b")
    moved, held = inside(store), store.held()
    again = store.do("erase", subject=ANN, ground="7.3b")
    assert again.outcome == "nothing"
    assert effects(again) == effects(first)
    assert (inside(store), store.held()) == (moved, held)
    document = store.document("erase", subject=ANN, ground="7.3b")
    assert store.engine.execute(document) == store.engine.execute(document)


def test_clause_7_3c_withdrawn_consent_takes_what_stood_on_it_and_leaves_the_contract(store: Store):
    customer(store)
    outcome = store.do("erase", subject=ANN, ground="7.3c")
    assert effects(outcome)["name"] == ("erased", "no-ground-left")
    assert effects(outcome)["phone"] == ("kept", "quotation")
    assert effects(outcome)["login-account"] == ("kept", "account-login")
    assert store.collect(data={"name": "Ann"}).code == "consent-missing"


def test_clause_7_3c_under_a_hold_everything_is_stored_only_and_goes_when_the_hold_is_released(store: Store):
    customer(store)
    store.do("place-hold", subject=ANN, **HOLD)
    outcome = store.do("erase", subject=ANN, ground="7.3c", categories=["name", "email"])
    assert effects(outcome) == {"name": ("restricted", "legal-hold"), "email": ("restricted", "legal-hold")}
    assert inside(store) == 2
    (kept,) = store.engine.open_custody(ANN, DPO, hold="case-7", reason="hearing", categories=["name"])
    assert kept["value"] == "Ann"
    released = store.do("release-hold", subject=ANN, **HOLD)
    assert {effects(released)[each] for each in ("name", "email")} == {("erased", "no-ground-left")}
    assert inside(store) == 0


def test_clause_7_3d_processing_that_was_unlawful_ends_for_one_category_and_the_rest_lives(store: Store):
    customer(store)
    outcome = store.do("erase", subject=ANN, ground="7.3d", categories=["phone"])
    assert effects(outcome) == {"phone": ("erased", "no-ground-left")}
    assert store.held() == {
        "name": "held",
        "company": "held",
        "email": "held",
        "phone": "erased",
        "login-account": "held",
    }


def test_clause_7_3d_what_is_in_custody_already_is_erased_out_of_it_when_nothing_keeps_it(store: Store):
    customer(store)
    store.do("restrict", subject=ANN, categories=["name"], reason="disputed")
    assert inside(store) == 1
    outcome = store.do("erase", subject=ANN, ground="7.3d", categories=["name"])
    assert effects(outcome) == {"name": ("erased", "no-ground-left")}
    assert inside(store) == 0
    (done,) = [
        header.data
        for header in headers_of(store.engine.database, store.engine.read.subject_id(ANN))
        if header.kind == "erasure-completed/1"
    ]
    assert len(done["keys"]) == 1


def test_clause_7_3e_another_law_takes_everything_and_the_person_who_comes_back_is_a_new_customer(store: Store):
    store.consent()
    store.collect()
    before = store.engine.read.subject_id(ANN)
    store.do("restrict", subject=ANN, categories=["name"], reason="disputed")
    outcome = store.do("erase", subject=ANN, ground="7.3e")
    assert outcome.receipt is not None
    assert (inside(store), count_of(store.engine.database, data_key)) == (0, 0)
    store.consent()
    assert store.collect(data={"name": "Ann"}).outcome == "done"
    assert store.engine.read.subject_id(ANN) != before
    assert store.held() == {"name": "held"}
    assert value_in_clear(store.engine, ANN) == {"name": "Ann"}


def test_clause_7_3e_after_a_month_of_silence_each_end_is_carried_out_once_with_the_day_due_and_the_day_done(
    store: Store,
):
    store.do("collect", FIRST, subject=ANN, data={"phone": TRIAL["phone"]}, **QUOTE)
    store.do("collect", subject=ANN, data={"login-account": "ann-7"}, **ACCOUNT)
    store.do("end-purpose", subject=ANN, purpose="account-login", reason="contract-ended")
    person = store.engine.read.subject_id(ANN)
    store.engine.move_clock(datetime.fromisoformat("2025-09-02T09:00:00+08:00"))  # nobody swept for a month
    store.engine.sweep()
    store.engine.sweep()
    said = [header.data for header in headers_of(store.engine.database, person) if "expired" in header.kind]
    assert [(each["due_on"], each["done_on"]) for each in said] == [("2025-08-02", "2025-09-02")]
    store.engine.move_clock(datetime.fromisoformat("2027-10-01T09:00:00+08:00"))  # and another month after the law
    assert inside(store) == 1
    store.engine.sweep()
    assert inside(store) == 0
    ordered = [header for header in headers_of(store.engine.database, person) if header.kind == "erasure-ordered/1"]
    assert len({holding for header in ordered for holding in header.data["holdings"]}) == 2
