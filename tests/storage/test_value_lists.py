"""Very many values in one question: one text however many they are, found by an index, and nothing else found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import assert_walks_over_no, plans_of
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, Uuid, delete, event, insert, select

from lifecycle.columns import Ask, Instant, ask_together
from lifecycle.storage.appending import heads_asked
from lifecycle.storage.database import Database
from lifecycle.value_lists import among, one_of

AT = datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)
WORDS = ("", "plain", 'a "quoted" word', "it's", "\\", "{1,2}", "NULL", "Ünïcode 漢字", "a,b")
thing = Table(
    "thing",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("word", Text),
    Column("at", Instant),
)
ROWS = [(UUID(int=1 + n // 3), n % 3, WORDS[n % len(WORDS)], AT + timedelta(hours=n)) for n in range(60)]


@pytest.fixture
def c(database: Database) -> Iterator[Connection]:
    with database.own() as c:
        thing.create(c)
        c.execute(insert(thing), [dict(zip(thing.c.keys(), row, strict=True)) for row in ROWS])
        yield c


def found(c: Connection, where: Any) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in c.execute(select(thing).where(where)))


BY_HAND = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@BY_HAND
@given(st.integers(0, 3), st.sets(st.integers(0, len(ROWS) + 5)))
def test_one_of_many_is_what_a_set_contains(c: Connection, place: int, chosen: set[int]):
    absent = (UUID(int=999), 7, "nowhere", AT - timedelta(days=1))
    values = {(ROWS[each] if each < len(ROWS) else absent)[place] for each in chosen}
    expected = sorted(row for row in ROWS if row[place] in values)
    assert found(c, one_of(list(thing.c)[place], values)) == expected


@BY_HAND
@given(st.lists(st.tuples(st.integers(1, 22), st.integers(0, 3))))
def test_one_of_many_pairs_is_what_a_set_of_pairs_contains(c: Connection, pairs: list[tuple[int, int]]):
    wanted = [(UUID(int=id), number) for id, number in pairs]
    assert found(c, among(thing.c.id, thing.c.number, wanted)) == sorted(row for row in ROWS if row[:2] in wanted)


def test_rows_are_deleted_by_it_and_no_others(c: Connection):
    c.execute(delete(thing).where(one_of(thing.c.number, [0, 1]) & (thing.c.id != UUID(int=1))))
    assert {row[1] for row in found(c, thing.c.id != UUID(int=1))} == {2}
    assert len(found(c, thing.c.id == UUID(int=1))) == 3


def test_each_is_found_by_the_key(c: Connection):
    ids = [UUID(int=n) for n in range(9)]

    def asked() -> None:
        found(c, one_of(thing.c.id, ids))
        found(c, among(thing.c.id, thing.c.number, [(id, 1) for id in ids]))

    assert_walks_over_no(plans_of(c, asked), "thing")


def test_many_values_are_one_statement_however_many_they_are(c: Connection):
    """SQLite's driver keeps what it prepared: with a text for each length a process grew for as long as it worked."""
    sent = []

    def note(connection, cursor, statement, parameters, *rest):
        sent.append((statement, len(parameters)))

    event.listen(c, "before_cursor_execute", note)
    for number in (1, 2, 200, 5_000):
        ids = [UUID(int=n) for n in range(number)]
        found(c, one_of(thing.c.id, ids))
        found(c, among(thing.c.id, thing.c.number, [(id, 0) for id in ids]))
    event.remove(c, "before_cursor_execute", note)
    assert len({text for text, _ in sent}) == 2
    assert max(parameters for _, parameters in sent) <= 3


def asked(c: Connection, asks: Sequence[Ask]) -> set[str]:
    sent = set()

    def note(connection, cursor, statement, parameters, *rest):
        sent.add(statement)

    event.listen(c, "before_cursor_execute", note)
    ask_together(c, asks)
    event.remove(c, "before_cursor_execute", note)
    return sent


def test_questions_that_are_asked_together_have_few_texts_too(c: Connection):
    texts = set()
    for number in (*range(1, 40), 129, 1_000, 2_000):
        texts |= asked(c, heads_asked([UUID(int=n) for n in range(number)]))
    assert len(texts) <= 8
