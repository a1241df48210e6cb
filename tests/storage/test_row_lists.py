"""Many rows changed or deleted by their keys: those, and no others, found by an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import assert_walks_over_no, plans_of
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, Text, Uuid, delete, insert, select

from lifecycle.columns import HexDigits, Instant
from lifecycle.row_lists import delete_rows, update_rows
from lifecycle.storage.database import Database
from lifecycle.storage.erasing import delete_bodies_of, forget_orders, regenerate_all
from lifecycle.storage.tables import stream_head

AT = datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)
WORDS = ("", 'a "quoted" word', "it's", "\\", "{1,2}", "NULL", "Ünïcode 漢字", None)
KEY = ("id", "number")
thing = Table(
    "thing",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("word", Text),
    Column("digits", HexDigits),
    Column("sealed", LargeBinary),
    Column("at", Instant),
)
KEYS = [(UUID(int=1 + n // 3), n % 3) for n in range(24)]
BY_HAND = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def row_of(key: tuple[UUID, int], n: int) -> dict[str, Any]:
    values = WORDS[n % len(WORDS)], f"{n:04x}", bytes([n, 0, 255]), AT + timedelta(hours=n)
    return dict(zip(thing.c.keys(), (*key, *values), strict=True))


@pytest.fixture
def c(database: Database) -> Iterator[Connection]:
    with database.own() as c:
        thing.create(c)
        yield c


def stored(c: Connection) -> dict[tuple[UUID, int], dict[str, Any]]:
    return {(row.id, row.number): dict(row._mapping) for row in c.execute(select(thing))}


def filled(c: Connection) -> dict[tuple[UUID, int], dict[str, Any]]:
    c.execute(delete(thing))
    c.execute(insert(thing), [row_of(key, 0) for key in KEYS])
    return {key: row_of(key, 0) for key in KEYS}


@BY_HAND
@given(st.lists(st.integers(0, len(KEYS) + 3), unique=True))
def test_each_row_that_has_the_key_gets_its_own_values_and_no_other_row_changes(c: Connection, chosen: list[int]):
    expected = filled(c)
    keys = {n: KEYS[n] if n < len(KEYS) else (UUID(int=999), n) for n in chosen}  # some are not there
    rows = [row_of(key, n) for n, key in keys.items()]
    there = {key: row for key, row in zip(keys.values(), rows, strict=True) if key in expected}
    assert update_rows(c, thing, KEY, rows) == len(there)
    assert stored(c) == expected | there


@BY_HAND
@given(st.lists(st.integers(0, len(KEYS) + 3), unique=True))
def test_each_row_that_has_the_key_is_deleted_and_no_other_row(c: Connection, chosen: list[int]):
    expected = filled(c)
    keys = [KEYS[n] if n < len(KEYS) else (UUID(int=999), n) for n in chosen]
    gone = set(keys) & expected.keys()
    assert delete_rows(c, thing, [{"id": id, "number": number} for id, number in keys]) == len(gone)
    assert stored(c) == {key: row for key, row in expected.items() if key not in gone}


def test_what_an_erasure_changes_and_deletes_is_found_by_an_index(database: Database):
    people = [UUID(int=n) for n in range(1, 300)]
    with database.own() as c:
        plans = plans_of(c, lambda: regenerate_all(c, dict.fromkeys(people, 2)))
        assert_walks_over_no(plans, stream_head.name)
    with database.own() as c:
        plans = plans_of(c, lambda: delete_bodies_of(c, [(id, 1, 0) for id in people]))
        assert_walks_over_no(plans, "event_body")
    with database.own() as c:
        plans = plans_of(c, lambda: forget_orders(c, [(id, 1) for id in people]))
        assert_walks_over_no(plans, "pending_erasure")
        assert plans
