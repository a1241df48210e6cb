"""A command's id is remembered with its stream for 90 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from appends import MONDAY, Person, a_seen_command, an_activity, days
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, insert

from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.idempotency import KEPT, Seen, purge, seen
from lifecycle.storage.tables import command_seen

ANN, BOB = UUID(int=1), UUID(int=2)


def a_cmd(number: int) -> str:
    return f"{number:064x}"


def remember(database: Database, *rows: dict[str, Any]) -> None:
    with database.write("writer") as c:
        c.execute(insert(command_seen), list(rows))


def test_an_answer_is_found_by_stream_and_id(database: Database):
    ann = Person()
    appending = ann.appending(an_activity())
    answer = Seen(ann.subject_id, a_cmd(1), b"mac", "done", 1, 1, MONDAY)
    appending.rows.commands.append(answer.row())
    Streams(database).save(*appending.recorded, rows=appending.rows)
    with database.read() as c:
        assert seen(c, [(ann.subject_id, a_cmd(1)), (ann.subject_id, a_cmd(2)), (BOB, a_cmd(1))]) == {
            (ann.subject_id, a_cmd(1)): answer
        }


def test_ids_are_unique_per_person_not_over_all(database: Database):
    remember(database, a_seen_command(ANN, 1), a_seen_command(BOB, 1))
    with database.read() as c:
        assert set(seen(c, [(ANN, a_cmd(1)), (BOB, a_cmd(1))])) == {(ANN, a_cmd(1)), (BOB, a_cmd(1))}


def test_many_are_looked_up_with_one_query_that_uses_the_key(database: Database):
    remember(database, *[a_seen_command(UUID(int=n), n) for n in range(1, 1001)])
    statements: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(c: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    with database.read() as c:
        found = seen(c, [(UUID(int=n), a_cmd(n)) for n in range(500, 1500)])
    assert len(found) == 501
    assert len(statements) == 1


def test_nothing_asked_is_nothing_found(database: Database):
    with database.read() as c:
        assert seen(c, []) == {}


def test_after_ninety_days_an_id_is_forgotten(database: Database):
    assert timedelta(days=90) == KEPT
    remember(database, a_seen_command(ANN, 1, MONDAY), a_seen_command(ANN, 2, MONDAY + timedelta(microseconds=1)))
    with database.write("expunger") as c:
        assert purge(c, MONDAY + days(90)) == 0
        assert purge(c, MONDAY + days(90) + timedelta(microseconds=1)) == 1
    with database.read() as c:
        assert set(seen(c, [(ANN, a_cmd(1)), (ANN, a_cmd(2))])) == {(ANN, a_cmd(2))}


@pytest.mark.parametrize("outcome", ["done", "nothing", "refused"])
def test_an_answer_may_be_without_events_or_elsewhere(database: Database, outcome: str):
    answer = Seen(ANN, a_cmd(5), b"mac", outcome, None, None, MONDAY, answer_stream=BOB)
    remember(database, answer.row())
    with database.read() as c:
        assert seen(c, [(ANN, a_cmd(5))]) == {(ANN, a_cmd(5)): answer}


PAIRS = st.sets(st.tuples(st.integers(1, 4), st.integers(1, 4)))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(stored=PAIRS, asked=PAIRS)
def test_exactly_the_pairs_asked_for_are_found(
    database: Database, stored: set[tuple[int, int]], asked: set[tuple[int, int]]
):
    def pair(numbers: tuple[int, int]) -> tuple[UUID, str]:
        return UUID(int=numbers[0]), a_cmd(numbers[1])

    with database.own() as c:
        if stored:
            c.execute(insert(command_seen), [a_seen_command(UUID(int=one), two) for one, two in stored])
        assert set(seen(c, map(pair, asked))) == set(map(pair, stored & asked))
        c.rollback()


def test_half_of_what_tells_contents_apart_is_stored_and_compared():
    said, other = bytes(range(32)), bytes(range(1, 33))
    answer = Seen(ANN, a_cmd(1), said, "done", 1, 1, MONDAY)
    stored = answer.row()["content_mac"]
    assert stored == said[:16]
    for seen_as in (answer, answer._replace(content_mac=stored)):
        assert seen_as.is_of(said)
        assert not seen_as.is_of(other)
