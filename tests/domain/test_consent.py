"""Consent: given, refused, withdrawn. Policy clauses 1.1, 1.3, 7.5; settled rules 19, 30."""

from __future__ import annotations

from datetime import date
from typing import Any

from scenario import collecting_, consenting, erasing, given, refusing, time_passing, using, withdrawing

from examples import BROWSING_DUE, EMAIL, LAPSING, MARCH_1, MARCH_2, MARCH_5, MARCH_9, POLICY, TRIAL_DUE, WIDER, sg
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r


def consent_given(*purposes: str, **fields: Any) -> e.ConsentGiven:
    purposes = purposes or ("free-trial",)
    said = {
        "occurred_at": MARCH_1,
        "purposes": purposes,
        "scopes": {purpose: POLICY.consented_scope(purpose) for purpose in purposes},
        "notice": "1.0",
        "channel": "web-form",
    }
    return e.ConsentGiven(**(said | fields))


def withdrawn(*purposes: str, **fields: Any) -> e.ConsentWithdrawn:
    said = {"occurred_at": MARCH_5, "purposes": purposes or ("free-trial",), "channel": "web-form"}
    return e.ConsentWithdrawn(**(said | fields))


def erased(holding: str, category: str = "email") -> e.Effect:
    return e.Effect(holding=holding, category=category, result="erased", because="no-ground-left")


def test_consent_is_recorded_with_what_was_consented_to():
    given().when(consenting("free-trial", "quotation")).then(consent_given("free-trial", "quotation"))


def test_consent_given_twice_is_nothing_the_second_time():
    given(consenting()).when(consenting(at=MARCH_2)).then_nothing()


def test_only_purposes_without_consent_are_recorded_anew():
    given(consenting()).when(consenting("free-trial", "quotation", at=MARCH_2)).then(
        consent_given("quotation", occurred_at=MARCH_2)
    )


def test_a_purpose_named_twice_is_consented_to_once():
    given().when(consenting("free-trial", "free-trial")).then(consent_given())


def test_separate_consent_says_more_than_consent():
    given(consenting()).when(consenting(at=MARCH_2, separate=True)).then(
        consent_given(occurred_at=MARCH_2, separate=True)
    )


def test_consent_after_separate_consent_says_nothing_new():
    given(consenting(separate=True)).when(consenting(at=MARCH_2)).then_nothing()


def test_consent_to_a_wider_purpose_is_recorded_anew():
    given(consenting()).when(consenting(at=MARCH_2).under(WIDER)).then(
        consent_given(occurred_at=MARCH_2, notice="1.1", scopes={"free-trial": WIDER.consented_scope("free-trial")})
    )


def test_consent_to_a_purpose_outside_the_policy_is_refused():
    assert given().when(consenting("resale")).then_refused(r.UnknownPurpose).clause == "1.3"


def test_consent_to_a_purpose_that_does_not_rest_on_consent_is_refused():
    assert given().when(consenting("account-login")).then_refused(r.BasisNotAllowed).clause == "1.4"


def test_consent_through_an_unknown_channel_is_refused():
    given().when(consenting(channel="pigeon")).then_refused(r.UnknownWord)


def test_consent_with_another_notice_than_the_version_in_force_is_refused():
    assert given().when(consenting(notice="0.9")).then_refused(r.NoticeMissing).clause == "9.1"


def test_a_back_dated_consent_is_recorded_although_a_later_one_is_in_force():
    given(consenting(at=MARCH_5)).when(consenting(at=MARCH_1).recorded_on(MARCH_9)).then(consent_given())


def test_a_consent_with_a_term_says_when_it_lapses():
    given(policy=LAPSING).when(consenting()).then(consent_given(lapses={"free-trial": sg(2025, 4, 1)}))


def test_a_consent_that_is_renewed_lasts_longer():
    renewed = given(consenting(), policy=LAPSING).when(consenting(at=MARCH_9))
    renewed.then(consent_given(occurred_at=MARCH_9, lapses={"free-trial": sg(2025, 4, 9)}))


def test_a_consent_given_again_on_the_same_day_is_nothing():
    given(consenting(), policy=LAPSING).when(consenting(at=sg(2025, 3, 1, 23))).then_nothing()


def test_the_first_term_ends_without_ending_the_renewed_consent():
    past = given(consenting(), consenting(at=MARCH_9), policy=LAPSING)
    after = past.when(time_passing(sg(2025, 4, 1))).then(
        e.ConsentExpired(occurred_at=sg(2025, 4, 1), purposes=("free-trial",), because="term-over")
    )
    assert after.subject.consent_for("free-trial", sg(2025, 4, 8)) is not None
    assert after.subject.consent_for("free-trial", sg(2025, 4, 9)) is None
    after.when(collecting_(EMAIL, at=sg(2025, 4, 2))).then_kinds(e.PersonalDataCollected)


def test_a_lapsed_consent_carries_no_collection_although_nobody_swept():
    given(consenting(), policy=LAPSING).when(collecting_(EMAIL, at=sg(2025, 4, 1))).then_refused(r.ConsentMissing)


def test_whoever_lets_a_consent_lapse_can_still_withdraw_what_it_began():
    past = given(consenting(), collecting_(EMAIL), time_passing(sg(2025, 4, 1)), policy=LAPSING)
    at = sg(2025, 4, 2)
    past.when(withdrawing(at=at)).then(
        withdrawn(occurred_at=at, effects=(erased("email-1"),)),
        e.ErasureOrdered(occurred_at=at, ground="withdrawal", holdings=("email-1",)),
        effects=[erased("email-1")],
    )


def test_a_withdrawal_of_an_earlier_day_does_not_touch_what_a_later_consent_began_whose_term_is_over():
    past = given(consenting(), collecting_(EMAIL), time_passing(sg(2025, 4, 1)), policy=LAPSING)
    past.when(withdrawing(at=sg(2025, 2, 27)).recorded_on(sg(2025, 4, 2))).then_nothing()
    given(
        consenting(at=sg(2025, 2, 1)),
        consenting(),
        collecting_(EMAIL),
        time_passing(sg(2025, 4, 2)),
        policy=LAPSING,
    ).when(withdrawing(at=sg(2025, 2, 27)).recorded_on(sg(2025, 4, 2))).then_nothing()


def test_refusing_is_recorded():
    given().when(refusing("free-trial")).then(
        e.ConsentRefused(occurred_at=MARCH_1, purposes=("free-trial",), notice="1.0", channel="web-form")
    )


def test_refusing_twice_is_nothing_the_second_time():
    given(refusing("free-trial")).when(refusing("free-trial", at=MARCH_2)).then_nothing()


def test_refusing_after_consenting_again_is_recorded_again():
    past = given(refusing("free-trial"), consenting(at=MARCH_2), withdrawing(at=MARCH_5))
    past.when(refusing("free-trial", at=MARCH_9)).then_kinds(e.ConsentRefused)


def test_refusing_what_was_consented_to_is_refused_in_favour_of_withdrawing():
    assert "withdraw-consent" in given(consenting()).when(refusing("free-trial")).then_refused(r.ConsentInForce).remedy


def test_refusing_with_unknown_words_is_refused():
    given().when(refusing("resale")).then_refused(r.UnknownPurpose)
    given().when(refusing("free-trial", channel="pigeon")).then_refused(r.UnknownWord)
    given().when(refusing("free-trial", notice="0.9")).then_refused(r.NoticeMissing)


def test_withdrawal_erases_what_stood_on_the_consent_alone():
    given(consenting(), collecting_(EMAIL)).when(withdrawing("free-trial")).then(
        withdrawn(effects=(erased("email-1"),)),
        e.ErasureOrdered(occurred_at=MARCH_5, ground="withdrawal", holdings=("email-1",)),
        effects=[erased("email-1")],
    )


def test_withdrawal_of_all_needs_no_purposes():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL))
    past.when(withdrawing()).then(
        withdrawn("free-trial", "quotation", effects=(erased("email-1"),)),
        e.ErasureOrdered(occurred_at=MARCH_5, ground="withdrawal", holdings=("email-1",)),
        effects=[erased("email-1")],
    )


def test_withdrawal_of_one_purpose_leaves_the_other():
    past = given(consenting("free-trial", "quotation"), collecting_(EMAIL), collecting_(EMAIL, purpose="quotation"))
    kept = e.Effect(holding="email-1", category="email", result="kept", because="quotation", until=sg(2026, 3, 2))
    after = past.when(withdrawing("free-trial")).then(withdrawn(effects=(kept,)), effects=[kept])
    assert after.live("email-1", MARCH_9) == [("quotation", "consent")]


def test_withdrawal_tells_that_a_contract_keeps_the_holding():
    past = given(consenting(), collecting_(EMAIL), collecting_(EMAIL, basis="contract"))
    kept = e.Effect(holding="email-1", category="email", result="kept", because="free-trial", until=TRIAL_DUE)
    past.when(withdrawing()).then(withdrawn(effects=(kept,)), effects=[kept])


def test_withdrawal_twice_is_nothing_the_second_time():
    given(consenting(), withdrawing()).when(withdrawing(at=MARCH_9)).then_nothing()


def test_withdrawal_without_consent_is_nothing():
    given(collecting_(EMAIL, basis="contract")).when(withdrawing()).then_nothing()


def test_withdrawal_with_unknown_words_is_refused():
    given(consenting()).when(withdrawing("resale")).then_refused(r.UnknownPurpose)
    given(consenting()).when(withdrawing(channel="pigeon")).then_refused(r.UnknownWord)


def test_a_back_dated_withdrawal_sets_the_end_back():
    past = given(consenting(), collecting_(EMAIL), collecting_(EMAIL, basis="contract"))
    after = past.when(withdrawing(at=MARCH_2).recorded_on(MARCH_9)).then_kinds(e.ConsentWithdrawn)
    ground = after.subject.holdings["email-1"].grounds[0]
    assert (ground.until, ground.ended) == (MARCH_2, "consent-withdrawn")
    assert after.subject.consents[0].until == MARCH_2
    assert after.live("email-1", MARCH_1) == [("free-trial", "consent"), ("free-trial", "contract")]
    assert after.live("email-1", MARCH_2) == [("free-trial", "contract")]


def test_a_withdrawal_dated_before_a_later_consent_leaves_that_one_and_what_it_carries():
    past = given(
        consenting(),
        collecting_(EMAIL),
        consenting(at=MARCH_5, separate=True),
        collecting_({"name": "Ann"}, at=MARCH_5),
    )
    after = past.when(withdrawing(at=MARCH_2).recorded_on(MARCH_9)).then_kinds(e.ConsentWithdrawn, e.ErasureOrdered)
    assert after.state("email-1", MARCH_9) == "erased"
    assert after.state("name-1", MARCH_9) == "held"
    assert after.subject.consent_for("free-trial", MARCH_9) is not None


def test_a_withdrawal_dated_before_every_consent_is_nothing():
    given(consenting(at=MARCH_5)).when(withdrawing(at=MARCH_2).recorded_on(MARCH_9)).then_nothing()


def test_what_time_had_ended_before_a_withdrawal_was_not_ended_by_it():
    """Nobody swept between the end of the period and the withdrawal."""
    address = {"ip-address": "192.0.2.7"}
    past = given(consenting("website-browsing"), collecting_(address, purpose="website-browsing"))
    at = sg(2025, 9, 5)
    effect = erased("ip-address-1", "ip-address")
    past.when(withdrawing(at=at)).then(
        e.RetentionExpired(
            occurred_at=at,
            holding="ip-address-1",
            ground=1,
            purpose="website-browsing",
            rule="website-browsing@1.0",
            due=BROWSING_DUE,
            due_on=date(2025, 8, 29),
            done_on=date(2025, 9, 5),
        ),
        withdrawn("website-browsing", occurred_at=at, effects=(effect,)),
        e.ErasureOrdered(occurred_at=at, ground="retention", holdings=("ip-address-1",)),
        effects=[effect],
    )


def test_nothing_can_be_consented_to_or_withdrawn_once_the_person_is_erased():
    past = given(consenting(), collecting_(EMAIL), erasing("7.3e"))
    for act in (consenting(at=MARCH_9), refusing("free-trial", at=MARCH_9), withdrawing(at=MARCH_9)):
        past.when(act).then_refused(r.SubjectErased)
    past.when(using(at=MARCH_9)).then_refused(r.SubjectErased)
