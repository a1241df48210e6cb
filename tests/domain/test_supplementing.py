"""A category that is missing joins a ground that lives. Policy clause 7.2."""

from __future__ import annotations

from typing import Any

from scenario import Act, Given, collecting_, consenting, erasing, given, holding_, restricting_, using, withdrawing

from examples import AGE_NEEDED, BROWSING_DUE, EMAIL, MARCH_1, MARCH_5, MARCH_9, SENSITIVE, TRIAL_DUE
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.supplementing import Missing, add


def adding(category: str, value: str = "+6591234567", *, purpose: str | None = None, at: Any = MARCH_5) -> Act:
    return Act(
        lambda life, asked: add(
            life.subject,
            asked,
            missing=[Missing(category, value, life.new_id(category))],
            purpose=purpose,
            reason="incomplete",
            evidence="letter",
        ),
        at,
    )


def trial() -> Given:
    return given(consenting(), collecting_(EMAIL))


def test_a_missing_category_joins_the_ground_of_the_purpose_and_its_period_counts_on():
    past = given(consenting("recommended-customers"), collecting_(EMAIL, purpose="recommended-customers"))
    after = past.when(adding("phone")).then(
        e.MissingDataAdded(
            occurred_at=MARCH_5,
            holding="phone-1",
            category="phone",
            joins=e.GroundRef(holding="email-1", ground=1),
            reason="incomplete",
            evidence="letter",
            values={"phone-1": "+6591234567"},
        )
    )
    (beside,), (joined,) = (after.subject.holdings[id].grounds for id in ("email-1", "phone-1"))
    assert (joined.purpose, joined.basis, joined.rule) == (beside.purpose, beside.basis, beside.rule)
    assert after.subject.end_of(joined) == after.subject.end_of(beside) == BROWSING_DUE  # 180 days from 1 March
    assert joined.since == MARCH_5
    assert after.subject.holdings["phone-1"].source == "web-form"
    assert after.live("phone-1", BROWSING_DUE) == []


def test_what_was_added_ends_with_its_ground_and_is_no_activity():
    after = trial().and_then(adding("phone"))
    assert after.subject.activity == trial().subject.activity
    assert after.live("phone-1", MARCH_9) == [("free-trial", "consent")]
    assert after.and_then(using(at=MARCH_9)).live("phone-1", TRIAL_DUE) == [("free-trial", "consent")]
    assert after.and_then(withdrawing(at=MARCH_9)).state("phone-1", MARCH_9) == "erased"


def test_what_no_purpose_with_a_live_ground_needs_is_not_added():
    trial().when(adding("ip-address", "192.0.2.7")).then_refused(r.HoldingErased)
    trial().when(adding("phone", at=TRIAL_DUE)).then_refused(r.HoldingErased)
    trial().and_then(withdrawing(at=MARCH_1)).when(adding("phone")).then_refused(r.HoldingErased)
    trial().when(adding("ip-address", "192.0.2.7", purpose="free-trial")).then_refused(r.MoreThanNecessary)
    trial().when(adding("phone", purpose="quotation")).then_refused(r.GroundMissing)
    trial().when(adding("phone", purpose="resale")).then_refused(r.UnknownPurpose)
    trial().when(adding("shoe-size", "42")).then_refused(r.UnknownCategory)
    trial().and_then(erasing("7.3e")).when(adding("phone", at=MARCH_9)).then_refused(r.SubjectErased)


def test_where_several_purposes_would_do_the_caller_says_for_which():
    past = trial().and_then(collecting_(EMAIL, purpose="quotation", basis="contract"))
    refused = past.when(adding("phone")).then_refused(r.AmbiguousPurpose)
    assert (refused.code, refused.clause) == ("ambiguous-purpose", "7.2")
    assert "'free-trial', 'quotation'" in str(refused)
    assert past.and_then(adding("phone", purpose="quotation")).live("phone-1", MARCH_9) == [("quotation", "contract")]
    assert past.and_then(adding("name", "Ann")).live("name-1", MARCH_9) == [("free-trial", "consent")]


def test_on_consent_only_what_the_consent_covers_is_added():
    sensitive = given(consenting("quotation"), collecting_(EMAIL, purpose="quotation"), policy=SENSITIVE)
    sensitive.when(adding("financial-account", "1")).then_refused(r.SeparateConsentMissing)
    narrow = given(consenting("quotation"), collecting_(EMAIL, purpose="quotation"))
    narrow.when(adding("birth-date", "1990-05-17").under(AGE_NEEDED)).then_refused(r.ConsentMissing)


def test_a_restriction_stops_it_and_a_hold_does_not():
    trial().and_then(restricting_("email", at=MARCH_1)).when(adding("phone")).then_refused(r.HoldingRestricted)
    trial().and_then(holding_(at=MARCH_1)).when(adding("phone")).then_kinds(e.MissingDataAdded)
