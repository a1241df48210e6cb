"""On PostgreSQL a login that is nobody's superuser makes a store and lives with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres import start, stop
from whole.stores import ANN, Store

from lifecycle.settings import Settings
from lifecycle.storage.append_only import ROLES

FORBIDDEN = (
    "DELETE FROM event_body",
    "DELETE FROM vault.data_key",
    "DELETE FROM event_header",
    "UPDATE event_header SET header = header",
    "DELETE FROM log_entry",
    "UPDATE log_state SET size = 1",
)


@pytest.fixture
def new_server() -> Iterator[str]:
    """A server on which nobody ever made our roles."""
    started = start()
    yield str(started["dsn"])
    stop(started)


def test_a_login_that_may_only_make_roles_and_databases_inits_collects_erases_and_rotates(
    new_server: str, tmp_path: Path
):
    with psycopg.connect(new_server, autocommit=True) as c:
        c.execute("CREATE ROLE privacy LOGIN CREATEROLE CREATEDB")
        c.execute("CREATE DATABASE privacy OWNER privacy")
        folder = psycopg.conninfo.conninfo_to_dict(new_server)["host"]
    store = Store(f"postgresql://privacy@/privacy?host={folder}", tmp_path / "keys")
    store.consent()
    store.collect()
    assert store.held()["email"] == "held"
    assert store.do("erase", subject=ANN, ground="7.3c").receipt is not None
    assert store.engine.rotate().finalised > 0
    store.engine.close()


def test_on_postgresql_16_and_later_the_login_deletes_nothing_as_itself(new_server: str, tmp_path: Path):
    """It owns no table, and of the roles it may take it inherits only what reading and writing need."""
    with psycopg.connect(new_server, autocommit=True) as c:
        c.execute("CREATE ROLE owner LOGIN CREATEROLE")
        c.execute("CREATE ROLE app LOGIN")
        c.execute("CREATE DATABASE privacy OWNER owner")
        folder = psycopg.conninfo.conninfo_to_dict(new_server)["host"]
    store = Store(f"postgresql://owner@/privacy?host={folder}", tmp_path / "keys")
    with psycopg.connect(new_server, dbname="privacy", user="owner", autocommit=True) as c:
        for role in ROLES:
            inherits = "TRUE" if role == "writer" else "FALSE"
            c.execute(f"GRANT lifecycle_{role} TO app WITH SET TRUE, INHERIT {inherits}".encode())
    store.settings = Settings(f"postgresql://app@/privacy?host={folder}", tmp_path / "keys")
    store.reopen()
    store.consent()
    store.collect()
    assert store.held()["email"] == "held"
    assert store.do("erase", subject=ANN, ground="7.3c").receipt is not None
    store.engine.rotate()
    store.engine.close()
    with psycopg.connect(new_server, dbname="privacy", user="app", autocommit=True) as c:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                c.execute(statement)
