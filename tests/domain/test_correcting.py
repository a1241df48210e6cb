"""Correction and supplementation. Policy clause 7.2; settled rules 24, 26, 27."""

from __future__ import annotations

from typing import Any

import pytest
from scenario import (
    Given,
    collecting_,
    consenting,
    correcting_,
    ending_,
    erasing,
    given,
    holding_,
    restricting_,
    withdrawing,
)

from examples import ACCOUNT, EMAIL, MARCH_1, MARCH_2, MARCH_5, MARCH_9, TRIAL_DUE
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.correcting import holding_to_change

NEW = {"email-1": "ann@work.example"}


def corrected(**fields: Any) -> e.PersonalDataCorrected:
    said: dict[str, Any] = {
        "occurred_at": MARCH_5,
        "holdings": ("email-1",),
        "values": NEW,
        "reason": "misspelt",
    }
    return e.PersonalDataCorrected(**(said | fields))


def trial() -> Given:
    return given(consenting(), collecting_(EMAIL | {"name": "Ann"}))


def test_a_correction_is_a_new_generation_of_the_same_holding():
    after = trial().when(correcting_(NEW, evidence="letter")).then(corrected(evidence="letter"))
    holding = after.subject.holdings["email-1"]
    assert [(one.version, one.since) for one in holding.generations] == [(2, MARCH_1), (3, MARCH_5)]
    assert holding.parts == (2, 3)
    assert after.live("email-1", MARCH_9) == [("free-trial", "consent")]


def test_a_supplement_says_so():
    trial().when(correcting_({"name-1": "Ann Lee"}, supplement=True)).then(
        e.PersonalDataSupplemented(
            occurred_at=MARCH_5, holdings=("name-1",), values={"name-1": "Ann Lee"}, reason="misspelt"
        )
    )


def test_several_holdings_are_corrected_in_one_fact():
    both = NEW | {"name-1": "Anne"}
    trial().when(correcting_(both)).then(corrected(holdings=("email-1", "name-1"), values=both))


def test_a_correction_to_the_same_value_is_nothing():
    trial().when(correcting_({"email-1": "ann@example.com"})).then_nothing()


def test_only_what_differs_is_corrected():
    trial().when(correcting_(NEW | {"name-1": "Ann"})).then(corrected())


def test_all_generations_die_with_the_holding():
    after = trial().and_then(correcting_(NEW), withdrawing(at=MARCH_9))
    assert after.state("email-1", MARCH_9) == "erased"
    assert after.subject.holdings["email-1"].parts == (2, 3)


def test_correcting_what_is_erased_or_was_never_held_is_refused():
    assert (
        trial().and_then(withdrawing(at=MARCH_2)).when(correcting_(NEW)).then_refused(r.HoldingErased).clause == "7.3"
    )
    trial().when(correcting_({"phone-1": "+6591234567"})).then_refused(r.HoldingErased)


def test_correcting_what_is_due_but_not_yet_swept_is_refused():
    trial().when(correcting_(NEW, at=TRIAL_DUE)).then_refused(r.HoldingErased)


def test_correcting_what_law_stores_only_is_refused():
    account = collecting_(ACCOUNT, purpose="account-login", basis="contract")
    past = given(account, ending_("account-login", "contract-ended", at=MARCH_2))
    past.when(correcting_({"login-account-1": "ann@work.example"})).then_refused(r.HoldingRestricted)
    by_law = trial().and_then(restricting_("email", law="CPC 9", at=MARCH_1), withdrawing(at=MARCH_2))
    by_law.when(correcting_(NEW)).then_refused(r.HoldingRestricted)


def test_a_holding_that_somebody_restricted_may_be_corrected():
    trial().and_then(restricting_("email", at=MARCH_2)).when(correcting_(NEW)).then(corrected())


def test_under_a_hold_a_correction_is_annotated_and_the_value_stays():
    after = trial().and_then(holding_(at=MARCH_2)).when(correcting_(NEW))
    holding = after.then(
        e.CorrectionAnnotated(occurred_at=MARCH_5, holdings=("email-1",), values=NEW, reason="misspelt")
    ).subject.holdings["email-1"]
    assert (len(holding.generations), len(holding.annotations)) == (1, 1)
    assert holding.parts == (2, 4)


def test_what_only_a_hold_keeps_is_annotated():
    past = trial().and_then(holding_(at=MARCH_1), withdrawing(at=MARCH_2))
    past.when(correcting_(NEW)).then_kinds(e.CorrectionAnnotated)


def test_a_category_with_several_holdings_is_ambiguous():
    past = trial().and_then(collecting_({"email": "ann@work.example"}, at=MARCH_2))
    with pytest.raises(r.AmbiguousHolding, match="2 holdings"):
        holding_to_change(past.subject, "email")
    assert holding_to_change(past.subject, "name").id == "name-1"
    with pytest.raises(r.HoldingErased):
        holding_to_change(past.subject, "phone")


def test_nothing_is_corrected_once_the_person_is_erased():
    trial().and_then(erasing("7.3e")).when(correcting_(NEW, at=MARCH_9)).then_refused(r.SubjectErased)
