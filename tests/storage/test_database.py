"""What a store says when it cannot serve: why, what to do, and never a value."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from appends import Person, an_activity
from postgres import Server, on_postgresql, on_sqlite
from sqlalchemy import TextClause, event, text
from sqlalchemy.exc import SQLAlchemyError

from lifecycle.errors import StoreUnavailable
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.failures import AppendOnly, WroteFirst
from lifecycle.storage.schema import check, migrate

SECRET = "ann@example.com"


def refused(act: Callable[[], object], message: str) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable, match=message) as caught:
        act()
    assert caught.value.remedy
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense", "sqlite:"])
def test_a_url_that_cannot_be_served_is_refused_at_once(url: str):
    refused(lambda: Database(url), "URL|PostgreSQL|memory")


def test_a_password_in_a_url_is_not_repeated():
    password = "hunter2"
    failure = refused(lambda: Database(f"mysql://ann:{password}@x/y"), "Only SQLite and PostgreSQL")
    assert password not in "".join(traceback.format_exception(failure))


def test_a_missing_file_is_not_created_by_opening_it(tmp_path: Path):
    db = Database(f"sqlite:///{tmp_path}/none.db")
    refused(lambda: check(db), "cannot be opened")
    assert not (tmp_path / "none.db").exists()


def test_a_missing_folder_is_not_created(tmp_path: Path):
    db = Database(f"sqlite:///{tmp_path}/no/folder/store.db")
    refused(lambda: check(db), "cannot be opened")
    refused(lambda: migrate(db), "cannot be created")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path):
    db = Database(f"sqlite:///{tmp_path}/store.db")
    migrate(db)
    assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600
    db.close()


def test_a_file_name_may_have_any_character(tmp_path: Path):
    path = tmp_path / "a b#c?%20é.db"
    db = Database(f"sqlite:///{quote(str(path))}")
    migrate(db)
    check(db)
    db.close()
    assert path.exists()


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path):
    (tmp_path / "letter.db").write_text("Dear Ann, " * 1_000)
    refused(lambda: check(Database(f"sqlite:///{tmp_path}/letter.db")), "not a SQLite database")


@on_sqlite
def test_a_database_that_is_locked_for_too_long_says_so(database_url: str):
    holder, other = Database(database_url), Database(database_url, busy_seconds=0.05)
    with holder.write("writer"):
        refused(lambda: Person().append(Streams(other), an_activity()), "locked by another process")
        check(other)  # readers are not kept out
    holder.close()
    other.close()


def test_who_finds_every_connection_in_use_is_told_so_and_does_not_hang(database_url: str):
    db = Database(database_url, busy_seconds=0.05, pool_size=2, more=1)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(db.read())
        refused(lambda: check(db), "Every connection is in use")
    check(db)
    db.close()


@on_sqlite
@pytest.mark.parametrize("mode", [0o777, 0o555])
def test_a_read_only_file_or_folder_says_so(database: Database, mode: int):
    assert database.path is not None
    folder = database.path.parent
    check(database)
    database.close()
    with modes({database.path: 0o444, folder: mode}), without_root(folder):
        refused(lambda: write_nothing(database), "read-only")
        database.close()


def write_nothing(database: Database) -> None:
    with database.write("writer") as c:
        c.execute(text("DELETE FROM tracking"))


@contextmanager
def modes(wanted: dict[Path, int]) -> Iterator[None]:
    before = {path: path.stat().st_mode for path in wanted}
    try:
        for path, mode in wanted.items():
            path.chmod(mode)
        yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)


@contextmanager
def without_root(folder: Path) -> Iterator[None]:
    """Root may write anything, so for a moment we are somebody else, who may pass to `folder`."""
    if os.geteuid() != 0:
        yield
        return
    with modes({parent: parent.stat().st_mode | 0o011 for parent in folder.parents if parent.owner() == "root"}):
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)


def test_a_server_that_does_not_answer_says_so():
    db = Database("postgresql://nobody@127.0.0.1:1/none")
    failure = refused(lambda: check(db), "cannot be reached")
    assert "127.0.0.1" not in "".join(traceback.format_exception(failure))


def test_a_database_that_does_not_exist_says_so(postgresql: Server):
    db = Database(postgresql.url("there_is_no_such_database"))
    refused(lambda: check(db), "does not exist|cannot be reached")
    db.close()


def test_tables_that_are_missing_are_said_to_be_missing(empty_database_url: str):
    db = Database(empty_database_url)
    db.create_file()
    streams = Streams(db)
    refused(streams.recorder.max_notification_id, "lacks our tables")
    db.close()


def test_a_value_is_in_no_message_and_no_traceback(database: Database):
    """A conflict, a refused statement and a broken statement, each with a value among its parameters."""
    Person().append(Streams(database), an_activity())
    insert = text("INSERT INTO store_facts (name, value) VALUES (:name, :value)")
    said = []
    for statement, values, expected in (
        (insert, {"name": SECRET, "value": "1"}, WroteFirst),
        (text("UPDATE event_header SET kind = :kind"), {"kind": SECRET}, AppendOnly),
        (text("SELECT nothing FROM nowhere WHERE x = :x"), {"x": SECRET}, (SQLAlchemyError, StoreUnavailable)),
    ):
        with pytest.raises(expected) as caught:
            execute_twice(database, statement, values)
        said.append("".join(traceback.format_exception(caught.value)))
    assert all(SECRET not in text for text in said)


def execute_twice(database: Database, statement: TextClause, values: dict[str, str]) -> None:
    with database.write("writer") as c:
        c.execute(statement, values)
        c.execute(statement, values)


def test_reading_writes_nothing(database: Database):
    refused(lambda: read_and_write(database), "read-only")
    with database.write("writer") as c:
        c.execute(text("INSERT INTO store_facts VALUES ('format', '1')"))
    with database.read() as c:
        assert c.execute(text("SELECT count(*) FROM store_facts")).scalar_one() == 1


def read_and_write(database: Database) -> None:
    with database.read() as c:
        c.execute(text("INSERT INTO store_facts VALUES ('format', '1')"))


def test_a_read_sees_one_moment_from_its_first_statement_on(database: Database):
    with database.read() as c:
        assert c.execute(text("SELECT count(*) FROM event_header")).scalar_one() == 0
        Person().append(Streams(database), an_activity())
        assert c.execute(text("SELECT count(*) FROM event_header")).scalar_one() == 0


def test_threads_share_a_database(database: Database):
    streams, people = Streams(database), [Person() for _ in range(24)]

    def live(person: Person) -> int:
        for _ in range(5):
            person.append(streams, an_activity())
        return len(streams.recorder.select_events(person.subject_id))

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(live, people)) == [5] * len(people)


@on_sqlite
def test_every_connection_keeps_what_it_acknowledged(database: Database):
    with database.write("writer") as c, database.read() as other:
        for one in (c, other):
            said = {
                name: one.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "recursive_triggers")
            }
            assert said == {
                "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "recursive_triggers": 1
            }  # fmt: skip


@on_sqlite
def test_after_truncating_nothing_is_left_in_the_write_ahead_file(database: Database):
    Person().append(Streams(database), an_activity())
    assert database.path is not None
    wal = Path(f"{database.path}-wal")
    assert wal.stat().st_size > 0
    database.truncate_wal()
    assert wal.stat().st_size == 0


@on_sqlite
def test_a_reader_in_the_way_of_truncating_is_reported(database_url: str):
    database, reader = Database(database_url, busy_seconds=0.05), Database(database_url)
    Person().append(Streams(database), an_activity())
    with reader.read() as c:
        c.execute(text("SELECT count(*) FROM event_header"))
        Person().append(Streams(database), an_activity())
        refused(database.truncate_wal, "Readers hold")
    database.truncate_wal()
    database.close()
    reader.close()


@on_postgresql
def test_a_write_is_done_as_its_role_and_the_role_ends_with_it(database: Database):
    with database.write("sequencer") as c:
        assert c.execute(text("SELECT current_user")).scalar_one() == "lifecycle_sequencer"
    with database.own() as c:
        assert c.execute(text("SELECT current_user = session_user")).scalar_one()


def test_migrations_are_in_the_wheel(tmp_path: Path):
    """Installed from a wheel, the program still makes its tables."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": ""}
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, env=environment, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import lifecycle; assert sys.argv[1] in lifecycle.__file__, lifecycle.__file__\n"
        "from lifecycle.storage.database import Database\n"
        "from lifecycle.storage.schema import check, migrate\n"
        "db = Database(sys.argv[2]); migrate(db); check(db)\n"
    )
    unpacked = tmp_path / "installed"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(unpacked)], check=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(unpacked), f"sqlite:///{tmp_path}/store.db"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interruption_in_the_middle_of_a_query_comes_through_and_the_next_read_is_served(database: Database):
    """Control-C is not to be told as an error of ours."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def read() -> None:
        with database.read() as c:
            event.listen(database.engine, "before_cursor_execute", interrupt)
            try:
                c.execute(text("SELECT 1"))
            finally:
                event.remove(database.engine, "before_cursor_execute", interrupt)

    with pytest.raises(KeyboardInterrupt):
        read()
    with database.read() as c:
        assert c.execute(text("SELECT 1")).scalar_one() == 1
