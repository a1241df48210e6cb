"""The calendar says what falls due, to the instant, and finding it costs what is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from lives import (
    POLICY,
    SUMMER,
    Town,
    asks_erasure,
    consents,
    gives,
    is_held,
    is_restricted,
    live,
    steps,
    with_identifiers_kept,
)
from sqlalchemy import Connection, event, insert, select, text
from uuid_utils.compat import uuid7

from lifecycle.columns import microseconds
from lifecycle.domain.subject.collecting import record_birth_date
from lifecycle.domain.subject.settling import fall_due, next_instant
from lifecycle.policy.calendars import is_newer
from lifecycle.policy.countries import STANDARD, parse_own_days
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.vocabulary import LegalBasis
from lifecycle.projections.retention_calendar import (
    Falling,
    RetentionCalendar,
    before_all_instants,
    due,
    identifiers_due,
    next_due,
    retention_calendar,
)
from lifecycle.storage.database import Database

few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
A_THING = '[["retention","free-trial","free-trial@1.0",null,["h1",1]]]'
MOMENT = timedelta(microseconds=1)
YEARS = timedelta(days=365 * 100)


def calendar_of(town: Town, now: datetime, limit: int = 1_000) -> list[Falling]:
    town.sequence()
    town.follower().catch_up()
    with town.database.read() as c:
        return due(c, now, limit)


def a_trial(town: Town):
    person = town.register()
    town.act(person, consents("free-trial"))
    town.act(person, gives("free-trial", "name", "email"))
    return person


def test_each_ground_is_due_at_the_start_of_the_day_after_its_last(town: Town):
    person = a_trial(town)
    found = calendar_of(town, SUMMER + YEARS)
    midnight_in_singapore = datetime(2027, 6, 2, 16, tzinfo=UTC)  # 24 months after 2 June 2025, and one day
    assert {(one.subject_id, one.what, one.due, one.purpose, one.rule) for one in found} == {
        (person, "retention", midnight_in_singapore, "free-trial", "free-trial@1.0")
    }
    assert {one.holding for one in found} == {"h1", "h2"}


def test_nothing_is_found_a_moment_too_early(town: Town):
    a_trial(town)
    instant = calendar_of(town, SUMMER + YEARS)[0].due
    with town.database.read() as c:
        assert due(c, instant - MOMENT, 10) == []
        assert len(due(c, instant, 10)) == 2
        assert next_due(c) == instant


def test_what_is_longest_overdue_comes_first_and_pages_come_to_an_end(town: Town):
    for _ in range(4):
        a_trial(town)
        town.clock.at += timedelta(days=1)
    whole = calendar_of(town, SUMMER + YEARS)
    assert [one.due for one in whole] == sorted(one.due for one in whole)
    paged: list[Falling] = []
    with town.database.read() as c:
        while page := due(c, SUMMER + YEARS, 3, after=paged[-1] if paged else None):
            paged += page
    assert paged == whole
    assert len(paged) == 8


def test_an_erased_person_has_no_calendar(town: Town):
    person = a_trial(town)
    town.act(person, asks_erasure())
    assert calendar_of(town, SUMMER + YEARS) == []


def test_what_only_a_hold_keeps_is_not_due(town: Town):
    person = town.register()
    town.act(person, gives("quotation", "email", basis=LegalBasis.CONTRACT))
    town.act(person, is_held())
    town.pass_time(timedelta(days=400))
    assert town.people[person].holdings["h1"].grounds[0].ended == "retention-expired"
    assert calendar_of(town, SUMMER + YEARS) == []


@few
@given(lived=steps)
def test_the_calendar_names_exactly_whom_the_sweep_would_act_on(town: Town, lived):
    """For every person: at the first instant of the calendar there is something to do, a moment before nothing."""
    people = live(town, lived)
    first: dict[object, datetime] = {}
    for one in calendar_of(town, SUMMER + YEARS * 2):
        first.setdefault(one.subject_id, one.due)
    for person in people:
        subject = town.people[person]
        assert first.get(person) == next_instant(subject, town.policy)
        if person in first:
            at = max(first[person], town.clock.now())
            assert fall_due(subject, at, town.policy).events
            if first[person] > town.clock.now():
                assert not fall_due(subject, first[person] - MOMENT, town.policy).events


# -- policies that follow each other ------------------------------------------------------------------------------


def kept(days: int, effective: date):
    return parse_policy(with_identifiers_kept(days, effective))


@pytest.mark.parametrize("days", [1, 10, 30, 200])
@pytest.mark.parametrize("effective", [date(2025, 1, 1), date(2025, 6, 8), date(2025, 7, 20), date(2030, 1, 1)])
def test_the_policy_in_force_on_the_day_decides_when_identifiers_go(days: int, effective: date):
    policies = (POLICY, kept(days, effective))
    first_midnight = datetime(2025, 6, 2, 16, tzinfo=UTC)  # in Singapore, after the last event

    def is_due(passed: int) -> bool:
        midnight = first_midnight + timedelta(days=passed)
        in_force = policies[POLICY.day_of(midnight) >= effective]
        return passed >= in_force.identifiers.kept_days_after_last_event

    passed = next(filter(is_due, range(400)))
    assert identifiers_due(SUMMER, policies) == first_midnight + timedelta(days=passed)


# -- what it costs ------------------------------------------------------------------------------------------------


def fill(database: Database, people: int) -> None:
    rows = [
        {"subject_id": uuid7(), "due": microseconds(SUMMER + timedelta(minutes=n)), "things": A_THING}
        for n in range(people)
    ]
    with database.write("projector") as c:
        c.execute(insert(retention_calendar), rows)
    with database.write("projector") as c:
        c.execute(text("ANALYZE") if database.is_sqlite else text("ANALYZE projection.retention_calendar"))


def plan_of(c: Connection, now: datetime, after: Falling | None) -> str:
    """The engine's own plan for the statement that `due` sends."""
    sent: list[tuple[str, object]] = []

    def note(connection, cursor, statement, parameters, *rest):
        sent.append((statement, parameters))

    event.listen(c, "before_cursor_execute", note)
    due(c, now, 100, after)
    event.remove(c, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if c.dialect.name == "sqlite" else "EXPLAIN "
    ((said, with_),) = sent
    return "\n".join(str(tuple(row)) for row in c.exec_driver_sql(explain + said, with_))


def test_finding_what_is_due_reads_the_index_and_sorts_nothing(town: Town):
    town.follower((RetentionCalendar(),)).ensure_tables()
    fill(town.database, 5_000)
    with town.database.read() as c:
        for after in (None, due(c, SUMMER + timedelta(minutes=3), 2)[-1]):
            plan = plan_of(c, SUMMER + timedelta(minutes=10), after)
            assert "ix_retention_calendar_due" in plan
            assert "Seq Scan" not in plan
            assert "SCAN retention_calendar" not in plan
            assert "Sort" not in plan
            assert "TEMP B-TREE" not in plan


def is_born(subject, asked):
    return record_birth_date(subject, asked, birth_date="1990-05-17", new_id="b1", known=None, evidence="passport")


def test_a_record_that_law_keeps_for_its_birth_date_is_not_named_before_law_lets_go(town: Town):
    """Named earlier, it would stop the sweep for everybody: the record would find nothing due."""
    person = town.register()
    law = SUMMER + timedelta(days=200)
    town.act(person, is_born)
    town.act(person, is_restricted("birth-date", until=law, law="CPC 9"))
    assert [(one.what, one.due) for one in calendar_of(town, SUMMER + YEARS)] == [("identifiers", law)]
    town.publish(with_identifiers_kept(60))
    assert [one.due for one in calendar_of(town, SUMMER + YEARS)] == [law]
    town.clock.at = law
    assert town.act(person, lambda subject, asked: fall_due(subject, asked.now, asked.policy))[0] == "erasure-ordered/1"


# -- days that a newer calendar may move -----------------------------------------------------------------------------

VERSIONS = ("", "0.9", "0.10", "0.109", "0.109.1", "0.110", "1.0", "0.100+2.00000000", "0.109+20261129.ffffffff")
NEWER = "edition = 2\n[CN]\npublished_to = 2027\nclosed = [2027-01-04]\n"


def test_a_day_stands_before_all_instants_and_further_the_newer_its_calendar():
    places = [before_all_instants(version) for version in VERSIONS]
    assert max(places) < 0
    for one, place in zip(VERSIONS, places, strict=True):
        assert [is_newer(other, one) for other in VERSIONS] == [there < place for there in places]


def test_a_day_counted_by_an_older_calendar_is_due_at_once_and_by_no_other(town: Town):
    town.follower((RetentionCalendar(),)).ensure_tables()
    here, later = STANDARD.of("CN").version, SUMMER + YEARS
    counted_by = {"older": "0.1", "the same": here, "newer": f"{here}+1.00000000"}
    with town.database.write("projector") as c:
        for name, version in counted_by.items():
            said = f'[["request-provisional",null,"CN {version}",{microseconds(later)},["{name}",null]]]'
            c.execute(
                insert(retention_calendar),
                {"subject_id": uuid7(), "due": before_all_instants(version), "things": said},
            )
    with town.database.read() as c:
        assert [(one.holding, one.due) for one in due(c, SUMMER, 10)] == [("older", later)]
        known = due(c, SUMMER, 10, calendars=parse_own_days(NEWER))
        assert [one.holding for one in known] == ["newer", "the same", "older"]
        assert [one.holding for one in due(c, SUMMER, 10, known[0], parse_own_days(NEWER))] == ["the same", "older"]
        assert next_due(c) is None


def test_all_of_a_person_that_falls_due_together_is_one_row(town: Town):
    person = a_trial(town)
    assert len(calendar_of(town, SUMMER + YEARS)) == 2
    with town.database.read() as c:
        assert c.execute(select(retention_calendar.c.subject_id)).scalars().all() == [person]
