"""One worker ticks at a time; when it dies, the next one takes over at once, or when its lease has run out."""

from __future__ import annotations

import re

import pytest
from engine.stores import count_of
from postgres import on_postgresql, on_sqlite
from schedule.leading import leads_soon, lease_runs_out, loses_the_lead

from lifecycle.errors import StoreUnavailable
from lifecycle.schedule.leader import AdvisoryLeader, LeaseLeader, leader_of
from lifecycle.storage.database import Database
from lifecycle.storage.tables import lease


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


def test_who_lost_the_lead_finds_another_in_its_place_within_a_second(database: Database):
    with leader_of(database) as first, leader_of(database) as second:
        assert first.leads()
        assert not second.leads()
        loses_the_lead(database, first)
        assert leads_soon(second)
        assert not first.leads()
        assert second.leads()


@on_postgresql
def test_waiting_for_the_lead_takes_no_connection(database: Database):
    first, second = AdvisoryLeader(database), AdvisoryLeader(database)
    try:
        assert first.leads()
        before = database.engine.pool.checkedout()  # type: ignore[attr-defined]
        assert not any(second.leads() for _ in range(20))
        assert database.engine.pool.checkedout() == before  # type: ignore[attr-defined]
    finally:
        first.step_down()
        second.step_down()


@on_postgresql
def test_a_server_that_cannot_be_reached_is_told_in_our_words(database: Database):
    nowhere = Database(re.sub(r"host=[^&]*", "host=/nowhere", database.url))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        AdvisoryLeader(nowhere).leads()


@on_sqlite
def test_a_lease_is_renewed_as_long_as_its_holder_asks_and_is_gone_when_it_steps_down(database: Database):
    first = LeaseLeader(database)
    assert first.leads()
    lease_runs_out(database)
    assert first.leads()  # nobody came in between
    assert not LeaseLeader(database).leads()
    first.step_down()
    assert count_of(database, lease) == 0


@on_sqlite
def test_stepping_down_gives_back_only_ones_own_lease(database: Database):
    first, second = LeaseLeader(database), LeaseLeader(database)
    assert first.leads()
    second.step_down()
    assert first.leads()
    assert not second.leads()
