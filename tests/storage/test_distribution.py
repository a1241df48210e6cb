"""The schema stays ready to be spread over machines by stream: settled rule 34."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from appends import MONDAY, Person, a_birth_date, a_lookup, a_seen_command, merged
from sqlalchemy import Connection, Table, UniqueConstraint, event

from lifecycle.ledger.tables import ledger_queue
from lifecycle.storage import tables, writing
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.vault.tables import data_key, lookup, spent_command, subject_key

# The named exceptions. `lookup` answers whose an identifier is, so it is keyed by the identifier's token: it is a
# table of its own to be spread by token. `spent_command` outlives the streams that its commands were sent to, on
# purpose without saying whose they were. It is written by the eraser, never by an append.
KEYED_OTHERWISE = {lookup, spent_command}

WRITTEN = (*tables.WRITTEN_BY_AN_APPEND, ledger_queue, subject_key, data_key, lookup)
FORBIDDEN = re.compile(r"\b(LOCK|NOTIFY|nextval|pg_advisory\w*|TRUNCATE|setval)\b", re.IGNORECASE)


def unique_keys(table: Table) -> Iterator[set[str]]:
    yield {column.name for column in table.primary_key}
    for index in table.indexes:
        if index.unique:
            yield {column.name for column in index.columns}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield {column.name for column in constraint.columns}


@pytest.mark.parametrize("table", WRITTEN, ids=lambda table: table.name)
def test_every_unique_key_of_an_append_s_table_has_the_stream_in_it(table: Table):
    if table in KEYED_OTHERWISE:
        assert not any({"stream_id", "subject_id"} & key for key in unique_keys(table))
        return
    for key in unique_keys(table):
        assert {"stream_id", "subject_id"} & key, (table.name, key)


def test_the_tables_listed_are_those_that_an_append_may_write():
    assert set(writing._INSERT) == set(WRITTEN)


@pytest.fixture
def executed(database: Database) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(c: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((statement, parameters))

    return seen


def append_everything(database: Database, people: list[Person]) -> None:
    appendings = []
    for number, person in enumerate(people):
        appending = person.appending(a_birth_date())
        appending.rows.commands.append(a_seen_command(person.subject_id, person.head.version + 1))
        appending.rows.lookups.append(a_lookup(person.subject_id, b"%d %d" % (number, person.head.version)))
        appending.rows.pending_erasures.append(
            {"stream_id": person.subject_id, "version": person.head.version + 1, "at": MONDAY}
        )
        appending.rows.pending_custody.append(
            {"stream_id": person.subject_id, "version": person.head.version + 1, "at": MONDAY}
        )
        appending.rows.epoch_erasures.append({"stream_id": person.subject_id, "epoch": person.head.version + 1})
        appendings.append(appending)
    one = merged(appendings)
    Streams(database).save(*one.recorded, rows=one.rows)
    for person, appending in zip(people, appendings, strict=True):
        person.move(appending)


def test_no_statement_of_an_append_locks_counts_or_notifies(database: Database, executed: list[tuple[str, Any]]):
    append_everything(database, [Person(), Person()])
    assert [statement for statement, _ in executed if FORBIDDEN.search(statement)] == []


def test_an_append_only_inserts_rows_and_moves_heads(database: Database, executed: list[tuple[str, Any]]):
    """One statement a table, whatever the number of events: nothing reads, joins, or asks another table."""
    people = [Person() for _ in range(3)]
    append_everything(database, people)
    first = own(executed)
    assert all(one.startswith("INSERT INTO ") and "SELECT" not in one for one in first)
    assert len(first) == len({one.split()[2] for one in first}) == len(WRITTEN)
    executed.clear()
    append_everything(database, people)
    later = own(executed)
    assert re.match(r"UPDATE stream_head SET [^()]* WHERE stream_head\.stream_id = ", later[0])
    assert all(one.startswith("INSERT INTO ") for one in later[1:])
    assert len(later) == len(WRITTEN) - 1  # everybody has a subject key already


def own(executed: list[tuple[str, Any]]) -> list[str]:
    return [statement for statement, _ in executed if not statement.startswith(("SELECT set_config(", "BEGIN"))]


def test_every_row_of_an_append_names_one_stream(database: Database, executed: list[tuple[str, Any]]):
    people = [Person() for _ in range(3)]
    append_everything(database, people)
    ids = {person.subject_id.hex for person in people}
    for statement, parameters in executed:
        if not statement.startswith("INSERT"):
            continue
        for row in parameters:
            named = {value.hex if isinstance(value, UUID) else value for value in row if isinstance(value, UUID | str)}
            assert len(named & ids) == 1, statement
