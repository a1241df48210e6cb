"""Collection: purpose, necessity, basis, consent. Policy clauses 1.2 to 1.4 and 4; settled rules 19, 26, 30."""

from __future__ import annotations

from typing import Any

import pytest
from scenario import (
    collecting_,
    consenting,
    correcting_,
    ending_,
    erasing,
    given,
    restricting_,
    time_passing,
    using,
    withdrawing,
)

from examples import (
    ACCOUNT,
    ANN,
    EMAIL,
    MARCH_1,
    MARCH_2,
    MARCH_5,
    MARCH_9,
    POLICY,
    SENSITIVE,
    TRIAL_DUE,
    WIDER,
    sg,
)
from lifecycle.domain.decision import Asked
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.collecting import Item, collect
from lifecycle.policy.vocabulary import LegalBasis

MONEY = {"financial-account": "SG-12-3456"}


def collected(data: dict[str, str] = EMAIL, number: int = 1, **fields: Any) -> e.PersonalDataCollected:
    """As new holdings, unless `new` says otherwise."""
    said: dict[str, Any] = {
        "occurred_at": MARCH_1,
        "purpose": "free-trial",
        "basis": LegalBasis.CONSENT,
        "source": "web-form",
        "rule": POLICY.retention_rule(fields.get("purpose", "free-trial")),
        "new": tuple(e.NewHolding(holding=f"{c}-{number}", category=c) for c in data),
        "values": {f"{category}-{number}": value for category, value in data.items()},
    }
    return e.PersonalDataCollected(**(said | fields))


def also(*holdings: str, **fields: Any) -> e.PersonalDataCollected:
    return collected({}, further=holdings, **fields)


def test_consented_data_is_collected_with_the_rule_that_it_is_kept_by():
    after = given(consenting()).when(collecting_(ANN)).then(collected(ANN))
    assert after.subject.end_of(after.subject.holdings["email-1"].grounds[0]) == TRIAL_DUE


def test_fewer_than_the_purpose_needs_may_be_collected():
    given(consenting()).when(collecting_(EMAIL)).then(collected(EMAIL))


def test_more_than_the_purpose_needs_is_refused_and_named():
    refused = given(consenting()).when(collecting_(EMAIL | {"position": "CEO"})).then_refused(r.MoreThanNecessary)
    assert (refused.code, refused.clause) == ("more-than-necessary", "4")
    assert "'position'" in str(refused)
    assert "'free-trial'" in str(refused)
    assert "CEO" not in str(refused)


def test_an_unknown_purpose_is_refused():
    given(consenting()).when(collecting_(EMAIL, purpose="resale")).then_refused(r.UnknownPurpose)


def test_an_unknown_category_is_refused():
    assert given(consenting()).when(collecting_({"shoe-size": "38"})).then_refused(r.UnknownCategory).clause == "1.1"


def test_an_unknown_source_is_refused():
    given(consenting()).when(collecting_(EMAIL, source="pigeon")).then_refused(r.UnknownWord)


def test_a_basis_that_the_policy_does_not_allow_is_refused():
    refused = given().when(collecting_(EMAIL, basis="public-interest")).then_refused(r.BasisNotAllowed)
    assert refused.clause == "1.4"


@pytest.mark.parametrize("evidence", ["", "  "])
def test_a_basis_without_its_evidence_is_refused(evidence: str):
    given().when(collecting_(EMAIL, basis="contract", evidence=evidence)).then_refused(r.EvidenceMissing)


def test_a_contract_needs_no_consent_but_its_reference():
    given().when(collecting_(EMAIL, basis="contract", evidence="C-7")).then(
        collected(basis=LegalBasis.CONTRACT, evidence="C-7")
    )


def test_a_statutory_minimum_is_quoted_with_the_collection():
    given().when(collecting_(ACCOUNT, purpose="account-login", basis="contract")).then(
        collected(
            ACCOUNT,
            purpose="account-login",
            basis=LegalBasis.CONTRACT,
            minimum=POLICY.minimum_for("account-login", LegalBasis.CONTRACT),
            evidence="contract 7",
        )
    )


def test_without_consent_nothing_is_collected():
    assert given().when(collecting_(EMAIL)).then_refused(r.ConsentMissing).clause == "1.3"


def test_consent_to_another_purpose_does_not_carry_it():
    given(consenting("quotation")).when(collecting_(EMAIL)).then_refused(r.ConsentMissing)


def test_consent_that_came_after_the_collection_does_not_heal_it():
    given(consenting(at=MARCH_5)).when(collecting_(EMAIL, at=MARCH_2).recorded_on(MARCH_9)).then_refused(
        r.ConsentMissing
    )


def test_what_was_allowed_then_but_is_withdrawn_now_is_refused():
    past = given(consenting(), withdrawing(at=MARCH_5))
    past.when(collecting_(EMAIL, at=MARCH_2).recorded_on(MARCH_9)).then_refused(r.ConsentMissing)


def test_what_was_allowed_then_and_is_allowed_now_is_collected_although_by_another_consent():
    past = given(consenting(), withdrawing(at=MARCH_2), consenting(at=MARCH_5))
    past.when(collecting_(EMAIL, at=MARCH_1).recorded_on(MARCH_9)).then(collected())


def test_a_consent_does_not_cover_a_purpose_that_became_wider():
    refused = given(consenting()).when(collecting_(EMAIL, at=MARCH_2).under(WIDER)).then_refused(r.ConsentMissing)
    assert "wider" in str(refused)


def test_a_consent_to_a_wider_purpose_covers_the_narrower():
    given(consenting().under(WIDER)).when(collecting_(EMAIL, at=MARCH_2)).then(collected(occurred_at=MARCH_2))


def test_a_sensitive_category_needs_separate_consent():
    past = given(consenting("quotation"), policy=SENSITIVE)
    refused = past.when(collecting_(MONEY, purpose="quotation")).then_refused(r.SeparateConsentMissing)
    assert (refused.clause, "'financial-account'" in str(refused)) == ("1.1", True)
    past.when(collecting_(EMAIL, purpose="quotation")).then_kinds(e.PersonalDataCollected)


def test_a_sensitive_category_is_collected_with_separate_consent_or_on_another_basis():
    given(consenting("quotation", separate=True), policy=SENSITIVE).when(collecting_(MONEY, purpose="quotation")).then(
        collected(MONEY, purpose="quotation", rule=SENSITIVE.retention_rule("quotation"))
    )
    given(policy=SENSITIVE).when(collecting_(MONEY, purpose="quotation", basis="contract")).then_kinds(
        e.PersonalDataCollected
    )


def test_what_is_past_its_retention_is_not_recorded_any_more():
    past = given(consenting("website-browsing", at=sg(2024, 8, 1)))
    act = collecting_({"ip-address": "192.0.2.7"}, purpose="website-browsing", at=sg(2024, 8, 1))
    assert past.when(act.recorded_on(sg(2025, 1, 29))).then_refused(r.PastRetention).clause == "5"
    past.when(act.recorded_on(sg(2025, 1, 28, 23))).then_kinds(e.PersonalDataCollected)


def test_an_equal_value_for_another_purpose_is_a_further_ground_not_another_holding():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL))
    after = past.when(collecting_(EMAIL, purpose="quotation", at=MARCH_2)).then(
        also("email-1", purpose="quotation", occurred_at=MARCH_2)
    )
    assert after.live("email-1", MARCH_2) == [("free-trial", "consent"), ("quotation", "consent")]


def test_an_equal_value_on_another_basis_is_a_further_ground():
    after = given(consenting(), collecting_(EMAIL)).and_then(collecting_(EMAIL, basis="contract", at=MARCH_2))
    assert after.live("email-1", MARCH_2) == [("free-trial", "consent"), ("free-trial", "contract")]


def test_an_equal_value_for_the_same_purpose_and_basis_renews_the_start():
    address = {"ip-address": "192.0.2.7"}
    past = given(consenting("website-browsing"), collecting_(address, purpose="website-browsing"))
    after = past.when(collecting_(address, purpose="website-browsing", at=MARCH_5)).then(
        also("ip-address-1", purpose="website-browsing", occurred_at=MARCH_5)
    )
    (ground,) = after.subject.holdings["ip-address-1"].grounds
    assert (ground.since, after.subject.end_of(ground)) == (MARCH_1, sg(2025, 9, 2))


def test_a_different_value_is_another_holding():
    past = given(consenting(), collecting_(EMAIL))
    other = {"email": "ann@work.example"}
    past.when(collecting_(other, at=MARCH_2)).then(collected(other, 2, occurred_at=MARCH_2))


def test_new_and_further_stand_in_one_fact():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL))
    past.when(collecting_(EMAIL | {"company": "Acme"}, purpose="quotation", at=MARCH_2)).then(
        collected({"company": "Acme"}, further=("email-1",), purpose="quotation", occurred_at=MARCH_2)
    )


def test_a_holding_in_storage_only_is_not_brought_back_by_an_equal_value():
    """A statutory minimum keeps it for the law alone; the new contract has a holding of its own."""
    account = collecting_(ACCOUNT, purpose="account-login", basis="contract")
    past = given(account, ending_("account-login", "contract-ended", at=MARCH_2))
    assert past.state("login-account-1", MARCH_5) == "restricted"
    again = collecting_(ACCOUNT, purpose="account-login", basis="contract", at=MARCH_5)
    after = past.when(again).then_kinds(e.PersonalDataCollected)
    assert after.state("login-account-1", MARCH_5) == "restricted"
    assert after.state("login-account-2", MARCH_5) == "held"


def test_a_holding_that_is_due_but_not_yet_swept_is_not_brought_back_even_when_the_caller_says_it_is_equal():
    past = given(consenting(), collecting_(EMAIL))
    decision = collect(
        past.subject,
        Asked(TRIAL_DUE, TRIAL_DUE, POLICY),
        purpose="free-trial",
        basis=LegalBasis.CONSENT,
        items=[Item("email", "ann@example.com", "email-2", equal="email-1")],
        source="web-form",
        evidence=None,
    )
    assert decision.events == (collected(number=2, occurred_at=TRIAL_DUE),)


def test_an_erased_value_that_comes_again_is_a_new_holding():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL), withdrawing("free-trial"))
    past.when(collecting_(EMAIL, purpose="quotation", at=MARCH_9)).then(
        collected(number=2, purpose="quotation", occurred_at=MARCH_9)
    )


def test_a_holding_restricted_by_request_takes_further_grounds_and_stays_restricted():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL), restricting_("email", at=MARCH_2))
    after = past.when(collecting_(EMAIL, purpose="quotation", at=MARCH_5)).then(
        also("email-1", purpose="quotation", occurred_at=MARCH_5)
    )
    assert after.state("email-1", MARCH_9) == "restricted"


def test_an_item_equals_what_was_corrected_to():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL), correcting_({"email-1": "a@b.example"}))
    past.when(collecting_({"email": "a@b.example"}, purpose="quotation", at=MARCH_9)).then(
        also("email-1", purpose="quotation", occurred_at=MARCH_9)
    )


def test_nothing_is_collected_once_the_person_is_erased():
    past = given(consenting(), collecting_(EMAIL), erasing("7.3e"))
    past.when(collecting_(EMAIL, basis="contract", at=MARCH_9)).then_refused(r.SubjectErased)


def test_values_and_words_do_not_stand_in_header_repr_or_decision():
    decision = given().when(collecting_(EMAIL, basis="contract", evidence="C-7")).decision()
    (event,) = decision.events
    for text in (repr(decision), str(event), str(event.header_data())):
        assert "ann@example.com" not in text
        assert "C-7" not in text


def test_a_sweep_between_does_not_change_what_is_equal():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL)).and_then(time_passing(MARCH_2), using())
    past.when(collecting_(EMAIL, purpose="quotation", at=MARCH_9)).then(
        also("email-1", purpose="quotation", occurred_at=MARCH_9)
    )


def test_an_equal_value_whose_collection_is_told_late_is_held_since_it_was_collected():
    quoted = collecting_(EMAIL, purpose="quotation", basis="contract", at=MARCH_1).recorded_on(MARCH_5)
    past = given(consenting(), collecting_(EMAIL, at=MARCH_2), quoted)
    (holding,) = past.subject.holdings.values()
    assert (holding.since, [ground.since for ground in holding.grounds]) == (MARCH_1, [MARCH_2, MARCH_1])
