"""Sharing under an agreement, and trustees. Policy clause 3.1a; settled rules 18, 19."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from scenario import (
    Given,
    collecting_,
    consenting,
    ending_,
    erasing,
    given,
    restricting_,
    sharing_,
    withdrawing,
)

from examples import (
    ACCOUNT,
    AGREEMENT,
    ANN,
    EMAIL,
    MARCH_1,
    MARCH_2,
    MARCH_5,
    MARCH_9,
    POLICY,
    UDESK,
    changed,
    in_purpose,
    sg,
)
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.trustee import events as t
from lifecycle.domain.trustee import trustee as trustees
from lifecycle.domain.trustee.trustee import Trustee

TERMS = trustees.Terms(
    purpose="free-trial",
    starts=date(2025, 1, 1),
    ends=date(2025, 12, 31),
    method="api",
    categories=["name", "email", "company"],
    measures="encryption",
    rights_and_obligations="as in the contract",
)


def trial() -> Given:
    return given(consenting(), collecting_(ANN))


def shared(*holdings: str, **fields: Any) -> e.PersonalDataShared:
    said: dict[str, Any] = {
        "occurred_at": MARCH_5,
        "trustee": "udesk",
        "agreement": "udesk-1",
        "agreement_version": 2,
        "purpose": "free-trial",
        "holdings": holdings,
        "method": "api",
    }
    return e.PersonalDataShared(**(said | fields))


def test_a_share_names_the_agreement_as_it_stood_and_the_holdings():
    after = trial().when(sharing_("email", "name", trustee=UDESK)).then(shared("email-1", "name-1"))
    assert [share.recipient for share in after.subject.holdings["email-1"].shares] == ["udesk"]
    assert after.subject.holdings["company-1"].shares == ()


def test_a_share_by_holding_names_one():
    trial().when(sharing_(holdings=["email-1"], trustee=UDESK)).then(shared("email-1"))


def test_two_shares_are_two_facts():
    trial().and_then(sharing_("email", trustee=UDESK)).when(sharing_("email", trustee=UDESK, at=MARCH_9)).then(
        shared("email-1", occurred_at=MARCH_9)
    )


def test_a_share_without_an_agreement_is_refused():
    refused = (
        trial().when(sharing_("email", trustee=Trustee("udesk", 1, engaged=True))).then_refused(r.AgreementMissing)
    )
    assert (refused.code, refused.clause) == ("agreement-missing", "3.1a")


def test_an_agreement_does_not_cover_what_happened_before_it_was_signed():
    late = replace(UDESK, agreements=(replace(AGREEMENT, signed_at=MARCH_2),))
    trial().when(sharing_("email", trustee=late, at=MARCH_1).recorded_on(MARCH_9)).then_refused(r.AgreementLapsed)
    trial().when(sharing_("email", trustee=late, at=MARCH_2)).then(shared("email-1", occurred_at=MARCH_2))


def test_a_share_with_a_recipient_or_by_a_method_that_the_policy_does_not_name_is_refused():
    another = replace(UDESK, name_id="acme")
    refused = trial().when(sharing_("email", trustee=another)).then_refused(r.RecipientNotDeclared)
    assert (refused.code, refused.clause) == ("recipient-not-declared", "3.1a")
    assert refused.remedy
    assert "'acme'" in str(refused)
    assert "'free-trial'" in str(refused)
    by_widget = replace(UDESK, agreements=(replace(AGREEMENT, method="embedded-widget"),))
    narrow = changed(('methods = ["api", "file-export", "embedded-widget"]\n\n[third', 'methods = ["api"]\n\n[third'))
    past = trial()
    past.when(sharing_("email", trustee=by_widget, method="embedded-widget")).then(
        shared("email-1", method="embedded-widget")
    )
    refused = past.when(sharing_("email", trustee=by_widget, method="embedded-widget").under(narrow)).then_refused(
        r.RecipientNotDeclared
    )
    assert "'embedded-widget'" in str(refused)


def test_a_recipient_of_one_purpose_is_none_of_another():
    past = given(consenting("recommended-customers"), collecting_(EMAIL, purpose="recommended-customers"))
    wide = replace(UDESK, agreements=(replace(AGREEMENT, purpose="recommended-customers"),))
    past.when(sharing_("email", trustee=wide, purpose="recommended-customers")).then_refused(r.RecipientNotDeclared)


def test_of_several_agreements_that_cover_it_the_one_signed_last_counts():
    newer = replace(AGREEMENT, id="udesk-2", signed_at=MARCH_2)
    two = replace(UDESK, version=3, agreements=(AGREEMENT, newer))
    trial().when(sharing_("email", trustee=two)).then(shared("email-1", agreement="udesk-2", agreement_version=3))
    trial().when(sharing_("email", trustee=two, at=MARCH_1).recorded_on(MARCH_9)).then(
        shared("email-1", occurred_at=MARCH_1, agreement_version=3)
    )


def test_a_share_before_or_after_the_agreement_is_refused_and_both_its_days_are_included():
    past = given(consenting(at=sg(2024, 12, 1)), collecting_(EMAIL, at=sg(2024, 12, 1)))
    for day in (sg(2024, 12, 31, 23), sg(2026, 1, 1)):
        past.when(sharing_("email", trustee=UDESK, at=day)).then_refused(r.AgreementLapsed)
    for day in (sg(2025, 1, 1), sg(2025, 12, 31, 23)):
        past.when(sharing_("email", trustee=UDESK, at=day)).then(shared("email-1", occurred_at=day))


def test_a_share_after_the_agreement_was_ended_is_refused_and_before_it_is_not():
    ended = replace(UDESK, version=3, agreements=(replace(AGREEMENT, ended_at=MARCH_5),))
    trial().when(sharing_("email", trustee=ended)).then_refused(r.AgreementLapsed)
    trial().when(sharing_("email", trustee=ended, at=MARCH_2).recorded_on(MARCH_9)).then(
        shared("email-1", occurred_at=MARCH_2, agreement_version=3)
    )


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"purpose": "quotation"}, "'quotation'"), ({"method": "file-export"}, "'file-export'")],
)
def test_a_share_for_another_purpose_or_by_another_method_is_outside(asked: dict[str, str], named: str):
    past = trial().and_then(collecting_(EMAIL, purpose="quotation", basis="contract", at=MARCH_2))
    assert named in str(past.when(sharing_("email", trustee=UDESK, **asked)).then_refused(r.OutsideAgreement))


def test_a_share_of_another_category_is_outside_and_named():
    refused = trial().when(sharing_("email", "phone", trustee=UDESK)).then_refused(r.OutsideAgreement)
    assert "'phone'" in str(refused)
    assert "'email'" not in str(refused)


def test_any_agreement_that_covers_it_will_do():
    wide = replace(AGREEMENT, id="udesk-2", categories=frozenset({"phone", "email"}))
    two = replace(UDESK, version=3, agreements=(AGREEMENT, wide))
    trial().when(sharing_("phone", trustee=two)).then(shared("phone-1", agreement="udesk-2", agreement_version=3))


def test_a_share_of_what_somebody_restricted_is_refused():
    past = trial().and_then(restricting_("email", at=MARCH_2))
    assert past.when(sharing_("email", trustee=UDESK)).then_refused(r.HoldingRestricted).clause == "5"
    past.when(sharing_("name", trustee=UDESK)).then(shared("name-1"))


def test_a_share_before_the_restriction_may_be_reported_after_it():
    past = trial().and_then(restricting_("email", at=MARCH_5))
    past.when(sharing_("email", trustee=UDESK, at=MARCH_2).recorded_on(MARCH_9)).then(
        shared("email-1", occurred_at=MARCH_2)
    )


def test_a_share_of_what_is_stored_only_is_refused():
    account = collecting_(ACCOUNT, purpose="account-login", basis="contract")
    past = given(account, ending_("account-login", "contract-ended", at=MARCH_2))
    agreement = replace(AGREEMENT, purpose="account-login", categories=frozenset({"login-account"}))
    udesk = replace(UDESK, agreements=(agreement,))
    named = changed(
        in_purpose("account-login", "readers", 'recipients = ["udesk"]\nreaders'),
        ('purposes = ["free-trial", "quotation", "customer-service"]', 'purposes = ["free-trial", "account-login"]'),
        in_purpose("quotation", 'recipients = ["udesk"]\n', ""),
        in_purpose("customer-service", 'recipients = ["udesk"]\n', ""),
    )
    past.when(sharing_("login-account", trustee=udesk, purpose="account-login").under(named)).then_refused(
        r.HoldingRestricted
    )


def test_a_share_on_a_withdrawn_consent_is_refused():
    past = trial().and_then(withdrawing(at=MARCH_2))
    past.when(sharing_("email", trustee=UDESK)).then_refused(r.HoldingErased)
    still = trial().and_then(
        collecting_(EMAIL, purpose="quotation", basis="contract", at=MARCH_1), withdrawing(at=MARCH_2)
    )
    assert still.when(sharing_("email", trustee=UDESK)).then_refused(r.GroundMissing).clause == "1.4"


def test_a_share_that_happened_before_the_erasure_may_be_reported_after_it():
    past = trial().and_then(withdrawing(at=MARCH_5))
    past.when(sharing_("email", trustee=UDESK, at=MARCH_2).recorded_on(MARCH_9)).then(
        shared("email-1", occurred_at=MARCH_2)
    )
    past.when(sharing_(holdings=["email-1"], trustee=UDESK, at=MARCH_2).recorded_on(MARCH_9)).then(
        shared("email-1", occurred_at=MARCH_2)
    )


def test_a_share_dated_before_the_collection_is_refused():
    trial().when(sharing_("email", trustee=UDESK, at=sg(2025, 2, 1)).recorded_on(MARCH_9)).then_refused(
        r.HoldingRestricted
    )


def test_by_category_only_those_with_the_purpose_are_meant():
    past = trial().and_then(
        collecting_({"email": "ann@work.example"}, purpose="quotation", basis="contract", at=MARCH_2),
        restricting_(holdings=["email-2"], at=MARCH_2),
    )
    past.when(sharing_("email", trustee=UDESK)).then(shared("email-1"))
    past.when(sharing_(holdings=["email-1", "email-2"], trustee=UDESK)).then_refused(r.HoldingRestricted)


def test_a_share_of_what_is_not_held_or_with_unknown_words_is_refused():
    past = given(consenting(), collecting_(EMAIL))
    past.when(sharing_("name", trustee=UDESK)).then_refused(r.HoldingErased)
    past.when(sharing_(holdings=["name-1"], trustee=UDESK)).then_refused(r.HoldingErased)
    past.when(sharing_("shoe-size", trustee=UDESK)).then_refused(r.UnknownCategory)
    past.when(sharing_("email", trustee=UDESK, purpose="resale")).then_refused(r.UnknownPurpose)
    past.when(sharing_("email", trustee=UDESK, method="pigeon")).then_refused(r.UnknownWord)


def test_nothing_is_shared_once_the_person_is_erased():
    past = trial().and_then(erasing("7.3e"))
    past.when(sharing_("email", trustee=UDESK, at=MARCH_9)).then_refused(r.SubjectErased)


# -- trustees ----------------------------------------------------------------------------------------------------------

ASKED = Asked(MARCH_1, MARCH_1, POLICY)


def engaged() -> Trustee:
    return folded(Trustee("udesk"), trustees.engage(Trustee("udesk"), ASKED, name="Udesk", contact="x", country="CN"))


def signed() -> Trustee:
    return folded(engaged(), trustees.sign(engaged(), ASKED, terms=TERMS))


def folded(trustee: Trustee, decision: Decision) -> Trustee:
    for event in decision.events:
        trustee = trustee.fold(event)
    return trustee


def test_a_trustee_is_engaged_once():
    first = trustees.engage(Trustee("udesk"), ASKED, name="Udesk", contact="https://udesk.cn", country="CN")
    said = t.TrusteeEngaged(
        occurred_at=MARCH_1, trustee="udesk", name="Udesk", contact="https://udesk.cn", country="CN"
    )
    assert first.events == (said,)
    assert first.events[0].record_words() == said.record_words()
    assert not trustees.engage(engaged(), ASKED, name="Udesk", contact="x", country="CN").events


def test_an_agreement_with_all_seven_terms_is_signed_once():
    decision = trustees.sign(engaged(), ASKED, terms=TERMS)
    assert decision.events == (
        t.AgreementSigned(
            occurred_at=MARCH_1,
            trustee="udesk",
            agreement="udesk-1",
            purpose="free-trial",
            starts=date(2025, 1, 1),
            ends=date(2025, 12, 31),
            method="api",
            categories=("company", "email", "name"),
            measures="encryption",
            rights_and_obligations="as in the contract",
        ),
    )
    agreed = {"measures": "encryption", "rights_and_obligations": "as in the contract"}
    assert signed().agreements == (replace(AGREEMENT, signed_at=MARCH_1, **agreed),)
    assert not trustees.sign(signed(), ASKED, terms=TERMS).events
    assert not trustees.sign(signed(), Asked(MARCH_5, MARCH_5, POLICY), terms=TERMS).events


@pytest.mark.parametrize(
    "other",
    [
        {"purpose": "quotation"},
        {"starts": date(2025, 1, 2)},
        {"ends": date(2026, 1, 1)},
        {"method": "file-export"},
        {"categories": ["name", "email"]},
        {"measures": "encryption at rest"},
        {"rights_and_obligations": "as amended"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_terms_are_an_agreement_of_its_own_beside_the_earlier_one(other: dict[str, Any]):
    decision = trustees.sign(signed(), Asked(MARCH_5, MARCH_5, POLICY), terms=replace(TERMS, **other))
    assert [event.agreement for event in decision.events] == ["udesk-2"]
    both = folded(signed(), decision)
    assert [one.ended_at for one in both.agreements] == [None, None]
    assert not trustees.sign(both, Asked(MARCH_9, MARCH_9, POLICY), terms=replace(TERMS, **other)).events
    assert not trustees.sign(both, Asked(MARCH_9, MARCH_9, POLICY), terms=TERMS).events


def test_the_same_terms_signed_earlier_than_was_known_are_said_anew():
    late = folded(engaged(), trustees.sign(engaged(), Asked(MARCH_5, MARCH_5, POLICY), terms=TERMS))
    decision = trustees.sign(late, Asked(MARCH_1, MARCH_9, POLICY), terms=TERMS)
    assert [event.occurred_at for event in decision.events] == [MARCH_1]


@pytest.mark.parametrize(
    ("term", "empty", "named"),
    [
        ("purpose", None, "'purpose'"),
        ("starts", None, "'from'"),
        ("ends", None, "'to'"),
        ("method", None, "'method'"),
        ("categories", [], "'categories'"),
        ("measures", "  ", "'measures'"),
        ("rights_and_obligations", None, "'rights_and_obligations'"),
    ],
)
def test_an_agreement_that_lacks_a_term_is_refused_and_the_term_named(term: str, empty: object, named: str):
    with pytest.raises(trustees.AgreementIncomplete) as refused:
        trustees.sign(engaged(), ASKED, terms=replace(TERMS, **{term: empty}))
    assert f"The agreement lacks: {named}." in str(refused.value)


def test_an_agreement_on_what_the_policy_does_not_know_is_refused():
    for term, value, refusal in (
        ("purpose", "resale", r.UnknownPurpose),
        ("categories", ["shoe-size"], r.UnknownCategory),
        ("method", "pigeon", r.UnknownWord),
    ):
        with pytest.raises(refusal):
            trustees.sign(engaged(), ASKED, terms=replace(TERMS, **{term: value}))


def test_only_an_engaged_trustee_signs_ends_and_is_reviewed():
    nobody = Trustee("udesk")
    for ask in (
        lambda: trustees.sign(nobody, ASKED, terms=TERMS),
        lambda: trustees.end_agreement(nobody, ASKED, agreement=None, reason="x"),
        lambda: trustees.review(nobody, ASKED, finding="x", remedy_by=None),
    ):
        with pytest.raises(trustees.TrusteeNotEngaged):
            ask()


def test_an_agreement_ends_once_and_may_be_signed_again():
    decision = trustees.end_agreement(signed(), ASKED, agreement="udesk-1", reason="moved")
    assert decision.events == (
        t.AgreementEnded(occurred_at=MARCH_1, trustee="udesk", agreement="udesk-1", reason="moved"),
    )
    ended = folded(signed(), decision)
    assert not trustees.end_agreement(ended, ASKED, agreement="udesk-1", reason="moved").events
    again = trustees.sign(ended, ASKED, terms=TERMS)
    assert again.events[0].agreement == "udesk-2"


def test_all_open_agreements_end_when_none_is_named():
    two = folded(signed(), trustees.sign(signed(), ASKED, terms=replace(TERMS, purpose="quotation")))
    ended = trustees.end_agreement(two, ASKED, agreement=None, reason="moved").events
    assert [event.agreement for event in ended] == ["udesk-1", "udesk-2"]


def test_ending_an_agreement_that_was_never_signed_is_refused():
    with pytest.raises(r.AgreementMissing):
        trustees.end_agreement(signed(), ASKED, agreement="udesk-9", reason="moved")


def test_a_review_is_recorded_each_time():
    decision = trustees.review(signed(), ASKED, finding="no backups", remedy_by=date(2025, 6, 1))
    assert decision.events == (
        t.TrusteeReviewed(occurred_at=MARCH_1, trustee="udesk", remedy_by=date(2025, 6, 1), finding="no backups"),
    )
    assert folded(signed(), decision).version == 3


def test_dismissal_ends_every_agreement_and_happens_once():
    decision = trustees.dismiss(signed(), ASKED, reason="closed")
    assert decision.events == (t.TrusteeDismissed(occurred_at=MARCH_1, trustee="udesk", reason="closed"),)
    dismissed = folded(signed(), decision)
    assert (dismissed.engaged, dismissed.agreements[0].ended_at) == (False, MARCH_1)
    assert not trustees.dismiss(dismissed, ASKED, reason="closed").events
    trial().when(sharing_("email", trustee=dismissed)).then_refused(r.AgreementLapsed)
