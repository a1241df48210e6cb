"""What goes past the drivers' wrappers is what they would have said, and a broken exchange is nobody else's trouble."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnClause,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    event,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles

from lifecycle.columns import Ask, Instant, ask_together
from lifecycle.one_message import Sent, encoder_of, exchange
from lifecycle.storage.database import Database
from lifecycle.storage.failures import Unavailable, WroteFirst
from lifecycle.storage.rows import write_together

MONDAY = datetime(2026, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)
every_type = Table(
    "every_type",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("raw", LargeBinary),
    Column("words", Text),
    Column("mark", String(64)),
    Column("small", SmallInteger),
    Column("whole", Integer),
    Column("big", BigInteger),
    Column("yes", Boolean),
    Column("at", Instant),
)
INSERT = insert(every_type)
BY_ID = select(every_type).where(every_type.c.id.in_(bindparam("ids", expanding=True)))
BY_REST = select(every_type.c.id).where(
    *(
        every_type.c[name].in_(bindparam(name, expanding=True))
        for name in ("raw", "words", "mark", "small", "whole", "big")
    )
)

compilations: list[str] = []


class Compiling(ColumnClause[int]):
    """Tells of each time that it is compiled."""


@compiles(Compiling)
def _(element: Compiling, compiler: Any, **_: Any) -> str:
    compilations.append(element.name)
    return "1"


@pytest.fixture
def table(database: Database) -> Iterator[Table]:
    with database.own() as c:
        every_type.create(c)
    yield every_type
    with database.own() as c:
        every_type.drop(c)


def a_row(**other: Any) -> dict[str, Any]:
    row = {
        "id": uuid4(), "raw": b"\x00%s\xff", "words": "简历 100 %", "mark": "m", "small": -3, "whole": -70_000, "big": -(2**40),
        "yes": True, "at": MONDAY,
    }  # fmt: skip
    return {**row, **other}


def test_values_of_every_type_come_back_as_they_were_written(database: Database, table: Table):
    full = a_row()
    empty = dict.fromkeys(full) | {"id": uuid4()}
    with database.own() as c:
        assert write_together(c, [(INSERT, [full, empty]), (INSERT, [])]) == [2, 0]
        (found,) = ask_together(c, [Ask(BY_ID, {"ids": [full["id"], empty["id"], uuid4()]})])
        by_rest = {name: [full[name]] for name in ("raw", "words", "mark", "small", "whole", "big")}
        (alike,) = ask_together(c, [Ask(BY_REST, by_rest)])
        with_sqlalchemy = c.execute(select(table)).all()
    assert {row.id: row._asdict() for row in found} == {full["id"]: full, empty["id"]: empty}
    assert sorted(map(tuple, found)) == sorted(map(tuple, with_sqlalchemy))
    assert [row.id for row in alike] == [full["id"]]


def test_what_is_asked_is_compiled_once_however_many_engines_a_process_opens(database_url: str):
    compilations.clear()
    asked = select(Compiling("one", Integer))
    for _ in range(3):
        database = Database(database_url)
        with database.own() as c:
            assert ask_together(c, [Ask(asked, {})]) == [[(1,)]]
        database.close()
    assert compilations == ["one"]


@pytest.mark.parametrize("many", [1, 2, 3, 5, 100, 129, 3_000])
def test_any_number_of_values_is_asked_for_at_once(database: Database, table: Table, many: int):
    rows = [a_row(id=UUID(int=number)) for number in range(many)]
    with database.own() as c:
        write_together(c, [(INSERT, rows)])
        found, none = ask_together(
            c, [Ask(BY_ID, {"ids": [row["id"] for row in rows]}), Ask(BY_ID, {"ids": [uuid4()]})]
        )
    assert [row.id.int for row in sorted(found, key=lambda row: row.id.int)] == list(range(many))
    assert none == []


def test_a_message_and_an_answer_that_no_buffer_holds_pass_each_other(database: Database, table: Table):
    rows = [a_row(raw=bytes(1_000)) for _ in range(2_000)]
    with database.own() as c:
        write_together(c, [(INSERT, rows)])
        asked = ask_together(c, [Ask(BY_ID, {"ids": [row["id"] for row in rows]})] * 30)
    assert [len(found) for found in asked] == [2_000] * 30


def test_what_is_refused_undoes_its_transaction_and_the_same_connection_serves_the_next(
    database_url: str, table: Table
):
    database, row = Database(database_url, pool_size=1, more=0), a_row()
    for _ in range(8):  # often enough for a driver to prepare statements of its own, and to forget them
        with pytest.raises(WroteFirst), database.own() as c:
            write_together(c, [(INSERT, [row]), (INSERT, [a_row(), row, a_row()]), (INSERT, [a_row()])])
        with database.read() as c:
            assert ask_together(c, [Ask(BY_ID, {"ids": [row["id"]]})]) == [[]]
            assert c.execute(text("SELECT count(*) FROM every_type")).scalar_one() == 0
    database.close()


def test_an_interruption_in_the_middle_of_a_message_throws_the_connection_away_and_no_answer_is_taken_for_anothers(
    postgresql: Any,
):
    with postgresql.database(migrated=True) as url:
        database = Database(url, pool_size=1, more=0)
        sleeps, says = Sent.of("SELECT 1 FROM pg_sleep(30)"), Sent.of("SELECT 7")
        with pytest.raises(KeyboardInterrupt), database.read() as c, interrupted(after=0.2):
            exchange(c, [(sleeps, ()), (says, ())])
        with database.read() as c:
            (result,) = exchange(c, [(says, ())])
            assert (result.get_value(0, 0), c.execute(text("SELECT 8")).scalar_one()) == (b"\0\0\0\7", 8)
        database.close()


def test_a_question_that_goes_by_itself_fails_breaks_off_and_is_answered_as_it_does_among_others(postgresql: Any):
    """By itself is what was prepared before, in a transaction that has begun."""
    quotient, sleeps = Sent.of("SELECT 12 / %s::integer"), Sent.of("SELECT 1 FROM pg_sleep(%s::integer)")
    ends = Sent.of("SELECT pg_terminate_backend(pg_backend_pid()) WHERE %s::integer = 1")
    number = encoder_of(Integer())

    def answer(c: Connection, sent: Sent, value: int) -> bytes | None:
        (result,) = exchange(c, [(sent, [number(value)])])
        return result.get_value(0, 0) if result.ntuples else None

    with postgresql.database(migrated=True) as url:
        database = Database(url, pool_size=1, more=0)
        with database.read() as c:
            assert [answer(c, quotient, value) for value in (3, 4, 6)] == [b"\0\0\0\4", b"\0\0\0\3", b"\0\0\0\2"]
            answer(c, sleeps, 0)
            answer(c, ends, 0)
        with pytest.raises(WroteFirst), database.read() as c:  # so a message that writes says that it is refused
            answer(c, quotient, 0)
        with database.read() as c:
            assert answer(c, quotient, 3) == b"\0\0\0\4"
        with pytest.raises(KeyboardInterrupt), database.read() as c, interrupted(after=0.2):
            answer(c, sleeps, 30)
        with database.read() as c:
            assert [answer(c, quotient, value) for value in (3, 4)] == [b"\0\0\0\4", b"\0\0\0\3"]
            answer(c, ends, 0)
        with pytest.raises(Unavailable), database.read() as c:
            answer(c, ends, 1)
        with database.read() as c:
            assert answer(c, quotient, 6) == b"\0\0\0\2"
        database.close()


@contextmanager
def interrupted(after: float) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_type_that_does_not_travel_in_this_way_is_noticed_when_it_is_first_meant_to():
    with pytest.raises(TypeError, match="travels"):
        encoder_of(JSON())


def test_what_is_asked_alone_leaves_no_transaction_behind(database: Database, table: Table):
    asked_by = drivers_that_ask(database)
    ask = Ask(BY_ID, {"ids": [uuid4()]})
    for asked in ([ask, ask], [ask]):
        assert database.ask_alone(asked) == [[] for _ in asked]
        driver = asked_by.pop()
        assert not (driver.in_transaction if database.is_sqlite else driver.pgconn.transaction_status)


def test_what_asks_alone_stays_connected_until_everything_connected_is_disposed_of(database: Database, table: Table):
    asked_by = drivers_that_ask(database)
    for _ in range(2):
        database.ask_alone([Ask(BY_ID, {"ids": [uuid4()]})])
    first, again = asked_by
    assert again is first
    database.engine.dispose()
    database.ask_alone([Ask(BY_ID, {"ids": [uuid4()]})])
    assert asked_by[-1] is not first
    if database.is_sqlite:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            first.execute("SELECT 1")
    else:
        assert first.closed


def drivers_that_ask(database: Database) -> list[Any]:
    """The driver's connection of each statement from now on."""
    found: list[Any] = []
    event.listen(database.engine, "after_cursor_execute", lambda c, *_: found.append(c.connection.driver_connection))
    return found


def test_a_question_that_fails_alone_is_undone_and_the_next_is_answered(database: Database, table: Table):
    good = Ask(BY_ID, {"ids": [uuid4()]})
    unknown = Table("no_such_table", MetaData(), Column("id", Uuid))
    bad = Ask(select(unknown).where(unknown.c.id == bindparam("id")), {"id": uuid4()})
    for _ in range(2):
        with pytest.raises(Unavailable, match="lacks our tables"):
            database.ask_alone([good, bad, good])
        assert database.ask_alone([good, good]) == [[], []]


def test_what_is_asked_alone_is_of_one_moment(database: Database, table: Table):
    if not database.is_sqlite:
        names = ("'transaction_isolation'", "'transaction_read_only'")
        setting = [func.current_setting(literal_column(name), type_=Text) for name in names]
        ask = Ask(select(*setting), {})
        for (row,) in database.ask_alone([ask, ask]):
            assert tuple(row) == ("repeatable read", "on")
        (row,) = database.ask_alone([ask])[0]
        assert tuple(row) == ("read committed", "off"), "one statement has a snapshot without being told to"
        return
    ask, written = Ask(BY_ID, {"ids": [(id := uuid4())]}), list[UUID]()

    def between(*_: Any) -> None:
        """Somebody else commits after the first question."""
        if written:
            return
        written.append(id)
        other = Database(database.url)
        with other.own() as c:
            c.execute(INSERT, a_row(id=id))
        other.close()

    event.listen(database.engine, "after_cursor_execute", between)
    assert database.ask_alone([ask, ask]) == [[], []]
    event.remove(database.engine, "after_cursor_execute", between)
    assert [row.id for row in database.ask_alone([ask])[0]] == written == [id]
