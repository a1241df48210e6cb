"""Until when a request is answered: the policy's promise, the law's limit, pauses, extensions, provisional days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import POLICY, changed, sg
from lifecycle.policy.calendars import worked_between
from lifecycle.policy.countries import STANDARD, parse_own_days
from lifecycle.policy.deadlines import Clock, Deadline, as_recorded
from lifecycle.policy.vocabulary import RequestKind

ACCESS = RequestKind.ACCESS
BY_CHINA = changed(('calendar = "SG"', 'calendar = "CN"'))
SLOW = changed(("days = 15", "days = 60"))
EUROPEAN = changed(("days = 15", "days = 60"), ('jurisdictions = ["SG", "CN"]', 'jurisdictions = ["EU"]'))
FEBRUARY_9 = date(2026, 2, 9)
DAYS = st.dates(date(2024, 1, 1), date(2026, 11, 1))


def clock(policy=POLICY, calendars=STANDARD) -> Clock:
    return Clock(policy, calendars)


def binding(policy=POLICY, received_on: date = FEBRUARY_9) -> Deadline:
    return clock(policy).limits(ACCESS, received_on)[0]


def test_the_promise_is_fifteen_working_days_over_lunar_new_year():
    found = binding()
    assert (found.rule, found.unit, found.number, found.calendar) == ("policy@1.0", "working-days", 15, "SG")
    assert found.due_on == date(2026, 3, 4)
    assert found.due == sg(2026, 3, 5)  # the last day is included
    assert {date(2026, 2, 17), date(2026, 2, 18)} <= set(found.skipped)
    assert binding(BY_CHINA).due_on == date(2026, 3, 6)


def test_a_request_received_on_a_holiday_counts_from_that_day():
    """16 February 2026 is a working day, the 17th and the 18th are Lunar New Year: the 19th is the first to count."""
    for received_on in (date(2026, 2, 16), date(2026, 2, 17), date(2026, 2, 18)):
        assert binding(received_on=received_on).due_on == date(2026, 3, 11)
    assert binding(received_on=date(2026, 2, 19)).due_on == date(2026, 3, 12)


def test_it_is_warned_of_while_three_working_days_are_left():
    assert binding().warn == sg(2026, 3, 2)  # Monday; the last day is Wednesday


def test_the_policy_s_own_number_holds_where_it_is_stricter():
    assert {each.rule for each in clock().limits(ACCESS, FEBRUARY_9)} == {"policy@1.0", "SG.response"}
    assert binding().rule == "policy@1.0"


def test_law_shortens_what_the_policy_promises():
    found = binding(SLOW)
    assert (found.rule, found.unit, found.number) == ("SG.response", "days", 30)
    assert found.due_on == FEBRUARY_9 + timedelta(days=30)


@pytest.mark.parametrize(
    ("received_on", "due_on"),
    [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2024, 1, 31), date(2024, 2, 29)),
        (date(2026, 2, 28), date(2026, 3, 28)),
        (date(2026, 12, 31), date(2027, 1, 31)),
    ],
)
def test_a_month_of_european_law_ends_on_the_last_day_of_a_shorter_one(received_on: date, due_on: date):
    found = binding(EUROPEAN, received_on)
    assert (found.rule, found.due_on) == ("EU.response", due_on)
    assert not found.provisional  # a calendar month needs no list of holidays


def test_guidance_binds_nobody():
    """China's fifteen and thirty days are guidance: `policy check` warns of them, no deadline is cut by them."""
    chinese = changed(("days = 15", "days = 60"), ('jurisdictions = ["SG", "CN"]', 'jurisdictions = ["CN"]'))
    assert [each.rule for each in clock(chinese).limits(ACCESS, FEBRUARY_9)] == ["policy@1.0"]


@given(received_on=DAYS, days=st.integers(1, 90))
def test_law_only_ever_shortens(received_on: date, days: int):
    policy = POLICY.model_copy(update={"response_times": POLICY.response_times.model_copy(update={"days": days})})
    promised = clock(policy).counted("policy@1.0", "working-days", days, received_on)
    assert binding(policy, received_on).due <= promised.due
    assert binding(policy, received_on).due_on <= received_on + timedelta(days=30)


# -- pauses --------------------------------------------------------------------------------------------------------


@given(received_on=DAYS, waited=st.integers(0, 20), rested=st.integers(0, 30))
def test_what_was_left_before_a_pause_is_left_after_it(received_on: date, waited: int, rested: int):
    before = clock().counted("policy@1.0", "working-days", 15, received_on)
    paused_on = min(received_on + timedelta(days=waited), before.due_on - timedelta(days=1))
    resumed_on = paused_on + timedelta(days=rested)
    (after,) = clock().resumed([before], paused_on, resumed_on)
    calendar = STANDARD.of("SG")
    left = worked_between(calendar, paused_on, before.due_on)
    assert worked_between(calendar, resumed_on, after.due_on) == left
    assert after.due_on >= before.due_on
    if rested == 0:
        assert after == before


def test_days_of_law_stand_still_too():
    limits = clock(SLOW).limits(ACCESS, FEBRUARY_9)
    resumed = clock(SLOW).resumed(limits, date(2026, 2, 10), date(2026, 2, 20))
    assert resumed[0].rule == "SG.response"
    assert resumed[0].due_on == limits[0].due_on + timedelta(days=10)


# -- extensions ------------------------------------------------------------------------------------------------------


def test_european_law_allows_two_further_months_and_no_more():
    assert clock(EUROPEAN).latest_extension(date(2026, 1, 31), date(2026, 2, 28), 0) == date(2026, 4, 30)
    assert clock(EUROPEAN).latest_extension(date(2026, 1, 31), date(2026, 2, 28), 5) == date(2026, 5, 5)


def test_a_policy_may_bound_extensions_itself_and_otherwise_nothing_does():
    bounded = changed(("days = 15", "days = 15\nextension_days = 5"))
    assert clock(bounded).latest_extension(FEBRUARY_9, date(2026, 3, 4), 0) == date(2026, 3, 11)
    assert clock().latest_extension(FEBRUARY_9, date(2026, 3, 4), 0) is None


# -- days that are only expected --------------------------------------------------------------------------------------


def test_a_day_beyond_the_published_year_is_provisional():
    assert binding(BY_CHINA, date(2026, 12, 21)).provisional
    assert not binding(BY_CHINA, date(2026, 12, 1)).provisional
    assert not binding(POLICY, date(2026, 12, 21)).provisional  # Singapore has announced 2027


ANNOUNCED = "edition = 1\n[CN]\npublished_to = 2027\nclosed = [2027-01-04]\nworked = [2027-01-02]\n"
"""As if the year had been announced: a Monday off, and a Saturday worked instead."""


def test_it_is_counted_again_by_a_newer_calendar_and_by_no_other():
    expected = binding(BY_CHINA, date(2026, 12, 21))
    newer = clock(BY_CHINA, parse_own_days(ANNOUNCED))
    assert newer.is_outdated(expected)
    assert not clock(BY_CHINA).is_outdated(expected)
    (counted,) = newer.recounted([expected])
    assert not counted.provisional
    assert date(2027, 1, 4) in counted.skipped
    assert date(2027, 1, 2) not in counted.skipped
    assert not clock(BY_CHINA).is_outdated(counted)


def test_a_certain_day_never_moves_whatever_the_calendar_learns():
    certain = binding()
    closed = parse_own_days("edition = 9\n[SG]\nclosed = [2026-02-20, 2026-02-23]\n")
    assert not clock(POLICY, closed).is_outdated(certain)
    assert clock(POLICY, closed).recounted([certain]) == (certain,)


def test_a_deadline_remembers_enough_to_be_counted_again_without_its_calendar():
    """The calendar of later programs may say otherwise of these days: what was recorded holds."""
    odd = parse_own_days("edition = 3\n[SG]\nclosed = [2026-02-20]\n")
    recorded = clock(POLICY, odd).limits(ACCESS, FEBRUARY_9)
    assert recorded[0].due_on > binding().due_on
    assert Clock(POLICY, as_recorded(recorded, ())).limits(ACCESS, FEBRUARY_9) == recorded
