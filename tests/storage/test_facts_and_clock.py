"""What a store says of itself is said once; a simulated store has a clock that only moves forward."""

from __future__ import annotations

import pytest
from appends import MONDAY, days
from eventsourcing.persistence import IntegrityError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifecycle.storage import facts, simulated
from lifecycle.storage.database import Database
from lifecycle.storage.simulated import ClockGoesBack, NotSimulated, SimulatedClock


def test_facts_are_said_once(database: Database):
    with database.write("writer") as c:
        facts.state(c, {facts.SIMULATED: "yes", facts.ORIGIN: "lifecycle.example/acme"})
    with pytest.raises(IntegrityError), database.write("writer") as c:
        facts.state(c, {facts.SIMULATED: "no"})
    with database.read() as c:
        assert facts.stated(c) == {"simulated": "yes", "origin": "lifecycle.example/acme"}
        assert facts.is_simulated(c)


def test_a_store_that_says_nothing_is_not_simulated(database: Database):
    with database.read() as c:
        assert not facts.is_simulated(c)


def test_the_simulated_clock_stands_still_until_it_is_moved(database: Database):
    clock = SimulatedClock(database)
    with database.write("writer") as c:
        simulated.start(c, MONDAY)
    assert clock.now() == clock.now() == MONDAY
    with database.write("writer") as c:
        simulated.move(c, MONDAY + days(3))
        simulated.move(c, MONDAY + days(3))
    assert clock.now() == MONDAY + days(3)


def test_the_simulated_clock_never_goes_back(database: Database):
    with database.write("writer") as c:
        simulated.start(c, MONDAY)
    with pytest.raises(ClockGoesBack, match="2026-11-23"), database.write("writer") as c:
        simulated.move(c, MONDAY - days(1))
    assert SimulatedClock(database).now() == MONDAY


def test_an_ordinary_store_s_clock_is_nobody_s_to_set(database: Database):
    with pytest.raises(NotSimulated), database.write("writer") as c:
        simulated.move(c, MONDAY)
    with pytest.raises(NotSimulated):
        SimulatedClock(database).now()


def test_a_store_has_one_clock(database: Database):
    with database.write("writer") as c:
        simulated.start(c, MONDAY)
    with pytest.raises(IntegrityError), database.write("writer") as c:
        simulated.start(c, MONDAY + days(1))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(-3, 5), max_size=8))
def test_the_clock_stands_at_the_latest_instant_it_was_moved_to(database: Database, moves: list[int]):
    with database.own() as c:
        simulated.start(c, MONDAY)
        for move in moves:
            before = simulated.stored_time(c)
            try:
                simulated.move(c, before + days(move))
            except ClockGoesBack:
                assert move < 0
            assert simulated.stored_time(c) == max(before, before + days(move))
        c.rollback()
