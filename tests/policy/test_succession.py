"""Which published version is in force. Policy clauses 9.1 and 9.2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from examples import changed, sg
from lifecycle.policy.succession import in_force

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
