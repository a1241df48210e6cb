"""Clause 7.4: the rules of processing are explained, from the policy that was in force at the moment asked about."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from clauses.revised import AFTER, BEFORE, TRIAL_KEPT, a_trial, publish, revision, tell, without_trial
from whole.stores import ANN, TRIAL, Store

from lifecycle.audit.explanation_texts import LANGUAGES, NoSuchLanguage
from lifecycle.domain.subject.refusals import NoPolicyInForce

SHORTER = revision((TRIAL_KEPT, "months = 6"))


def purpose(explained: dict[str, Any], name: str = "free-trial") -> dict[str, Any]:
    return next(each for each in explained["rules"]["purposes"] if each["purpose"] == name)


def at(when: str) -> datetime:
    return datetime.fromisoformat(when)


def test_clause_7_4_the_rules_in_general_come_from_the_policy_in_words_and_for_programs(store: Store):
    store.engine.move_clock(at(BEFORE))
    explained = store.engine.read.explain()
    trial = purpose(explained)
    assert [each["category"] for each in trial["categories"]] == ["name", "company", "phone", "email"]
    assert [each["basis"] for each in trial["bases"]] == ["consent", "contract"]
    assert trial["kept"] == {"counts_from": "last-activity", "period": "24 months", "while_contract_lasts": False}
    assert any("Providing a free trial" in line and "24 months" in line for line in explained["text"])
    assert explained["policy"]["version"] == "1.0"
    assert explained["subject"] is None
    labels = [each["label"] for each in explained["rules"]["rights"]]
    assert labels
    assert all(any(label in line for line in explained["text"]) for label in labels)


def test_clause_7_4_of_a_past_date_it_says_what_was_in_force_then(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    tell(store)
    store.engine.advance_clock(at("2025-09-01T09:00:00+08:00"))
    for whom in (None, ANN):
        assert purpose(store.engine.read.explain(subject=whom))["kept"]["period"] == "6 months"
        assert purpose(store.engine.read.explain(at(BEFORE), whom))["kept"]["period"] == "24 months"
    with pytest.raises(NoPolicyInForce):
        store.engine.read.explain(at("2020-01-01T00:00:00Z"))


def test_clause_7_4_for_a_person_who_was_not_told_it_is_the_version_that_binds_them(store: Store):
    a_trial(store)
    publish(store, SHORTER)
    store.engine.advance_clock(at(AFTER))
    assert store.engine.read.explain()["policy"]["version"] == "2.0"
    mine = store.engine.read.explain(subject=ANN)
    assert mine["policy"]["version"] == "1.0"
    assert any("2.0" in line and "not told" in line for line in mine["text"])


def test_clause_7_4_of_a_purpose_withdrawn_since_it_says_both(store: Store):
    a_trial(store)
    store.do("withdraw-consent", at="2025-06-20T09:00:00+08:00", subject=ANN, purposes=["free-trial"], channel="email")
    then = store.engine.read.explain(at(BEFORE), ANN)
    (use,) = then["subject"]["uses"]
    assert (use["purpose"], use["basis"], use["categories"]) == ("free-trial", "consent", sorted(TRIAL))
    (consent,) = then["subject"]["consents"]
    assert (consent["status"], consent["withdrawn_since"]) == ("given", "2025-06-20T01:00:00Z")
    assert any("2025-06-20" in line and "withdrew" in line for line in then["text"])
    now = store.engine.read.explain(subject=ANN)
    assert now["subject"]["uses"] == []
    assert [each["status"] for each in now["subject"]["consents"]] == ["withdrawn"]
    assert any("stays lawful" in line for line in now["text"])


def test_clause_7_4_of_a_purpose_that_the_policy_dropped_the_past_is_still_explained(store: Store):
    a_trial(store)
    publish(store, revision(*without_trial()))
    tell(store)
    store.engine.advance_clock(at(AFTER))
    now = store.engine.read.explain(subject=ANN)
    assert "free-trial" not in {each["purpose"] for each in now["rules"]["purposes"]}
    assert now["subject"]["erased"] == sorted(TRIAL)
    assert purpose(store.engine.read.explain(at(BEFORE), ANN))["label"] == "Providing a free trial"


def test_clause_7_4_it_says_what_is_stored_only_and_why(store: Store):
    store.engine.move_clock(at(BEFORE))
    store.collect("account-login", basis="contract", evidence="K-1", data={"login-account": TRIAL["email"]})
    store.do("end-purpose", subject=ANN, purpose="account-login", reason="contract-ended")
    explained = store.engine.read.explain(subject=ANN)
    (stored,) = explained["subject"]["stored_only"]
    assert (stored["category"], stored["because"]) == ("login-account", "statutory-minimum")
    assert any("Stored only" in line for line in explained["text"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_clause_7_4_every_sentence_is_there_in_each_language_without_a_value(store: Store, language: str):
    a_trial(store)
    publish(store, SHORTER)
    tell(store)
    explained = store.engine.read.explain(subject=ANN, language=language)
    text = "\n".join(explained["text"])
    assert ("为任何" in text or "您" in text) is (language == "zh")
    assert "{" not in text
    for value in TRIAL.values():
        assert value not in str(explained)


def test_clause_7_4_a_language_without_texts_is_refused(store: Store):
    with pytest.raises(NoSuchLanguage, match="no texts"):
        store.engine.read.explain(language="xx")
