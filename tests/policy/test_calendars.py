"""Working days: every day against another library, every count against a walker that knows no shortcut."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import holidays
import pytest
from chinese_calendar import constants
from hypothesis import given
from hypothesis import strategies as st

from examples import changed
from lifecycle.policy.calendars import (
    CalendarFaulty,
    NoSuchCalendar,
    is_newer,
    nth_after,
    nth_before,
    rests_between,
    worked_between,
)
from lifecycle.policy.countries import STANDARD, load_calendars, parse_own_days, published
from lifecycle.policy.deadlines import Clock
from lifecycle.policy.vocabulary import RequestKind

ONE_DAY = timedelta(days=1)
CN, SG = STANDARD.of("CN"), STANDARD.of("SG")
DAYS = st.dates(date(2024, 1, 1), date(2026, 12, 31))
CALENDARS = st.sampled_from([CN, SG])


def days_from(first: date, last: date) -> list[date]:
    return [first + timedelta(days=passed) for passed in range((last - first).days + 1)]


def test_china_works_on_the_very_days_that_another_library_knows():
    for day in days_from(date(2024, 1, 1), date(2026, 12, 31)):
        assert CN.is_worked(day) == chinese_calendar.is_workday(day), day


SINGAPORE_2026 = [
    (1, 1), (2, 17), (2, 18), (3, 21), (4, 3), (5, 1), (5, 27), (5, 31), (6, 1), (8, 9), (8, 10), (11, 8), (11, 9),
    (12, 25),
]  # fmt: skip
"""As gazetted, and the Mondays after Sundays."""


def test_singapore_rests_at_weekends_and_on_its_gazetted_holidays():
    gazetted = {date(2026, month, day) for month, day in SINGAPORE_2026}
    for day in days_from(date(2026, 1, 1), date(2026, 12, 31)):
        assert SG.is_worked(day) == (day.weekday() < 5 and day not in gazetted), day


@pytest.mark.parametrize(
    ("received", "china", "singapore"),
    [
        (date(2024, 2, 5), date(2024, 3, 1), date(2024, 2, 27)),  # over Lunar New Year; 18 February was worked in China
        (date(2025, 1, 20), date(2025, 2, 14), date(2025, 2, 12)),
        (date(2025, 9, 25), date(2025, 10, 22), date(2025, 10, 16)),  # over the National Day week
        (date(2026, 2, 9), date(2026, 3, 6), date(2026, 3, 4)),
        (date(2026, 9, 28), date(2026, 10, 23), date(2026, 10, 19)),
    ],
)
def test_fifteen_working_days_as_they_were_counted_by_hand(received: date, china: date, singapore: date):
    assert nth_after(CN, received, 15).day == china
    assert nth_after(SG, received, 15).day == singapore


@given(calendar=CALENDARS, day=DAYS, number=st.integers(1, 60))
def test_counting_is_what_a_walker_finds_day_by_day(calendar, day: date, number: int):
    walked, left, rests = day, number, []
    while left:
        walked += ONE_DAY
        if calendar.is_worked(walked):
            left -= 1
        else:
            rests.append(walked)
    found = nth_after(calendar, day, number)
    assert (found.day, list(found.skipped)) == (walked, rests)
    assert calendar.is_worked(found.day)
    assert worked_between(calendar, day, found.day) == number
    assert rests_between(calendar, day, found.day) == found.skipped
    assert worked_between(calendar, nth_before(calendar, found.day, number), found.day) == number


@given(calendar=CALENDARS, day=DAYS, number=st.integers(1, 40))
def test_a_later_receipt_is_never_answered_earlier(calendar, day: date, number: int):
    assert nth_after(calendar, day, number).day <= nth_after(calendar, day + ONE_DAY, number).day
    assert nth_after(calendar, day, number).day < nth_after(calendar, day, number + 1).day


def test_each_calendar_says_up_to_which_year_it_was_published():
    assert published() == {"SG": 2027, "CN": 2026}
    assert (SG.published_to, CN.published_to) == (2027, 2026)


def test_the_years_that_packs_call_published_are_those_of_which_other_libraries_have_the_announcement():
    """Singapore's moving holidays are marked where they are only estimated; of China the other library has exactly the
    years that the State Council has announced, which it learns from nothing else."""

    def estimated(year: int) -> list[str]:
        return [name for name in holidays.country_holidays("SG", years=year).values() if "estimated" in name]

    assert [bool(estimated(year)) for year in range(2020, SG.published_to + 2)] == [
        *[False] * (SG.published_to - 2019),
        True,
    ]
    announced = {day.year for day in (*constants.holidays, *constants.workdays)}
    assert max(announced) == CN.published_to
    assert any(day.year == CN.published_to and day.month == 10 for day in constants.holidays)  # to the end of the year


def test_a_deadline_beyond_what_was_published_is_provisional_on_the_first_day_of_it_and_not_before():
    for calendar in (SG, CN):
        last = date(calendar.published_to, 12, 31)
        policy = changed(('calendar = "SG"', f'calendar = "{calendar.id}"'))
        clock = Clock(policy, STANDARD)
        certain, beyond = (clock.limits(RequestKind.ENQUIRY, last - timedelta(days=before))[0] for before in (60, 3))
        assert (certain.provisional, beyond.provisional) == (False, True), calendar.id


def test_a_country_without_a_pack_has_no_calendar():
    with pytest.raises(NoSuchCalendar):
        STANDARD.of("NO")


# -- what an operator knows better -------------------------------------------------------------------------------

FILE = """
edition = 2

[SG]
closed = [{ day = 2026-05-04, reason = "Polling Day" }, 2026-05-05]
worked = [2026-05-09]

[CN]
published_to = 2027
closed = [2027-02-08, 2027-02-09]
"""


def test_an_operator_may_close_days_and_work_others_and_the_version_says_so():
    own = parse_own_days(FILE)
    singapore, china = own.of("SG"), own.of("CN")
    assert not singapore.is_worked(date(2026, 5, 4))
    assert not singapore.is_worked(date(2026, 5, 5))
    assert singapore.is_worked(date(2026, 5, 9))  # a Saturday
    assert singapore.is_worked(date(2026, 5, 6))
    assert not SG.is_worked(date(2026, 5, 9))
    assert china.published_to == 2027
    assert singapore.version.startswith(f"{SG.version}+2.")
    assert is_newer(singapore.version, SG.version)
    assert not is_newer(SG.version, singapore.version)


def test_a_later_edition_is_newer_whatever_the_library():
    assert is_newer("0.100+2.00000000", "0.109+1.ffffffff")
    assert is_newer("0.110", "0.109")
    assert is_newer("0.109.1", "0.109")
    assert not is_newer("0.109", "0.109")
    assert not is_newer("0.9", "0.10")


def test_the_file_is_read_from_where_it_lies(tmp_path):
    path = tmp_path / "days.toml"
    path.write_text(FILE, encoding="utf-8")
    assert load_calendars(path).of("SG").version == parse_own_days(FILE).of("SG").version
    assert load_calendars(None) is STANDARD
    with pytest.raises(CalendarFaulty, match="cannot be read"):
        load_calendars(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("edition = 1\n[CN]\nclosed = [2027-02-30]", "does not exist"),
        ("[CN]\nclosed = [2027-02-03]", "edition"),
        ("edition = 0\n[CN]\nclosed = [2027-02-03]", "edition"),
        ("edition = 1\n[CN]\nclosed = [2027-02-03]\nworked = [2027-02-03]", "closed and to be worked"),
        ("edition = 1\n[CN]\nclosed = ['2027-02-03']", "CN.closed.0"),
        ("edition = 1\n[CN]\nclosed = [2027-02-03T10:00:00]", "CN.closed.0"),
        ("edition = 1\n[CN]\nclosed = 2027-02-03", "CN.closed"),
        ("edition = 1\n[CN]\nshut = [2027-02-03]", "shut"),
        ("edition = 1\n[cn]\nclosed = []", "cn"),
        ("edition = 1\nCN = 3", "CN"),
        ("not toml", "TOML"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(text: str, why: str):
    with pytest.raises(CalendarFaulty, match=why) as faulty:
        parse_own_days(text)
    assert faulty.value.remedy


def test_an_unknown_calendar_in_the_file_is_refused():
    with pytest.raises(NoSuchCalendar):
        parse_own_days("edition = 1\n[NO]\nclosed = [2027-02-03]")


def test_a_calendar_without_a_working_day_for_a_month_is_refused():
    every = ", ".join(day.isoformat() for day in days_from(date(2026, 3, 1), date(2026, 4, 5)))
    with pytest.raises(CalendarFaulty, match="no working day"):
        parse_own_days(f"edition = 1\n[SG]\nclosed = [{every}]")


def test_counting_by_a_calendar_that_never_works_ends_with_a_word():
    class Never:
        id, version, published_to = "XX", "1", 2030

        def is_worked(self, day: date) -> bool:
            return False

    with pytest.raises(CalendarFaulty, match="no working day"):
        nth_after(Never(), date(2026, 1, 1), 1)
