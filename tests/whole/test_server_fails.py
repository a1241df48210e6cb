"""PostgreSQL fails: killed, cut off, deadlocked, too slow, full. Nothing that was acknowledged is lost, nothing is done
twice, and what is said is that the store cannot serve now, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cutting import Cut, Wire
from engine.stores import COLLECT, CONSENT, document, times_of
from forked import wait_until
from postgres import kill, start, start_again, stop
from sqlalchemy import event
from whole.stores import Store

from lifecycle.engine import Engine, open_engine
from lifecycle.errors import StoreUnavailable
from lifecycle.storage.database import Database

DURABLE = ("max_connections=200", "shared_buffers=32MB", "deadlock_timeout=200ms")  # fsync is on
ANN, BEN = ({"email": f"{name}@example.com"} for name in ("ann", "ben"))


class Broken:
    """A server of its own, that may be hurt, with a store on it."""

    def __init__(self, folder: Path) -> None:
        self.started = start(DURABLE)
        self.home = str(Path(str(self.started["folder"])) / "home")
        self.keys = folder / "keys"
        with self.connect("postgres") as c:
            c.execute("CREATE DATABASE store TEMPLATE template0")
        self.store = Store(self.url, self.keys)
        self.store.engine.close()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/store?host={self.home}"

    def connect(self, database: str = "store") -> psycopg.Connection[Any]:
        return psycopg.connect(f"host={self.home} user=postgres dbname={database}", autocommit=True)

    def dies_and_comes_back(self) -> None:
        kill(self.started)
        self.started = start_again(self.started, DURABLE)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    one = Broken(tmp_path_factory.mktemp("broken"))
    yield one
    stop(one.started)


@pytest.fixture
def engine(broken: Broken) -> Iterator[Engine]:
    with open_engine(broken.url, keys=broken.keys) as opened:
        yield opened


def collect(id: str, subject: dict[str, str], **fields: Any) -> dict[str, Any]:
    return document("collect", id, subject, data={"name": id}, **COLLECT, **fields)


def people(name: str, count: int = 2) -> list[dict[str, str]]:
    return [{"email": f"{name}{number}@example.com"} for number in range(count)]


def registered(engine: Engine, some: list[dict[str, str]]) -> None:
    given = [document("give-consent", "given", person, **CONSENT) for person in some]
    assert {outcome.outcome for outcome in engine.execute_many(given)} == {"done"}


def collected(engine: Engine, person: dict[str, str]) -> int:
    return [row["kind"] for row in engine.read.history(person)].count("personal-data-collected/1")


def audited(engine: Engine) -> None:
    engine.publish()
    assert engine.log.audit(datetime.now(UTC), engine.vault).findings == ()


def test_a_server_that_is_killed_under_load_keeps_what_was_acknowledged(broken: Broken, engine: Engine):
    """Each caller asks again by the same id until it is answered; fsync is on, as our users have it."""
    some, answers, failures = people("load", 4), dict[tuple[int, int], Any](), list[Exception]()
    registered(engine, some)
    over = threading.Event()

    def one(thread: int) -> None:
        for number in range(12):
            asked = collect(f"{thread}-{number}", some[(thread + number) % len(some)])
            while (thread, number) not in answers and not over.is_set():
                try:
                    answers[thread, number] = asked, engine.execute(asked).model_dump(mode="json")
                except StoreUnavailable as error:
                    failures.append(error)
                    time.sleep(0.02)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(one, thread) for thread in range(4)]
        try:
            wait_until(lambda: len(answers) >= 8)
            broken.dies_and_comes_back()
            for each in running:
                each.result(120)
        finally:
            over.set()
    assert failures, "it was not noticed"
    with open_engine(broken.url, keys=broken.keys) as other:
        assert all(other.execute(asked).model_dump(mode="json") == answer for asked, answer in answers.values())
        assert sum(collected(other, person) for person in some) == len(answers) == 48
        audited(other)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_wire_that_is_cut_at_the_commit_leaves_the_answer_open_and_asking_again_is_right(broken: Broken, cut: Cut):
    (person,) = people(f"wire-{cut}", 1)
    with Wire(f"{broken.home}/.s.PGSQL.5432") as wire:
        url = f"postgresql://postgres@127.0.0.1:{wire.port}/store"
        with open_engine(url, keys=broken.keys) as engine:
            registered(engine, [person])
            asked = collect("cut", person)
            wire.cut_at(cut)
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                engine.execute(asked)
            assert wire.cuts == 1
            with open_engine(broken.url, keys=broken.keys) as other:
                if cut == "after":  # it was done, and nobody was told
                    wait_until(lambda: collected(other, person) == 1)
                else:
                    assert collected(other, person) == 0
            outcome = engine.execute(asked)
            assert outcome.outcome == "done"
            assert engine.execute(asked) == outcome
            assert collected(engine, person) == 1


def test_a_session_that_the_server_ends_at_the_commit_has_done_nothing_and_asking_again_does_it(
    broken: Broken, engine: Engine
):
    (person,) = people("ended", 1)
    registered(engine, [person])
    with (
        committing(engine.database, lambda pid: end(broken, pid)),
        pytest.raises(StoreUnavailable, match="cannot be reached"),
    ):
        engine.execute(collect("ended", person))
    assert engine.execute(collect("ended", person)).outcome == "done"
    assert collected(engine, person) == 1


def end(broken: Broken, pid: int) -> None:
    with broken.connect() as c:
        c.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


@contextmanager
def committing(database: Database, act: Callable[[int], None]) -> Iterator[None]:
    """`act` on the session that is about to commit its first write."""
    acted: list[int] = []

    def commits(conn: Any) -> None:
        pid = conn.connection.dbapi_connection.info.backend_pid
        if not acted:
            acted.append(pid)
            act(pid)

    def writes(_conn: Any, _cursor: Any, said: str, *_: Any) -> None:
        if "INTO event_header" in said and not event.contains(database.engine, "commit", commits):
            event.listen(database.engine, "commit", commits)

    event.listen(database.engine, "before_cursor_execute", writes)
    try:
        yield
        assert acted
    finally:
        event.remove(database.engine, "before_cursor_execute", writes)
        if event.contains(database.engine, "commit", commits):
            event.remove(database.engine, "commit", commits)


def deadlocks(c: psycopg.Connection[Any]) -> int:
    """How many the server has ended."""
    found = c.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = 'store'").fetchone()
    return int(found[0]) if found else 0


def waits(c: psycopg.Connection[Any]) -> bool:
    """Whether another session waits for a lock."""
    found = c.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'store'")
    return bool(found.fetchone()[0])  # type: ignore[index]


LOCKS = "SELECT 1 FROM stream_head WHERE stream_id = %s FOR UPDATE"


def test_whoever_meets_a_deadlock_decides_again(broken: Broken, engine: Engine):
    """Another program takes the rows in the other order. The server ends one of the two: the one that looked last."""
    some = people("dead")
    registered(engine, some)
    first, second = sorted((engine.read.subject_id(person) for person in some), key=lambda id: id.int)
    with (
        broken.connect() as watching,
        psycopg.connect(f"host={broken.home} user=postgres dbname=store") as other,
        ThreadPoolExecutor(2) as pool,
    ):
        before = deadlocks(watching)
        other.execute("SET deadlock_timeout = '60s'")
        other.execute(LOCKS, [second])
        engines = pool.submit(engine.execute_many, [collect("dead", person) for person in some])
        wait_until(lambda: waits(watching))
        other.execute(LOCKS, [first])  # until the engine's session is ended
        other.rollback()
        outcomes = engines.result(60)
        assert [outcome.outcome for outcome in outcomes] == ["done", "done"]
        assert [collected(engine, person) for person in some] == [1, 1]
        engine.database.engine.dispose()  # a session counts its deadlocks when it ends; one that idles, after 10 s
        wait_until(lambda: deadlocks(watching) > before)


def test_a_serialisation_failure_is_decided_again(broken: Broken, engine: Engine):
    """The server gives it once, at the end of a write that was otherwise good."""
    (person,) = people("serial", 1)
    registered(engine, [person])
    with broken.connect() as c, once(c, "40001"):
        assert engine.execute(collect("serial", person)).outcome == "done"
        assert c.execute("SELECT last_value FROM times").fetchone() == (2,)  # once in vain
    assert collected(engine, person) == 1


@contextmanager
def once(c: psycopg.Connection[Any], code: str) -> Iterator[None]:
    """The next command that is remembered fails with that code; a sequence is not set back with its transaction."""
    c.execute(
        f"""
        CREATE SEQUENCE times; GRANT USAGE ON times TO PUBLIC;
        CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('times') = 1 THEN RAISE EXCEPTION 'fails once' USING ERRCODE = '{code}'; END IF; RETURN NEW;
        END $$;
        CREATE TRIGGER fails AFTER INSERT ON command_seen FOR EACH ROW EXECUTE FUNCTION fails();
        """
    )
    try:
        yield
    finally:
        c.execute("DROP TRIGGER fails ON command_seen; DROP FUNCTION fails; DROP SEQUENCE times")


def test_a_statement_that_takes_too_long_is_cancelled_and_asking_again_is_right(broken: Broken):
    (person,) = people("slow", 1)
    with broken.connect() as c, open_engine(broken.url, keys=broken.keys) as engine:
        registered(engine, [person])
        c.execute("ALTER DATABASE store SET statement_timeout = '150ms'")
        try:
            with (
                open_engine(broken.url, keys=broken.keys) as hurried,
                locked(broken, engine, person),
                pytest.raises(StoreUnavailable, match="cancelled the statement"),
            ):
                hurried.execute(collect("slow", person))
            assert engine.execute(collect("slow", person)).outcome == "done"
        finally:
            c.execute("ALTER DATABASE store RESET statement_timeout")
        assert collected(engine, person) == 1


def test_a_lock_that_another_program_keeps_is_not_waited_for_for_ever(broken: Broken, engine: Engine):
    (person,) = people("locked", 1)
    registered(engine, [person])
    impatient = Engine(Database(broken.url, busy_seconds=0.15), broken.keys)
    with (
        impatient,
        locked(broken, engine, person),
        pytest.raises(StoreUnavailable, match="locked by another process"),
    ):
        impatient.execute(collect("locked", person))
    assert engine.execute(collect("locked", person)).outcome == "done"
    assert collected(engine, person) == 1


@contextmanager
def locked(broken: Broken, engine: Engine, person: dict[str, str]) -> Iterator[None]:
    with psycopg.connect(f"host={broken.home} user=postgres dbname=store") as other:
        other.execute(LOCKS, [engine.read.subject_id(person)])
        yield
        other.rollback()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_says_so_and_loses_nothing(broken: Broken, tmp_path: Path):
    with small_disk(Path(broken.home) / "disk", "64m") as disk:
        where = disk / "tablespace"
        where.mkdir()
        shutil.chown(where, "nobody")
        with broken.connect("postgres") as c:
            c.execute(f"CREATE TABLESPACE small LOCATION '{where}'")  # type: ignore[arg-type]
            c.execute("CREATE DATABASE small TEMPLATE template0 TABLESPACE small")
            try:
                _fill_up(f"postgresql://postgres@/small?host={broken.home}", tmp_path / "keys", disk)
            finally:
                c.execute("DROP DATABASE small WITH (FORCE)")
                c.execute("DROP TABLESPACE small")


def _fill_up(url: str, keys: Path, disk: Path) -> None:
    store = Store(url, keys)
    some = people("full", 3)
    registered(store.engine, some)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(shutil.disk_usage(disk).free - (64 << 10)))
    answered: list[tuple[dict[str, Any], Any]] = []

    def until_full() -> None:
        for number in range(2_000):
            asked = collect(f"full-{number}", some[number % 3])
            answered.append((asked, None))
            answered[-1] = asked, store.engine.execute(asked)

    with pytest.raises(StoreUnavailable, match="The disk is full"):
        until_full()
    assert answered[0][1] is not None, "it was full from the beginning"
    ballast.unlink()
    assert store.engine.execute(answered[-1][0]).outcome == "done"
    assert all(store.engine.execute(asked) == outcome for asked, outcome in answered[:-1])
    assert times_of(store.engine.database, "personal-data-collected") == len(answered)
    audited(store.engine)
    store.engine.close()


@contextmanager
def small_disk(disk: Path, size: str) -> Iterator[Path]:
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
