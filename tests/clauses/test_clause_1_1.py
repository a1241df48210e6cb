"""Clause 1.1: what is personal, what is sensitive, the young, and what stops being personal by anonymisation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from clauses.partners import DAY_1, DAY_2, DAY_9, begun, data_of, decided_again, disclosing, done, opened, refused
from founding import InAFile, OnAServer
from whole.stores import ANN, TRIAL, Outcome, Store

from examples import POLICY, changed_text, in_purpose

MUM = {"email": "mum@example.com"}
SENSITIVE = [category for category in POLICY.categories if POLICY.is_sensitive(category)]
CONSENT = {"purposes": ["quotation"], "notice": "1.0", "channel": "web-form"}
LATER = "2024-09-02T10:00:00+08:00"


@pytest.fixture
def url(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "clause.db"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys) as made:
        yield made


@pytest.fixture
def either(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    """On SQLite and on PostgreSQL."""
    with founded.store(tmp_path, keys, lived=begun) as made:
        yield made


def anonymising(store: Store, *categories: str, at: str = DAY_2) -> Outcome:
    return store.do("anonymise", at, subject=ANN, categories=list(categories))


def test_clause_1_1_a_category_that_the_policy_does_not_know_is_refused_and_registers_nobody(store: Store):
    done(store.consent(at=DAY_1))
    refused(store.collect(data={"shoe-size": "39"}), "unknown-category", "1.1")
    refused(store.collect(subject={"email": "new@example.com"}, data={"shoe-size": "39"}), "unknown-category", "1.1")


def test_clause_1_1_seven_kinds_are_sensitive():
    declared = {"biometric", "religious-belief", "specific-identity", "medical-health", "financial-account"}
    assert set(SENSITIVE) == declared | {"location-track"}
    assert POLICY.minors is not None
    assert POLICY.minors.age == 14  # the seventh: everything about anybody younger


def test_clause_1_1_each_sensitive_category_needs_separate_consent(url: str, keys: Path):
    listed = ", ".join(f'"{category}"' for category in SENSITIVE)
    text = changed_text(in_purpose("quotation", '"email"]', f'"email", {listed}]'))
    with opened(url, keys, text) as store:
        said = [{"purpose": "quotation", "data": {category: "x", "email": "ann@example.com"}} for category in SENSITIVE]
        done(store.do("give-consent", DAY_1, subject=ANN, **CONSENT))
        for each in said:
            refused(store.collect(**each), "separate-consent-missing", "1.1")
        done(store.collect(purpose="quotation", data={"email": "ann@example.com"}))
        done(store.do("give-consent", DAY_1, subject=ANN, separate=True, **CONSENT))
        for each in said:
            done(store.collect(**each))


def test_clause_1_1_under_fourteen_a_guardian_consents_and_everything_is_sensitive(store: Store):
    done(store.do("record-birth-date", DAY_1, subject=ANN, birth_date="2014-05-17", evidence="passport"))
    refused(store.consent(at=DAY_1), "guardian-missing", "1.1")
    done(store.consent(at=DAY_1, guardian=MUM))
    refused(store.collect(at=DAY_1), "separate-consent-missing", "1.1")
    done(store.consent(at=DAY_1, guardian=MUM, separate=True))
    done(store.collect(at=DAY_1))


def test_clause_1_1_a_subject_whose_birthday_passes_consents_anew_for_what_is_new(store: Store):
    """Fourteen on 1 September 2024: the day before a guardian consents, from that day on the person does."""
    done(store.do("record-birth-date", DAY_1, subject=ANN, birth_date="2010-09-01", evidence="passport"))
    eve, day = "2024-08-31T23:59:59+08:00", "2024-09-01T00:00:00+08:00"
    done(store.consent(at=eve, guardian=MUM, separate=True))
    done(store.collect(at=eve))
    refused(store.collect(at=day, data={"phone": "+6591112222"}), "consent-missing", "1.3")
    assert store.held()["email"] == "held"  # the guardian's consent stays good for what stands on it
    done(store.consent(at=day))
    done(store.collect(at=day, data={"phone": "+6591112222"}))


def test_clause_1_1_a_subject_without_a_birth_date_on_record_is_taken_for_grown_up(store: Store):
    done(store.consent(at=DAY_1))
    done(store.collect(at=DAY_1))


def test_clause_1_1_anonymisation_ends_a_holding_and_nobody_can_turn_it_back(either: Store):
    outcome = done(anonymising(either, "company", "phone"))
    assert outcome.events[0] == "personal-data-anonymised/1"
    assert {(e.category, e.result, e.because) for e in outcome.effects} == {
        ("company", "anonymised", "no-ground-left"),
        ("phone", "anonymised", "no-ground-left"),
    }
    assert either.held() == {"company": "anonymised", "phone": "anonymised", "email": "held", "name": "held"}
    assert either.kinds()[-3:] == ["personal-data-anonymised", "erasure-ordered", "erasure-completed"]
    assert data_of(either, "erasure-ordered")["ground"] == "anonymised"
    assert len(data_of(either, "erasure-completed")["keys"]) == 2
    gone = [row for row in either.engine.read.holdings(ANN) if row["state"] == "anonymised"]
    assert all(row["value"] is None and row["grounds"][0]["ended"] == "anonymised" for row in gone)
    assert either.held(as_of=datetime.fromisoformat(DAY_1))["phone"] == "held"
    assert {verdict for _, verdict in decided_again(either)} <= {"cannot-tell", "not-a-decision"}


def test_clause_1_1_what_was_anonymised_is_in_no_file_of_the_store(url: str, keys: Path, tmp_path: Path):
    with opened(url, keys) as store:
        begun(store)
        done(anonymising(store, "company"))
        store.engine.database.truncate_wal()
    assert all(TRIAL["company"].encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_clause_1_1_anonymised_data_is_outside_of_everything(store: Store):
    begun(store)
    done(anonymising(store, "phone"))
    assert anonymising(store, "phone").outcome == "nothing"
    refused(store.do("correct", subject=ANN, data={"phone": "+6590000000"}, reason="x"), "holding-erased", "7.3")
    refused(store.do("restrict", subject=ANN, categories=["phone"], reason="x"), "holding-erased", "7.3")
    refused(disclosing(store, ["phone"]), "holding-erased", "7.3")
    again = done(store.do("erase", DAY_9, subject=ANN, ground="7.3b", categories=["phone", "email"]))
    assert {(e.category, e.result) for e in again.effects} == {("email", "erased")}


def test_clause_1_1_the_same_value_later_is_a_new_holding(store: Store):
    begun(store)
    done(anonymising(store, "phone"))
    done(store.collect(data={"phone": TRIAL["phone"]}))
    states = [row["state"] for row in store.engine.read.holdings(ANN) if row["category"] == "phone"]
    assert sorted(states) == ["anonymised", "held"]


def test_clause_1_1_nothing_is_anonymised_under_a_legal_hold(store: Store):
    begun(store)
    hold = {"hold": "case-1", "reason": "suit", "authority": "court"}
    done(store.do("place-hold", DAY_1, subject=ANN, categories=["phone"], **hold))
    refused(anonymising(store, "phone", "name"), "hold-in-force", "7.3")
    assert store.held()["name"] == "held"  # all or nothing
    done(store.do("release-hold", DAY_2, subject=ANN, **hold))
    done(anonymising(store, "phone"))


def test_clause_1_1_nor_while_a_statutory_minimum_runs_or_would_begin(store: Store):
    contract = {"purpose": "account-login", "basis": "contract", "evidence": "K-1"}
    done(store.collect(at=DAY_1, data={"login-account": "ann@example.com"}, **contract))
    refused(anonymising(store, "login-account"), "retention-in-force", "7.3")
    done(store.do("end-purpose", DAY_2, subject=ANN, purpose="account-login", reason="contract-ended"))
    refused(anonymising(store, "login-account", at=DAY_9), "retention-in-force", "7.3")


def test_clause_1_1_nor_what_a_legal_duty_needs_nor_what_the_person_had_restricted(store: Store):
    done(store.do("record-birth-date", DAY_1, subject=ANN, birth_date="1990-05-17", evidence="passport"))
    refused(anonymising(store, "birth-date"), "retention-in-force", "7.3")
    begun(store)
    done(store.do("restrict", DAY_2, subject=ANN, categories=["phone"], reason="disputed"))
    refused(anonymising(store, "phone"), "holding-restricted", "5")
    done(store.do("restrict", DAY_2, subject=ANN, categories=["name"], reason="tax", law="Tax Act s 5"))
    refused(anonymising(store, "name"), "retention-in-force", "7.3")


def test_clause_1_1_what_is_not_held_cannot_be_anonymised(store: Store):
    begun(store)
    refused(anonymising(store, "ip-address"), "holding-erased", "7.3")
    refused(anonymising(store, "shoe-size"), "unknown-category", "1.1")
    done(store.do("erase", DAY_2, subject=ANN, ground="7.3b", categories=["phone"]))
    refused(anonymising(store, "phone"), "holding-erased", "7.3")


def test_clause_1_1_what_was_due_before_is_erased_by_its_period_not_anonymised(store: Store):
    begun(store)
    done(store.collect(at=DAY_1, purpose="quotation", basis="contract", evidence="K", data={"company": "Beta"}))
    late = "2025-09-01T10:00:00+08:00"  # the quotation's year is over, the trial's two are not
    done(anonymising(store, "company", at=late))
    ordered = [row["data"] for row in store.engine.read.history(ANN) if row["kind"] == "erasure-ordered/1"]
    assert [one["ground"] for one in ordered] == ["retention", "anonymised"]
