"""The young: guardians, separate consent, and the day they come of age. Policy clause 1.1; PIPL Art. 31; rule 31."""

from __future__ import annotations

import pytest
from scenario import Given, born_on, collecting_, consenting, erasing, given, guarded_by, time_passing

from examples import AGE_NEEDED, EMAIL, GUARDIAN, MARCH_1, MARCH_2, MARCH_5, MARCH_9, POLICY, sg
from lifecycle.domain.decision import Asked
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.collecting import record_birth_date
from lifecycle.domain.subject.settling import next_instant
from lifecycle.policy.periods import RetentionRule, age_on
from lifecycle.policy.vocabulary import CountsFrom

BIRTH_DATE_RULE = RetentionRule(
    name="protection-of-minors@1.0", counts_from=CountsFrom.COLLECTION, period=None, zone="Asia/Singapore"
)


def guarded() -> Given:
    return given(guarded_by(GUARDIAN), consenting(guardian=GUARDIAN, separate=True).aged(13))


def test_a_birth_date_is_sealed_in_a_holding_of_its_own():
    after = (
        given()
        .when(born_on("2012-05-17"))
        .then(
            e.BirthDateRecorded(
                occurred_at=MARCH_1,
                holding="birth-date-1",
                category="birth-date",
                law="pipl-28",
                rule=BIRTH_DATE_RULE,
                evidence="passport",
                values={"birth-date-1": "2012-05-17"},
            )
        )
    )
    assert after.live("birth-date-1", MARCH_9) == [("protection-of-minors", "legal-duty")]
    assert "2012" not in repr(after.life.history)


def test_the_same_birth_date_again_is_nothing_and_another_is_refused():
    past = given(born_on("2012-05-17"))
    past.when(born_on("2012-05-17", at=MARCH_2)).then_nothing()
    assert "correct" in past.when(born_on("2012-05-18", at=MARCH_2)).then_refused(r.BirthDateKnown).remedy


def test_a_second_birth_date_is_refused_although_the_first_could_not_be_opened():
    past = given(born_on("2012-05-17"))
    with pytest.raises(r.BirthDateKnown):
        record_birth_date(
            past.subject,
            Asked(MARCH_2, MARCH_2, POLICY),
            birth_date="2012-05-17",
            new_id="birth-date-2",
            known=None,
            evidence=None,
        )


def test_a_birth_date_lasts_as_long_as_the_record_and_keeps_nobody():
    past = given(born_on("1990-05-17"))
    due = sg(2025, 4, 1)
    assert next_instant(past.subject, POLICY) == due
    past.when(time_passing(due)).then(
        e.ErasureOrdered(occurred_at=due, ground="identifiers", holdings=("birth-date-1",), whole=True)
    )


def test_a_birth_date_that_a_contract_needs_too_keeps_the_person():
    needed = collecting_({"birth-date": "1990-05-17"}, purpose="quotation", basis="contract")
    past = given(born_on("1990-05-17"), needed, policy=AGE_NEEDED)
    assert past.live("birth-date-1", MARCH_2) == [("protection-of-minors", "legal-duty"), ("quotation", "contract")]
    assert past.and_then(erasing("7.3c")).subject.erasure is None
    assert next_instant(past.subject, AGE_NEEDED) == sg(2026, 3, 2)
    past.when(time_passing(sg(2025, 12, 1))).then_nothing()
    assert past.and_then(erasing("7.3e")).subject.erasure == "ordered"


def test_a_child_cannot_consent_alone():
    assert given().when(consenting().aged(13)).then_refused(r.GuardianMissing).clause == "1.1"


def test_a_guardian_consents_for_a_child():
    given(guarded_by(GUARDIAN)).when(consenting(guardian=GUARDIAN).aged(13)).then(
        e.ConsentGiven(
            occurred_at=MARCH_1,
            purposes=("free-trial",),
            scopes={"free-trial": POLICY.consented_scope("free-trial")},
            notice="1.0",
            channel="web-form",
            by_guardian=True,
            guardian=GUARDIAN,
        )
    )


def test_somebody_else_than_the_recorded_guardian_cannot_consent():
    past = given(guarded_by(GUARDIAN))
    past.when(consenting(guardian="email:stranger@example.com").aged(13)).then_refused(r.GuardianMissing)


def test_everything_of_a_child_is_sensitive():
    past = given(guarded_by(GUARDIAN), consenting(guardian=GUARDIAN).aged(13))
    past.when(collecting_(EMAIL, at=MARCH_2).aged(13)).then_refused(r.SeparateConsentMissing)
    guarded().when(collecting_(EMAIL, at=MARCH_2).aged(13)).then_kinds(e.PersonalDataCollected)


def test_a_child_s_own_consent_from_before_the_age_was_known_carries_nothing():
    past = given(consenting(separate=True))
    past.when(collecting_(EMAIL, at=MARCH_2).aged(13)).then_refused(r.GuardianMissing)


def test_a_guardian_s_consent_stays_good_at_fourteen_for_existing_grounds_but_not_for_new_ones():
    past = guarded().and_then(collecting_(EMAIL, at=MARCH_2).aged(13))
    assert past.live("email-1", MARCH_9) == [("free-trial", "consent")]
    refused = past.when(collecting_({"name": "Ann"}, at=MARCH_5).aged(14)).then_refused(r.ConsentMissing)
    assert "now of age" in str(refused)
    own = past.and_then(consenting(at=MARCH_5).aged(14))
    own.when(collecting_({"name": "Ann"}, at=MARCH_9).aged(14)).then_kinds(e.PersonalDataCollected)


def test_the_person_s_own_consent_counts_even_if_the_guardian_consents_once_more():
    past = given(consenting(separate=True).aged(14), consenting(at=MARCH_2, guardian=GUARDIAN).aged(14))
    past.when(collecting_(EMAIL, at=MARCH_5).aged(14)).then_kinds(e.PersonalDataCollected)


def test_the_age_at_the_time_of_the_command_counts_and_no_birthday_is_recorded():
    past = guarded().and_then(collecting_(EMAIL, at=MARCH_2).aged(13))
    past.when(time_passing(sg(2026, 1, 1))).then_nothing()
    assert age_on(sg(2011, 3, 5).date(), MARCH_5.date()) in (13, 14)


def test_a_guardian_is_recorded_once_and_only_as_a_keyed_reference():
    recorded = e.GuardianRecorded(
        occurred_at=MARCH_1, guardian=f"ref:{GUARDIAN}", reference=GUARDIAN, evidence="family book"
    )
    past = given().when(guarded_by(GUARDIAN)).then(recorded)
    past.when(guarded_by(GUARDIAN, at=MARCH_2)).then_nothing()
    assert "family book" not in str(recorded.header_data())


def test_a_guardian_or_birth_date_of_an_erased_person_is_refused():
    past = given(consenting(), collecting_(EMAIL), erasing("7.3e"))
    past.when(guarded_by(GUARDIAN, at=MARCH_9)).then_refused(r.SubjectErased)
    past.when(born_on("2012-05-17", at=MARCH_9)).then_refused(r.SubjectErased)
