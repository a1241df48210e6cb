"""Identifiers, notices, acceptance, reading. Policy clauses 4, 9.1, 9.2; settled rule 29."""

from __future__ import annotations

import pytest
from scenario import (
    Act,
    accepting,
    collecting_,
    consenting,
    erasing,
    given,
    linking,
    noticing,
    registered,
    restricting_,
    unlinking,
    withdrawing,
)

from examples import EMAIL, MARCH_1, MARCH_2, MARCH_5, MARCH_9, POLICY, TRIAL_DUE
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.reading import read_clear
from lifecycle.policy.vocabulary import IdentifierType, Role


def reading(purpose: str = "free-trial", *, role: Role = Role.SERVICE, at=MARCH_5) -> Act:
    return Act(lambda life, asked: read_clear(life.subject, asked, role=role, purpose=purpose), at)


def test_an_identifier_is_linked_by_its_id_never_by_its_value():
    past = (
        given(registered())
        .when(linking("i1", "phone"))
        .then(e.IdentifierLinked(occurred_at=MARCH_1, identifier="i1", type=IdentifierType.PHONE))
    )
    assert past.subject.identifiers == {"i1": IdentifierType.PHONE}


def test_the_person_s_own_identifier_is_nothing_and_another_person_s_is_refused():
    given(registered()).when(linking("i1", own=True)).then_nothing()
    refused = given(registered()).when(linking("i1", taken=True)).then_refused(r.IdentifierTaken)
    assert refused.code == "identifier-taken"


def test_an_identifier_is_unlinked_once():
    past = given(registered(), linking("i1"), linking("i2", at=MARCH_2))
    after = past.when(unlinking("i1")).then(e.IdentifierUnlinked(occurred_at=MARCH_5, identifier="i1"))
    after.when(unlinking("i1", at=MARCH_9)).then_nothing()


def test_an_identifier_that_is_not_the_person_s_is_nothing():
    given(registered(), linking("i1")).when(unlinking(None)).then_nothing()


def test_the_last_identifier_cannot_be_taken_away():
    assert "erase" in given(registered(), linking("i1")).when(unlinking("i1")).then_refused(r.LastIdentifier).remedy


def test_a_notice_is_recorded_once_a_channel():
    past = given().when(noticing()).then(e.NoticeGiven(occurred_at=MARCH_1, notice="1.0", channel="email"))
    past.when(noticing(at=MARCH_2)).then_nothing()
    past.when(noticing(at=MARCH_2, channel="wechat")).then_kinds(e.NoticeGiven)


def test_an_acceptance_is_recorded_once_and_is_no_consent():
    past = given().when(accepting()).then(e.PolicyAccepted(occurred_at=MARCH_1, notice="1.0", channel="web-form"))
    past.when(accepting(at=MARCH_2)).then_nothing()
    past.when(collecting_(EMAIL, at=MARCH_2)).then_refused(r.ConsentMissing)


@pytest.mark.parametrize("ask", [noticing, accepting])
def test_a_notice_of_another_version_or_channel_is_refused(ask):
    assert given().when(ask("0.9")).then_refused(r.NoticeMissing).clause == "9.1"
    given().when(ask(channel="pigeon")).then_refused(r.UnknownWord)


def test_nothing_about_identity_is_recorded_once_the_person_is_erased():
    past = given(consenting(), collecting_(EMAIL), erasing("7.3e"))
    for act in (linking("i9", at=MARCH_9), unlinking("i9", at=MARCH_9), noticing(at=MARCH_9), accepting(at=MARCH_9)):
        past.when(act).then_refused(r.SubjectErased)


def test_a_reading_in_clear_is_recorded_with_what_was_read():
    past = given(consenting(), collecting_(EMAIL))
    past.when(reading()).then(
        e.PersonalDataRead(occurred_at=MARCH_5, purpose="free-trial", holdings=("email-1",), clear=True)
    )


def test_a_reading_needs_the_role_the_purpose_and_a_live_ground():
    past = given(consenting(), collecting_(EMAIL))
    assert past.when(reading(role=Role.AUDITOR)).then_refused(r.NotPermitted).clause == "4"
    past.when(reading("resale")).then_refused(r.UnknownPurpose)
    past.when(reading("quotation")).then_refused(r.GroundMissing)
    past.when(reading(at=TRIAL_DUE)).then_refused(r.GroundMissing)
    past.and_then(withdrawing(at=MARCH_2)).when(reading()).then_refused(r.GroundMissing)


def test_what_is_in_storage_only_is_not_read():
    past = given(consenting(), collecting_(EMAIL | {"name": "Ann"}))
    past.and_then(restricting_("email", at=MARCH_2)).when(reading()).then(
        e.PersonalDataRead(occurred_at=MARCH_5, purpose="free-trial", holdings=("name-1",), clear=True)
    )
    past.and_then(restricting_("email", "name", at=MARCH_2)).when(reading()).then_refused(r.HoldingRestricted)
    assert POLICY.purposes["free-trial"].readers
