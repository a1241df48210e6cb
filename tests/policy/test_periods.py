from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lifecycle.policy.periods import Period, RetentionRule, StatutoryMinimum, day_of, is_zone, start_of
from lifecycle.policy.vocabulary import CountsFrom

SHANGHAI = "Asia/Shanghai"
ZONES = [
    "Asia/Singapore",
    SHANGHAI,
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Pacific/Apia",
    "Asia/Beirut",
    "Australia/Lord_Howe",
]
periods = st.one_of(
    st.integers(1, 36_600).map(lambda days: Period(days=days)),
    st.integers(1, 1_200).map(lambda months: Period(months=months)),
)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("counted_from", "months", "last_day"),
    [
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2024, 8, 31), 6, date(2025, 2, 28)),
        (date(2024, 12, 31), 2, date(2025, 2, 28)),
        (date(2024, 7, 15), 24, date(2026, 7, 15)),
    ],
)
def test_a_month_that_is_too_short_ends_on_its_last_day(counted_from, months, last_day):
    assert Period(months=months).last_day(counted_from) == last_day


@pytest.mark.parametrize(
    ("counted_from", "days", "last_day"),
    [
        (date(2024, 2, 28), 1, date(2024, 2, 29)),
        (date(2025, 2, 28), 1, date(2025, 3, 1)),
        (date(2024, 1, 1), 366, date(2025, 1, 1)),
        (date(2024, 7, 15), 180, date(2025, 1, 11)),
    ],
)
def test_days_are_calendar_days_after_the_day_counted_from(counted_from, days, last_day):
    assert Period(days=days).last_day(counted_from) == last_day


def test_the_last_day_is_included_and_expiry_is_due_at_the_start_of_the_next():
    collected = datetime(2024, 8, 1, 2, 0, 5, tzinfo=UTC)  # 10:00:05 in Singapore
    due = Period(days=180).due(collected, "Asia/Singapore")
    assert due == datetime(2025, 1, 29, tzinfo=ZoneInfo("Asia/Singapore"))
    assert due == datetime(2025, 1, 28, 16, tzinfo=UTC)


def test_the_day_is_the_policy_s_not_utc_s():
    late = datetime(2026, 3, 1, 17, tzinfo=UTC)  # already 2 March in Shanghai
    assert day_of(late, SHANGHAI) == date(2026, 3, 2)
    assert day_of(late, "UTC") == date(2026, 3, 1)
    assert Period(days=1).due(late, SHANGHAI) == datetime(2026, 3, 3, 16, tzinfo=UTC)
    assert Period(days=1).due(late, "UTC") == datetime(2026, 3, 3, tzinfo=UTC)


def test_the_last_instant_of_a_day_and_the_first_of_the_next_differ_by_a_day():
    midnight = start_of(date(2024, 8, 2), SHANGHAI)
    before = midnight - timedelta(microseconds=1)
    assert Period(months=1).due(midnight, SHANGHAI) - Period(months=1).due(before, SHANGHAI) == timedelta(days=1)


def test_a_day_whose_midnight_the_clocks_skip_starts_when_it_starts():
    day = date(2018, 11, 4)  # Sao Paulo went from 00:00 to 01:00
    start = start_of(day, "America/Sao_Paulo")
    assert start.astimezone(ZoneInfo("America/Sao_Paulo")).hour == 1
    assert day_of(start, "America/Sao_Paulo") == day
    assert day_of(start - timedelta(microseconds=1), "America/Sao_Paulo") == date(2018, 11, 3)


@given(periods, instants, st.sampled_from(ZONES))
def test_due_is_strictly_after_the_start_and_a_start_of_a_day(period, start, zone):
    due = period.due(start, zone)
    assert due > start
    assert day_of(due - timedelta(microseconds=1), zone) < day_of(due, zone)


@given(periods, instants, instants, st.sampled_from(ZONES))
def test_who_starts_later_is_never_due_earlier(period, one, other, zone):
    earlier, later = sorted([one, other])
    assert period.due(earlier, zone) <= period.due(later, zone)


@given(st.integers(1, 400), instants)
def test_a_month_more_is_never_due_earlier(months, start):
    assert Period(months=months).due(start, SHANGHAI) < Period(months=months + 1).due(start, SHANGHAI)


@given(periods, instants, st.sampled_from(ZONES))
def test_the_whole_last_day_is_included(period, start, zone):
    last = period.last_day(day_of(start, zone))
    assert period.due(start, zone) > start_of(last, zone)
    assert day_of(period.due(start, zone), zone) > last


SENSELESS = [
    {},
    {"days": 1, "months": 1},
    {"days": 0},
    {"days": -1},
    {"months": 0},
    {"days": 1.5},
    {"days": 1.0},
    {"days": "1"},
    {"years": 1},
]


@pytest.mark.parametrize("senseless", SENSELESS, ids=str)
def test_there_is_no_zero_no_negative_no_fraction_and_no_for_ever(senseless):
    with pytest.raises(ValidationError):
        Period.model_validate(senseless)


@given(
    st.builds(Period, days=st.integers(1, 1_500)) | st.builds(Period, months=st.integers(1, 50)),
    st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    st.integers(-3, 3) | st.integers(-1_500, 1_500),
    st.sampled_from(ZONES),
)
def test_what_began_before_that_instant_is_over_now_and_nothing_else(period, now, days, zone):
    bound = period.over_if_begun_before(now, zone)
    for begun in (bound - timedelta(microseconds=1), bound, bound + timedelta(days=days)):
        assert (period.due(begun, zone) <= now) is (begun < bound)


def test_a_rule_without_a_period_is_never_due():
    rule = RetentionRule(name="x@1", counts_from=CountsFrom.COLLECTION, period=None, zone=SHANGHAI)
    assert rule.due(datetime(2024, 1, 1, tzinfo=UTC)) is None


def test_a_statutory_minimum_counts_from_the_end_of_the_ground():
    minimum = StatutoryMinimum(law="some-law", period=Period(months=36), zone="Asia/Singapore")
    ended = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert minimum.until(ended) == datetime(2027, 2, 28, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        *("Nowhere", "../secret", "/etc/passwd", "", "Asia", "zone.tab", "tzdata.zi", "posixrules", "a\0b"),
        *("posix/UTC", "right/Asia/Shanghai", "Asia/Shanghai/", "Asia//Shanghai", "Asia/\ud800"),
    ],
)
def test_what_the_iana_database_does_not_list_is_no_zone(name):
    assert not is_zone(name)


def test_every_zone_of_the_iana_database_is_one():
    assert all(is_zone(name) for name in available_timezones())


@given(period=periods, zone=st.sampled_from(ZONES), counted_from=instants)
def test_what_cannot_be_over_is_told_without_a_calendar_and_never_wrongly(period, zone, counted_from):
    rule = RetentionRule(name="x@1", counts_from=CountsFrom.LAST_ACTIVITY, period=period, zone=zone)
    due = rule.due(counted_from)
    assert due is not None
    assert rule.may_be_over(counted_from, due)
    assert not rule.may_be_over(counted_from, counted_from + timedelta(hours=-1))
    sure = rule.not_over_before(counted_from)
    assert sure is not None
    assert sure <= due
    assert rule.may_be_over(counted_from, sure)
    assert not rule.may_be_over(counted_from, sure - timedelta(microseconds=1))
    assert not RetentionRule(name="x@1", counts_from=CountsFrom.COLLECTION, period=None, zone=zone).may_be_over(
        counted_from, due
    )
