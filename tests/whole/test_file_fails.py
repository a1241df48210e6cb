"""The file of a SQLite database fails: full, limited, slow, damaged. What was acknowledged stands, and what is damaged is
never served as if it were not."""

from __future__ import annotations

import json
import os
import random
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from engine.stores import COLLECT, CONSENT, document, lift_triggers, times_of
from forked import Forks, wait_until
from postgres import on_sqlite
from sqlalchemy import event, select, text, update
from whole.flips import Verdicts, flip, made, told
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.engine import Engine, open_engine
from lifecycle.errors import StoreUnavailable
from lifecycle.ledger.tables import event_position
from lifecycle.storage.failures import RecordDamaged
from lifecycle.storage.tables import event_header
from lifecycle.vault.sealing import RECORD, Tampered
from lifecycle.vault.tables import data_key

PAGE = 4096


def collect(id: str, subject: dict[str, str] = ANN) -> dict[str, Any]:
    return document("collect", id, subject, data={"name": id}, **COLLECT)


def file_of(store: Store) -> Path:
    return Path(store.settings.db.removeprefix("sqlite:///"))


def audited(engine: Engine) -> None:
    engine.publish()
    assert engine.log.audit(datetime.now(UTC), engine.vault).findings == ()


def went_on(store: Store, answered: list[tuple[dict[str, Any], dict[str, Any]]], failed: dict[str, Any]) -> None:
    """What was answered stands, what failed is done when it is asked again, and each once: what failed may be on the
    disk, when that was full only for what follows the command."""
    engine = store.reopen()
    assert all(engine.execute(asked).model_dump(mode="json") == answer for asked, answer in answered)
    assert times_of(engine.database, "personal-data-collected") - len(answered) in (0, 1)
    for number, asked in enumerate((failed, collect("at last")), len(answered) + 1):
        assert engine.execute(asked).outcome == "done"
        assert engine.execute(asked) == engine.execute(asked)
        assert times_of(engine.database, "personal-data-collected") == number
    audited(engine)


@on_sqlite
def test_a_full_database_says_so_and_what_was_acknowledged_stands(store: Store):
    store.consent()
    answered = []
    commands = [collect(f"n{number}") for number in range(500)]

    def until_full() -> None:
        for asked in commands:
            answered.append((asked, store.engine.execute(asked).model_dump(mode="json")))  # noqa: PERF401 -- until then

    with at_most_pages(store, 8), pytest.raises(StoreUnavailable, match="The disk is full"):
        until_full()
    assert answered
    went_on(store, answered, commands[len(answered)])


@contextmanager
def at_most_pages(store: Store, more: int) -> Iterator[None]:
    def connected(driver: Any, _: Any) -> None:
        driver.execute(f"PRAGMA max_page_count = {limit}")

    store.engine.close()
    limit = file_of(store).stat().st_size // PAGE + more
    store.engine = open_engine(store.settings.db, keys=store.settings.keys)
    store.engine.database.engine.dispose()
    event.listen(store.engine.database.engine, "connect", connected)
    try:
        yield
    finally:
        event.remove(store.engine.database.engine, "connect", connected)


def execute_under_a_limit(db: str, keys: str, file: str, room: int) -> None:
    """In a process that may not make any file longer than the database is by `room` bytes."""
    with open_engine(db, keys=keys) as engine:
        longest = Path(db.removeprefix("sqlite:///")).stat().st_size + room
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        for number in range(2_000):
            asked = collect(f"n{number}")
            try:
                line = json.dumps([asked, engine.execute(asked).model_dump(mode="json")])
            except StoreUnavailable as error:
                line = json.dumps([asked, str(error)])
            with Path(file).open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")
            if "outcome" not in line:
                return


@on_sqlite
def test_a_file_that_may_not_grow_says_so_and_what_was_acknowledged_stands(store: Store, forks: Forks, tmp_path: Path):
    store.consent()
    store.engine.close()
    file = tmp_path / "said"
    said = {"db": store.settings.db, "keys": str(store.settings.keys), "file": str(file), "room": 200_000}
    assert forks("whole.test_file_fails:execute_under_a_limit", **said).wait() == 0
    *answered, (asked, failure) = map(json.loads, file.read_text().splitlines())
    assert answered
    assert failure.startswith(("The disk is full", "The disk failed")), failure
    assert asked["data"]["name"] not in failure
    went_on(store, answered, asked)


# -- a slow disk ---------------------------------------------------------------------------------------------------------


def execute_slowly(db: str, keys: str, file: str) -> None:
    """Each commit takes its time, before and after it is on the disk."""
    chance = random.Random(1)
    with open_engine(db, keys=keys) as engine:
        commit = engine.database.engine.dialect.do_commit

        def slow(connection: Any) -> None:
            time.sleep(chance.uniform(0, 0.02))
            commit(connection)
            time.sleep(chance.uniform(0, 0.02))

        engine.database.engine.dialect.do_commit = slow  # type: ignore[method-assign]

        def one(number: int) -> None:
            asked = collect(f"n{number}", (ANN, BEN)[number % 2])
            line = json.dumps([asked, engine.execute(asked).model_dump(mode="json")])
            with Path(file).open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(400)))


def test_a_slow_disk_loses_no_answer_also_when_the_process_is_killed(store: Store, forks: Forks, tmp_path: Path):
    for person in (ANN, BEN):
        store.engine.execute(document("give-consent", "given", person, **CONSENT))
    store.engine.close()
    file = tmp_path / "said"
    said = {"db": store.settings.db, "keys": str(store.settings.keys), "file": str(file)}
    with forks("whole.test_file_fails:execute_slowly", **said) as running:
        wait_until(lambda: file.exists() and file.read_text().count("\n") >= 12)
        running.kill()
    answered = [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    engine = store.reopen()
    assert all(engine.execute(asked).model_dump(mode="json") == answer for asked, answer in answered)
    kept = times_of(engine.database, "personal-data-collected")
    assert len(answered) <= kept <= len(answered) + 4  # of those under way, some were done and nobody was told
    audited(engine)


# -- damage --------------------------------------------------------------------------------------------------------------

FLIPS = 1_500 if os.environ.get("LIFECYCLE_EXAMPLES") == "soak" else 24


def test_a_bit_that_the_disk_changed_is_refused_or_changes_no_answer(tmp_path: Path):
    """Of everything that may be asked of two people."""
    store = made(tmp_path)
    verdicts = Verdicts(told(store.engine))
    store.engine.database.truncate_wal()
    store.engine.close()
    flip(tmp_path, store.settings.keys, verdicts, random.Random(8), FLIPS)
    assert not verdicts.silent
    assert sum(times for came, times in verdicts.came.items() if came.startswith("refused"))
    assert not any(value in said for said in verdicts.said for value in TRIAL.values())


@on_sqlite
def test_text_that_is_none_is_damage_and_not_repeated(store: Store):
    store.consent()
    store.collect()
    store.held()
    with store.engine.database.own() as c:
        c.execute(text("UPDATE current_holding SET category = CAST(x'456d61f46c' AS TEXT)"))
    with pytest.raises(StoreUnavailable, match="The database file is damaged") as refused:
        store.held()
    assert "Ema" not in str(refused.value)
    assert refused.value.__cause__ is None


@on_sqlite
@pytest.mark.parametrize(("table", "column"), [("consent_status", "notice"), ("stream_head", "commitment")])
def test_a_column_whose_name_the_disk_changed_is_damage_and_no_error_of_the_driver(
    store: Store, table: str, column: str
):
    store.consent()
    store.held()
    with store.engine.database.own() as c:
        lift_triggers(c, event_header)
        c.exec_driver_sql(f"ALTER TABLE {table} RENAME COLUMN {column} TO {column}x")
    with pytest.raises(StoreUnavailable, match="lacks a column") as refused:
        store.engine.read.consents(ANN)
    assert "the file is damaged" in refused.value.remedy


@on_sqlite
def test_a_key_that_is_not_found_in_its_place_is_damage_and_no_erasure(store: Store):
    """Its row is there, under an id that the disk changed."""
    store.consent()
    store.collect()
    ann = store.engine.read.subject_id(ANN)
    with store.engine.database.own() as c:
        root = c.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'data_key'").scalar()
        first = select(data_key.c.kid).where(data_key.c.subject_id == ann, data_key.c.hid != RECORD)
        kid = c.execute(first.order_by(data_key.c.kid).limit(1)).scalar_one().encode()
    store.engine.database.truncate_wal()
    store.engine.close()
    file = file_of(store)
    whole, id = bytearray(file.read_bytes()), ann.hex.encode()
    page = slice((root - 1) * PAGE, root * PAGE)
    assert id + kid in whole[page]
    whole[page] = whole[page].replace(id + kid, b"f" + id[1:] + kid)
    file.write_bytes(whole)
    store.engine = open_engine(store.settings.db, keys=store.settings.keys)
    # By chance the row is not found, or found as if it were hers, which it was not wrapped for.
    with pytest.raises((StoreUnavailable, Tampered), match=r"no erasure explains it|does not open"):
        store.held()


@on_sqlite
def test_an_event_that_the_disk_changed_is_not_told_as_if_it_had_happened(store: Store):
    store.consent()
    store.collect()
    with store.engine.database.own() as c:
        lift_triggers(c, event_header)
        third = event_header.c.version == 3
        header = c.execute(select(event_header.c.header).where(third)).scalar_one()
        c.execute(update(event_header).where(third).values(header=header.replace(b"web-form", b"web-fprm")))
    with pytest.raises(RecordDamaged, match="Event 3 "):
        store.engine.read.history(ANN)


@on_sqlite
def test_nothing_is_shown_in_clear_by_a_projection_that_says_something_else_than_the_record(store: Store):
    store.consent()
    store.collect()
    ann = store.engine.read.subject_id(ANN)
    assert store.engine.read.clear(ann, "free-trial")
    with store.engine.database.own() as c:
        c.execute(text('UPDATE current_holding SET "until" = "until" + 64'))
    with pytest.raises(StoreUnavailable, match="is not what the record says"):
        store.engine.read.clear(ann, "free-trial")
    store.engine.follower.rebuild()
    assert store.engine.read.clear(ann, "free-trial")


@on_sqlite
def test_a_consent_is_not_answered_by_a_projection_that_says_something_else_than_the_record(store: Store):
    store.consent()
    assert store.engine.read.consents(ANN)
    with store.engine.database.own() as c:
        c.execute(text("UPDATE consent_status SET notice = '9.9'"))
    with pytest.raises(StoreUnavailable, match="is not what the record says"):
        store.engine.read.consents(ANN)
    store.engine.follower.rebuild()
    assert store.engine.read.consents(ANN)


def test_an_event_that_has_no_place_and_does_not_wait_for_one_is_damage(store: Store):
    store.consent()
    store.engine.drain()
    ann = store.engine.read.subject_id(ANN)
    with store.engine.database.own() as c:
        lift_triggers(c, event_position)
        lost = (event_position.c.stream_id == ann) & (event_position.c.version == 2)
        c.execute(update(event_position).where(lost).values(version=99))
    with pytest.raises(RecordDamaged, match="Event 2 "):
        store.engine.read.history(ANN)
