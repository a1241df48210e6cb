"""One worker leads at a time, known by a number; whoever is dead or asleep is followed by the next, and writes nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from engine.stores import count_of
from postgres import on_postgresql, on_sqlite
from schedule.leading import dies, leads_soon, lease_runs_out
from sqlalchemy import insert, select, text, update

from lifecycle.errors import StoreUnavailable
from lifecycle.schedule.leader import LeaseLeader, leader_of
from lifecycle.storage.database import Database, Role
from lifecycle.storage.leases import LeadLost
from lifecycle.storage.tables import lease, store_facts

BRIEF = timedelta(seconds=0.3)


def number_of(leader: LeaseLeader) -> int:
    assert leader.term is not None
    return leader.term.number


def test_one_leads_until_it_steps_down(database: Database):
    with leader_of(database) as first, leader_of(database) as second:
        assert first.leads()
        assert not second.leads()
        assert first.leads()  # it goes on leading, however often it is asked
        first.step_down()
        assert leads_soon(second)
        assert not first.leads()
    with leader_of(database) as third:
        assert leads_soon(third)


@pytest.mark.parametrize("goes", [dies, lambda database, _: lease_runs_out(database)], ids=["dead", "asleep"])
def test_who_is_dead_or_asleep_finds_another_in_its_place_within_a_second(
    database: Database, goes: Callable[[Database, LeaseLeader], None]
):
    with leader_of(database) as first, leader_of(database) as second:
        assert first.leads()
        assert not second.leads()
        goes(database, first)
        assert leads_soon(second)
        assert not first.leads()
        assert second.leads()
        assert number_of(second) == 2


def test_every_term_has_a_greater_number_however_the_one_before_it_ended(database: Database):
    numbers = []
    for goes in (lambda *_: None, dies, lambda database, _: lease_runs_out(database), dies):
        leader = LeaseLeader(database)
        assert leads_soon(leader)
        numbers.append(number_of(leader))
        goes(database, leader)
        leader.step_down()
    assert numbers == [1, 2, 3, 4]


def test_eight_that_begin_at_once_have_one_leader(database: Database):
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        leaders = [stack.enter_context(leader_of(database)) for _ in range(8)]
        for _ in range(5):
            answers = list(pool.map(LeaseLeader.leads, leaders))
            assert answers.count(True) <= 1
            assert all(leads_soon(leader) for leader in leaders if leader.term is not None)
        assert sum(leader.leads() for leader in leaders) == 1
    assert count_of(database, lease) == 1


ROLES: tuple[Role, ...] = ("writer", "sequencer", "eraser", "expunger", "projector")


@pytest.mark.parametrize("role", ROLES)
def test_what_an_old_leader_writes_late_is_refused_whatever_it_writes(database: Database, other: Database, role: Role):
    with leader_of(database) as old, leader_of(other) as new:
        assert old.leads()
        with old.acting():
            with database.write(role) as c:
                c.execute(select(1))
            lease_runs_out(other)
            assert new.leads()
            with pytest.raises(LeadLost, match="Another process has taken over"), database.write(role) as c:
                c.execute(select(1))
        with new.acting(), other.write(role) as c:
            c.execute(select(1))


@pytest.fixture
def other(database_url: str) -> Iterator[Database]:
    """The same store, as another process opens it."""
    db = Database(database_url)
    yield db
    db.close()


def test_what_was_refused_has_left_nothing(database: Database):
    with leader_of(database) as old, leader_of(database) as new:
        assert old.leads()
        lease_runs_out(database)
        assert new.leads()
        with pytest.raises(LeadLost), old.acting(), database.write("writer") as c:
            c.execute(insert(store_facts).values(name="late", value="yes"))
        assert count_of(database, store_facts, store_facts.c.name == "late") == 0


def test_who_does_not_lead_cannot_act_as_the_leader(database: Database):
    leader = LeaseLeader(database)
    with pytest.raises(LeadLost), leader.acting():
        raise AssertionError("never")


@on_postgresql
def test_none_takes_over_between_the_question_and_the_commit(database: Database):
    """The row of the lease is shared until the write is committed; who wants to take over looks again later."""
    with leader_of(database) as old, leader_of(database) as new:
        assert old.leads()
        lease_runs_out(database)
        assert old.term is not None
        with database.write("sequencer") as c:
            old.term.hold(c)
            assert not new.leads()
        assert new.leads()


@on_postgresql
def test_who_falls_asleep_in_the_middle_of_a_write_is_cut_off(database_url: str, other: Database):
    """It may hold what all others wait for, the lease itself among it."""
    sleeper = Database(database_url, idle_seconds=0.2)
    with pytest.raises(StoreUnavailable, match="stood still"):
        writes_asleep(sleeper)
    assert count_of(other, store_facts, store_facts.c.name == "late") == 0
    with leader_of(other) as new:
        assert new.leads()
    sleeper.close()


def writes_asleep(database: Database) -> None:
    with database.write("writer") as c:
        c.execute(insert(store_facts).values(name="late", value="yes"))
        time.sleep(0.6)
        c.execute(select(1))


def test_a_long_duty_keeps_the_lead(database: Database):
    """Its heart beats while it acts, so that a lease may be much shorter than a sweep."""
    with leader_of(database, BRIEF) as first, leader_of(database, BRIEF) as second:
        assert first.leads()
        with first.acting():
            over = time.monotonic() + 3 * BRIEF.total_seconds()
            while time.monotonic() < over and first.term is not None:
                with database.read() as c:
                    until = c.execute(select(lease.c.until)).scalar_one()
                time.sleep(0.02)
        assert until > datetime.now(UTC) - timedelta(minutes=1)
        assert number_of(first) == 1
        first._renewed = 0.0
        assert first.leads()
        assert number_of(first) == 1
        assert not second.leads()


def test_a_lease_that_ends_later_than_any_that_begins_now_is_over(database: Database):
    """A clock was set back: otherwise nobody would lead for as long."""
    with leader_of(database) as first, leader_of(database) as second:
        assert first.leads()
        with database.write("sequencer") as c:
            c.execute(update(lease).values(until=datetime.now(UTC) + timedelta(hours=1)))
        assert second.leads()
        assert not first.leads()


@on_postgresql
def test_waiting_for_the_lead_takes_no_connection(database: Database):
    with leader_of(database) as first, leader_of(database) as second:
        assert first.leads()
        before = database.engine.pool.checkedout()  # type: ignore[attr-defined]
        assert not any(second.leads() for _ in range(20))
        assert database.engine.pool.checkedout() == before  # type: ignore[attr-defined]


@on_postgresql
def test_a_server_that_cannot_be_reached_is_told_in_our_words(database: Database):
    nowhere = Database(re.sub(r"host=[^&]*", "host=/nowhere", database.url))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        LeaseLeader(nowhere).leads()


@on_postgresql
def test_the_end_of_a_lease_is_told_by_the_servers_clock(database: Database):
    with leader_of(database) as first:
        assert first.leads()
        with database.own() as c:
            now = c.execute(text("SELECT clock_timestamp()")).scalar_one()
            until = c.execute(select(lease.c.until)).scalar_one()
    assert timedelta(seconds=25) < until - now <= timedelta(seconds=30)


@on_sqlite
def test_a_folder_that_cannot_be_written_has_no_leader_and_says_so(database: Database):
    assert database.path is not None
    leader = LeaseLeader(database)
    leader._presence._path = database.path / "leader"  # type: ignore[attr-defined]
    with pytest.raises(StoreUnavailable, match="who leads"):
        leader.leads()
    assert count_of(database, lease) == 0


def test_stepping_down_gives_back_only_ones_own_lease(database: Database):
    with leader_of(database) as first, leader_of(database) as second:
        assert first.leads()
        second.step_down()
        assert first.leads()
        assert not second.leads()
        assert number_of(first) == 1
