"""Retention: never early, never late, each ground once. Policy clause 5; settled rules 20, 21, 28."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from scenario import (
    Given,
    collecting_,
    consenting,
    erasing,
    given,
    linking,
    registered,
    sharing_,
    time_passing,
    using,
    withdrawing,
)

from examples import (
    ADDRESS,
    AGREEMENT,
    BROWSING_DUE,
    EMAIL,
    MARCH_1,
    MARCH_2,
    MARCH_5,
    POLICY,
    TRIAL_DUE,
    UDESK,
    days,
    sg,
)
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.settling import Due, calendar, next_instant

MOMENT = timedelta(microseconds=1)


def browsing() -> Given:
    return given(consenting("website-browsing"), collecting_(ADDRESS, purpose="website-browsing"))


def trial() -> Given:
    return given(consenting(), collecting_(EMAIL))


def expired(due: datetime, done: datetime, due_on: date, done_on: date) -> e.RetentionExpired:
    return e.RetentionExpired(
        occurred_at=done,
        holding="ip-address-1",
        ground=1,
        purpose="website-browsing",
        rule="website-browsing@1.0",
        due=due,
        due_on=due_on,
        done_on=done_on,
    )


def test_the_last_day_of_a_period_is_the_policy_s_day_and_included():
    before = browsing().when(time_passing(BROWSING_DUE - MOMENT))
    before.then_nothing()
    browsing().when(time_passing(BROWSING_DUE)).then(
        expired(BROWSING_DUE, BROWSING_DUE, date(2025, 8, 29), date(2025, 8, 29)),
        e.ErasureOrdered(occurred_at=BROWSING_DUE, ground="retention", holdings=("ip-address-1",)),
    )


def test_the_day_of_collection_is_the_policy_s_day_not_utc_s():
    """Eleven in the evening in UTC is the next day in Singapore."""
    late = datetime.fromisoformat("2025-03-01T23:00:00+00:00")
    past = given(consenting("website-browsing"), collecting_(ADDRESS, purpose="website-browsing", at=late))
    assert next_instant(past.subject, POLICY) == sg(2025, 8, 30)


def test_a_sweep_that_was_down_for_a_month_says_when_it_was_due_and_when_it_was_done():
    late = BROWSING_DUE + days(31)
    browsing().when(time_passing(late)).then(
        expired(BROWSING_DUE, late, date(2025, 8, 29), date(2025, 9, 29)),
        e.ErasureOrdered(occurred_at=late, ground="retention", holdings=("ip-address-1",)),
    )


def test_a_ground_is_over_at_its_due_instant_although_nobody_swept():
    past = browsing()
    assert past.live("ip-address-1", BROWSING_DUE - MOMENT) == [("website-browsing", "consent")]
    assert past.live("ip-address-1", BROWSING_DUE) == []


def test_a_second_sweep_finds_nothing():
    after = browsing().and_then(time_passing(BROWSING_DUE))
    after.when(time_passing(BROWSING_DUE)).then_nothing()
    after.when(time_passing(BROWSING_DUE + days(20))).then_nothing()


def test_an_expiry_of_one_ground_leaves_the_holding_to_the_other():
    past = given(
        consenting("quotation", "customer-service"),
        collecting_(EMAIL, purpose="quotation"),
        collecting_(EMAIL, purpose="customer-service"),
    )
    after = past.when(time_passing(sg(2026, 3, 2))).then_kinds(e.RetentionExpired)
    assert after.live("email-1", sg(2026, 3, 2)) == [("customer-service", "consent")]
    end = sg(2028, 3, 2)
    assert after.and_then(time_passing(end)).state("email-1", end) == "erased"


def test_activity_moves_a_period_that_counts_from_it():
    after = trial().when(using(at=MARCH_5)).then(e.ActivityRecorded(occurred_at=MARCH_5, purpose="free-trial"))
    assert after.subject.end_of(after.subject.holdings["email-1"].grounds[0]) == sg(2027, 3, 6)


def test_activity_does_not_move_a_period_that_counts_from_collection():
    after = browsing().and_then(using("website-browsing", at=MARCH_5))
    assert after.subject.end_of(after.subject.holdings["ip-address-1"].grounds[0]) == BROWSING_DUE


def test_an_older_activity_is_nothing():
    past = trial().and_then(using(at=MARCH_5))
    past.when(using(at=MARCH_2).recorded_on(MARCH_5)).then_nothing()
    past.when(using(at=MARCH_5)).then_nothing()


def test_a_collection_is_an_activity_of_its_purpose():
    past = trial().and_then(collecting_({"company": "Acme"}, at=MARCH_5))
    assert past.subject.end_of(past.subject.holdings["email-1"].grounds[0]) == sg(2027, 3, 6)
    past.when(using(at=MARCH_2).recorded_on(MARCH_5)).then_nothing()


def test_activity_for_a_purpose_without_data_is_nothing():
    given(consenting()).when(using(at=MARCH_5)).then_nothing()


def test_activity_for_an_unknown_purpose_is_refused():
    trial().when(using("resale")).then_refused(r.UnknownPurpose)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=5), days(40)])
def test_activity_at_or_after_the_due_instant_never_revives_a_ground(late: timedelta):
    """Nobody swept in between."""
    at = TRIAL_DUE + late
    after = trial().and_then(using(at=at))
    assert after.live("email-1", at) == []
    swept = after.and_then(time_passing(at))
    assert swept.state("email-1", at) == "erased"
    (expiry,) = [event for event, _ in swept.life.history if isinstance(event, e.RetentionExpired)]
    assert expiry.due == TRIAL_DUE


def test_an_activity_dated_before_the_due_instant_but_recorded_after_it_comes_too_late():
    after = trial().and_then(using(at=TRIAL_DUE - days(3)).recorded_on(TRIAL_DUE))
    assert after.live("email-1", TRIAL_DUE) == []


def test_a_collection_at_the_due_instant_begins_a_ground_of_its_own():
    after = trial().and_then(collecting_(EMAIL, at=TRIAL_DUE))
    assert after.live("email-1", TRIAL_DUE) == []
    assert after.live("email-2", TRIAL_DUE) == [("free-trial", "consent")]
    swept = after.and_then(time_passing(TRIAL_DUE))
    assert (swept.state("email-1", TRIAL_DUE), swept.state("email-2", TRIAL_DUE)) == ("erased", "held")


def test_a_share_after_the_due_instant_is_refused_although_nobody_swept():
    lasting = replace(UDESK, agreements=(replace(AGREEMENT, ends=date(2030, 1, 1)),))
    trial().when(sharing_("email", trustee=lasting, at=TRIAL_DUE - MOMENT)).then_kinds(e.PersonalDataShared)
    trial().when(sharing_("email", trustee=lasting, at=TRIAL_DUE)).then_refused(r.HoldingRestricted)


# -- the calendar, and the person altogether ---------------------------------------------------------------------------


def test_the_calendar_names_what_is_due_for_what():
    past = browsing()
    assert calendar(past.subject, POLICY) == (
        Due("retention", BROWSING_DUE, "ip-address-1", 1, "website-browsing", "website-browsing@1.0"),
    )


def test_nobody_has_no_calendar():
    assert next_instant(given().subject, POLICY) is None
    given().when(time_passing(TRIAL_DUE)).then_nothing()


def test_identifiers_go_thirty_days_after_the_last_event_when_nothing_is_left():
    past = given(registered(), linking("i1"), consenting(), collecting_(EMAIL), withdrawing(at=MARCH_5))
    due = sg(2025, 4, 5)  # thirty whole days after 5 March; the last one is 4 April
    assert next_instant(past.subject, POLICY) == due
    past.when(time_passing(due - MOMENT)).then_nothing()
    past.when(time_passing(due)).then(e.ErasureOrdered(occurred_at=due, ground="identifiers", holdings=(), whole=True))


def test_a_consent_in_force_keeps_the_identifiers():
    past = given(registered(), linking("i1"), consenting())
    assert next_instant(past.subject, POLICY) is None
    past.when(time_passing(sg(2040, 1, 1))).then_nothing()


def test_an_event_keeps_the_identifiers_for_thirty_days_more():
    past = given(registered(), linking("i1", at=MARCH_1), linking("i2", at=MARCH_5))
    assert next_instant(past.subject, POLICY) == sg(2025, 4, 5)


def test_after_the_order_time_brings_nothing_more():
    past = given(registered(), linking("i1"), erasing("7.3e", at=MARCH_2))
    assert next_instant(past.subject, POLICY) is None
    past.when(time_passing(sg(2040, 1, 1))).then_nothing()


def test_what_was_erased_has_been_held_until_then():
    past = browsing().and_then(time_passing(BROWSING_DUE))
    holding = past.subject.holdings["ip-address-1"]
    assert past.subject.live_grounds(holding, MARCH_5)
    assert not past.subject.live_grounds(holding, BROWSING_DUE)
    assert holding.since == MARCH_1
