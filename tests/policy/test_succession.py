"""Which published version is in force. Policy clauses 9.1 and 9.2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from examples import changed, sg
from lifecycle.policy.succession import Acquaintance, in_force, takes_effect

TODAY = "effective = 2024-07-15"
FIRST = changed()
SECOND = changed(('version = "1.0"', 'version = "1.1"'), (TODAY, "effective = 2025-01-01"))
SAME_DAY = changed(('version = "1.0"', 'version = "1.2"'), (TODAY, "effective = 2025-01-01"))
BACK_DATED = changed(('version = "1.0"', 'version = "1.3"'), (TODAY, "effective = 2024-12-01"))


def test_a_version_is_in_force_from_the_first_instant_of_its_day_in_its_time_zone():
    begins = sg(2025, 1, 1)
    assert in_force([FIRST, SECOND], begins - timedelta(microseconds=1)) is FIRST
    assert in_force([FIRST, SECOND], begins) is SECOND
    assert in_force([FIRST, SECOND], datetime(2024, 1, 1, tzinfo=UTC)) is None


def test_of_two_that_take_effect_on_one_day_the_one_published_last_is_in_force():
    assert in_force([FIRST, SECOND, SAME_DAY], sg(2025, 6, 1)) is SAME_DAY
    assert in_force([FIRST, SAME_DAY, SECOND], sg(2025, 6, 1)) is SECOND


def test_a_later_publication_that_takes_effect_earlier_replaces_nothing_that_took_effect_after_it():
    assert in_force([FIRST, SECOND, BACK_DATED], sg(2025, 6, 1)) is SECOND
    assert in_force([FIRST, SECOND, BACK_DATED], sg(2024, 12, 15)) is BACK_DATED


# -- for one person ------------------------------------------------------------------------------------------------

BEGUN = sg(2024, 8, 1)
ALL = [FIRST, SECOND]


def test_a_version_binds_a_person_from_its_day_or_the_notice_whichever_is_later():
    told_before = Acquaintance(BEGUN, {"1.1": sg(2024, 12, 1)})
    assert told_before.since(SECOND) == sg(2025, 1, 1)
    told_after = Acquaintance(BEGUN, {"1.1": sg(2025, 2, 1)})
    assert told_after.since(SECOND) == sg(2025, 2, 1)
    assert told_after.in_force(ALL, sg(2025, 1, 31)) is FIRST
    assert told_after.in_force(ALL, sg(2025, 2, 1)) is SECOND


def test_who_was_not_told_stays_under_the_version_that_they_began_with():
    untold = Acquaintance(BEGUN, {})
    assert untold.since(SECOND) is None
    assert untold.in_force(ALL, sg(2030, 1, 1)) is FIRST
    assert untold.revisions(ALL) == []


def test_who_came_when_it_was_in_force_never_knew_an_older_one():
    late = Acquaintance(sg(2025, 1, 1), {})
    assert late.in_force(ALL, sg(2025, 1, 1)) is SECOND
    assert late.revisions(ALL) == []
    assert Acquaintance(None, {}).in_force(ALL, sg(2025, 6, 1)) is SECOND


def test_a_person_may_pass_over_a_version_of_which_nobody_told_them():
    third = changed(('version = "1.0"', 'version = "2.0"'), (TODAY, "effective = 2025-06-01"))
    known = Acquaintance(BEGUN, {"2.0": sg(2025, 5, 1)})
    (revision,) = known.revisions([FIRST, SECOND, third])
    assert (revision.policy, revision.since) == (third, sg(2025, 6, 1))
    assert revision.not_older == {"2.0"}


def test_revisions_come_in_the_order_in_which_they_came_into_force_and_each_says_what_is_not_older():
    third = changed(('version = "1.0"', 'version = "2.0"'), (TODAY, "effective = 2025-06-01"))
    known = Acquaintance(BEGUN, {"2.0": sg(2024, 12, 20), "1.1": sg(2024, 12, 1)})
    first, second = known.revisions([FIRST, SECOND, third])
    assert [first.policy, second.policy] == [SECOND, third]
    assert (first.not_older, second.not_older) == ({"1.1", "2.0"}, {"2.0"})


def test_who_is_told_of_a_replaced_version_is_not_set_back():
    third = changed(('version = "1.0"', 'version = "2.0"'), (TODAY, "effective = 2025-06-01"))
    known = Acquaintance(BEGUN, {"2.0": sg(2025, 5, 1), "1.1": sg(2025, 7, 1)})
    assert known.in_force([FIRST, SECOND, third], sg(2025, 8, 1)) is third
    assert [each.policy for each in known.revisions([FIRST, SECOND, third])] == [third]


DAYS = st.integers(0, 400).map(lambda day: BEGUN + timedelta(days=day))


@given(told=st.dictionaries(st.sampled_from(["1.1", "1.2", "1.3"]), DAYS), at=DAYS)
def test_what_is_in_force_for_a_person_is_in_effect_and_known_to_them(told: dict[str, datetime], at: datetime):
    published = [FIRST, SECOND, SAME_DAY, BACK_DATED]
    known = Acquaintance(BEGUN, told)
    found = known.in_force(published, at)
    assert found is not None
    assert takes_effect(found) <= at
    assert found is FIRST or told[found.version] <= at
    come = [each for each in known.revisions(published) if each.since <= at]
    assert found is (come[-1].policy if come else FIRST)
