"""What is stored only, what opens it, and what is preserved: decided from the record alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from scenario import Act, Given, born_on, collecting_, consenting, given, holding_, lifting, restricting_, withdrawing

from examples import MARCH_1, MARCH_5, MARCH_9, POLICY
from lifecycle.domain.decision import Asked, Decision
from lifecycle.domain.subject import answering, custody, requesting
from lifecycle.domain.subject.custody_events import CustodyOpened, RestrictionLapsed
from lifecycle.domain.subject.custody_refusals import CustodyClosed
from lifecycle.domain.subject.refusals import SubjectErased
from lifecycle.domain.subject.settling import calendar, fall_due
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.periods import day_of, start_of
from lifecycle.policy.vocabulary import RequestKind, Role

DATA = {"name": "Ann", "phone": "+6591234567"}
TRIAL = (consenting("free-trial"), collecting_(DATA))


def opening(title: custody.Title, *, role: Role = Role.CUSTODIAN, at: datetime = MARCH_9, **which: object) -> Act:
    named = {"categories": (), "holdings": (), **which}
    return Act(
        lambda life, asked: custody.open_custody(life.subject, asked, role=role, title=title, reason="x", **named), at
    )


def passing(to: datetime) -> Act:
    return Act(lambda life, asked: fall_due(life.subject, asked.now, asked.policy), to)


def test_what_is_in_use_is_not_in_custody_and_a_hold_on_it_changes_nothing():
    assert custody.stored_only(given(*TRIAL).subject, MARCH_5) == frozenset()
    held = given(*TRIAL, holding_()).subject
    assert custody.stored_only(held, MARCH_5) == frozenset()
    assert custody.in_use(held, MARCH_5) == {"name-1", "phone-1"}


def test_what_is_restricted_is_in_custody_until_the_restriction_is_lifted():
    restricted = given(*TRIAL, restricting_("name"))
    assert custody.stored_only(restricted.subject, MARCH_9) == {"name-1"}
    assert custody.in_use(restricted.and_then(lifting("name")).subject, MARCH_9) == {"name-1", "phone-1"}


def test_what_only_a_hold_keeps_is_in_custody():
    kept = given(*TRIAL, holding_("case-7", "name"), withdrawing("free-trial", at=MARCH_9))
    assert custody.stored_only(kept.subject, MARCH_9) == {"name-1"}
    assert custody.in_use(kept.subject, MARCH_9) == frozenset()


def test_a_birth_date_is_never_in_custody_because_every_command_has_to_know_the_age():
    restricted = given(born_on("2000-02-29"), restricting_("birth-date")).subject
    assert restricted.is_restricted(restricted.holdings["birth-date-1"], MARCH_9)
    assert custody.stored_only(restricted, MARCH_9) == frozenset()


def test_what_merely_waits_for_the_sweep_belongs_neither_here_nor_there():
    past = MARCH_1 + timedelta(days=4_000)
    waiting = given(*TRIAL).subject
    assert custody.stored_only(waiting, past) == custody.in_use(waiting, past) == frozenset()


# -- opening ----------------------------------------------------------------------------------------------------------

KEPT = (*TRIAL, holding_("case-7", "name"), withdrawing("free-trial", at=MARCH_9))
BY_HOLD = custody.Title(hold="ref:case-7")


def test_a_hold_opens_what_it_covers_and_the_event_names_it():
    (opened,) = given(*KEPT).when(opening(BY_HOLD)).decision().events
    assert isinstance(opened, CustodyOpened)
    assert (opened.holdings, opened.because, opened.hold) == (("name-1",), "legal-hold", "ref:case-7")


@pytest.mark.parametrize("role", [role for role in Role if role not in custody.CUSTODIANS])
def test_no_other_role_opens_it(role: Role):
    given(*KEPT).when(opening(BY_HOLD, role=role)).then_refused(CustodyClosed)


@pytest.mark.parametrize(
    "title",
    [custody.Title(), custody.Title(hold="ref:case-8"), custody.Title(law="pdpa-25", law_reference="ref:pdpa-25")],
)
def test_nothing_else_opens_it(title: custody.Title):
    given(*KEPT).when(opening(title)).then_refused(CustodyClosed)


def test_a_hold_that_does_not_cover_it_or_is_over_does_not_open_it():
    disputed = (*TRIAL, restricting_("phone"), holding_("case-7", "name"))
    given(*disputed).when(opening(BY_HOLD, categories=("phone",))).then_refused(CustodyClosed)
    lapsed = given(*KEPT)
    holds = {key: replace(hold, until=MARCH_9) for key, hold in lapsed.subject.holds.items()}
    over = Given(replace(lapsed.life, subject=replace(lapsed.subject, holds=holds)), lapsed.policy)
    over.when(opening(BY_HOLD)).then_refused(CustodyClosed)


def test_what_is_only_disputed_is_opened_by_nobody():
    disputed = given(*TRIAL, restricting_("name"))
    for title in (custody.Title(law="GDPR Art. 18(2)", law_reference="ref:x"), BY_HOLD):
        disputed.when(opening(title)).then_refused(CustodyClosed)
    disputed.and_then(holding_("case-7", "name")).when(opening(BY_HOLD)).then_kinds(CustodyOpened)


def asks(kind: str, *, proven: bool = True) -> Act:
    requester = requesting.Requester(proven)
    how: Any = {"request": "r1", "asks": RequestKind(kind), "channel": "phone", "requester": requester, "words": {}}
    return Act(lambda life, asked: requesting.receive(life.subject, asked, **how), MARCH_5)


BY_REQUEST = custody.Title(request="r1")
FOR_THE_PERSON = pytest.mark.parametrize("kind", ["access", "copy", "correction"])


@FOR_THE_PERSON
def test_what_is_merely_disputed_is_opened_for_the_persons_own_request_and_for_nothing_else(kind: str):
    disputed = given(*TRIAL, restricting_("name"))
    disputed.when(opening(BY_REQUEST)).then_refused(CustodyClosed)
    disputed.and_then(asks(kind, proven=False)).when(opening(BY_REQUEST)).then_refused(CustodyClosed)
    asking = disputed.and_then(asks(kind))
    (opened,) = asking.when(opening(BY_REQUEST)).decision().events
    assert (opened.because, opened.holdings, opened.request) == ("asked", ("name-1",), "r1")
    asking.when(opening(BY_REQUEST, role=Role.SERVICE)).then_refused(CustodyClosed)
    asking.when(opening(BY_REQUEST, categories=("phone",))).then_refused(CustodyClosed)  # in use, not in custody
    answer: Any = {"request": "r1", "note": None, "otherwise": "by letter"}
    closed = asking.and_then(Act(lambda life, asked: answering.fulfil_request(life.subject, asked, **answer), MARCH_9))
    closed.when(opening(BY_REQUEST)).then_refused(CustodyClosed)


@pytest.mark.parametrize("kind", ["deletion", "complaint", "objection"])
def test_a_request_that_can_be_answered_without_the_value_opens_nothing(kind: str):
    given(*TRIAL, restricting_("name"), asks(kind)).when(opening(BY_REQUEST)).then_refused(CustodyClosed)


def test_a_request_opens_nothing_that_a_hold_or_a_law_keeps():
    by_law = given(*TRIAL, restricting_("name"), restricting_("name", law="CPC 9"), asks("access"))
    by_law.when(opening(BY_REQUEST)).then_refused(CustodyClosed)
    given(*KEPT, asks("access")).when(opening(BY_REQUEST)).then_refused(CustodyClosed)


def test_the_record_of_somebody_erased_is_closed():
    erased = replace(given(*TRIAL).subject, erasure="ordered")
    with pytest.raises(SubjectErased):
        custody.open_custody(
            erased,
            Asked(MARCH_9, MARCH_9, POLICY),
            role=Role.CUSTODIAN,
            title=BY_HOLD,
            categories=(),
            holdings=(),
            reason="x",
        )


# -- dates ------------------------------------------------------------------------------------------------------------


def test_a_restriction_with_a_date_is_in_the_calendar_and_lapses_at_it_once():
    restricted = given(*TRIAL, restricting_("name", until=MARCH_9))
    assert [d.due for d in calendar(restricted.subject, POLICY) if d.what == "restriction-end"] == [MARCH_9]
    assert fall_due(restricted.subject, MARCH_9 - timedelta(microseconds=1), POLICY) == Decision()
    lapsed = restricted.when(passing(MARCH_9)).then_kinds(RestrictionLapsed)
    assert [d for d in calendar(lapsed.subject, POLICY) if d.what == "restriction-end"] == []
    lapsed.when(passing(MARCH_9)).then_nothing()


def test_a_restriction_that_was_lifted_does_not_lapse():
    lifted = given(*TRIAL, restricting_("name", until=MARCH_9), lifting("name", at=MARCH_9 - timedelta(hours=1)))
    assert [d for d in calendar(lifted.subject, POLICY) if d.what == "restriction-end"] == []


# -- the mandatory copy -----------------------------------------------------------------------------------------------


def test_a_copy_is_preserved_for_what_the_law_packs_of_the_policy_s_jurisdictions_say():
    subject = given(*TRIAL).subject
    (preserved,) = custody.preserve_copies(subject, ["name-1", "unknown"], MARCH_5, POLICY, "r-1")
    assert (preserved.holdings, preserved.law, preserved.request) == (("name-1",), "SG/refused-copy", "r-1")
    assert preserved.until == start_of(day_of(MARCH_5, POLICY.time_zone) + timedelta(days=31), POLICY.time_zone)
    elsewhere = POLICY.model_copy(update={"jurisdictions": ("CN",)})
    assert custody.preserve_copies(subject, ["name-1"], MARCH_5, elsewhere) == ()
    assert custody.preserve_copies(Subject(subject.id), ["name-1"], MARCH_5, POLICY) == ()
