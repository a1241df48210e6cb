"""A session that the next engine of the tests uses again is to it as a new one."""

from __future__ import annotations

import psycopg
from postgres import Server, name_of, on_postgresql
from sessions import at_rest_in, begin_all_anew_in
from sqlalchemy import Connection, make_url, text

from lifecycle.storage.database import Database


def asked(c: Connection, question: str) -> object:
    return c.execute(text(question)).scalar_one()


def is_by_a_socket(url: str) -> bool:
    """As on our own server; on another than that each session is a new one."""
    return str(make_url(url).query.get("host", "")).startswith("/")


@on_postgresql
def test_nothing_is_left_of_what_was_done_in_it(database_url: str):
    first = Database(database_url)
    with first.own() as c:
        pid = asked(c, "SELECT pg_backend_pid()")
        c.execute(text("CREATE TEMPORARY TABLE mine (n int)"))
        c.execute(text("SET statement_timeout = '7s'"))
        c.execute(text("PREPARE mine AS SELECT 1"))
        c.execute(text("LISTEN mine"))
        c.execute(text("SELECT pg_advisory_lock(7)"))
    first.close()
    next_one = Database(database_url)
    with next_one.own() as c:
        assert (asked(c, "SELECT pg_backend_pid()") == pid) is is_by_a_socket(database_url)
        assert asked(c, "SELECT to_regclass('pg_temp.mine') IS NULL")
        assert asked(c, "SELECT current_setting('statement_timeout')") == "0"
        assert asked(c, "SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'") == 0
        assert asked(c, "SELECT count(*) FROM pg_listening_channels()") == 0
        assert asked(c, f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = {pid}") == 0
    next_one.close()


@on_postgresql
def test_one_that_was_ended_or_must_not_rest_is_not_used_again(database_url: str):
    def pid() -> int:
        database = Database(database_url)
        with database.own() as c:
            found = asked(c, "SELECT pg_backend_pid()")
        database.close()
        assert isinstance(found, int)
        return found

    first = pid()
    assert (first in at_rest_in(name_of(database_url))) is is_by_a_socket(database_url)
    with psycopg.connect(database_url) as c:
        c.execute("SELECT pg_terminate_backend(%s, 10000)", [first])
    assert pid() != first
    begin_all_anew_in(name_of(database_url))
    assert pid() != pid()
    assert at_rest_in(name_of(database_url)) == []


def test_a_database_where_none_must_rest_is_no_other_tests_database(postgresql: Server):
    with postgresql.database(migrated=True) as url:
        begin_all_anew_in(name_of(url))
    with postgresql.database(migrated=True) as other:
        assert name_of(other) != name_of(url)
