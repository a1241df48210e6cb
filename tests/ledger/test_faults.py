"""What is wrong with the log is found by looking; a log that is well has no faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from appends import MONDAY, Person, an_activity
from published import Log
from sqlalchemy import text

from lifecycle.ledger.faults import deep_faults, faults
from lifecycle.ledger.sequencer import enqueue_system_entry
from lifecycle.ledger.tables import map_expunged
from lifecycle.storage.database import Database
from lifecycle.storage.erasing import expunge

ZEROS = 4 * 32  # as long as the map's row of hashes


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    log = Log(database, tmp_path).begin()
    log.live(*(Person() for _ in range(40)), events=2)
    log.publish()
    log.live(Person())
    log.publish()
    return log


def found(log: Log, after: timedelta = timedelta(0)) -> list[str]:
    with log.database.read() as c:
        return faults(c, datetime.now(UTC) + after)


def found_deep(log: Log) -> list[str]:
    with log.database.read() as c:
        return deep_faults(c)


def tamper(log: Log, *statements: str) -> None:
    """As the owner of the database can, past its triggers."""
    with log.database.own() as c:
        if log.database.is_sqlite:
            for name in c.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
                c.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            c.execute(text(statement), {"zeros": bytes(ZEROS)} if ":zeros" in statement else {})


def test_a_log_that_is_well_has_no_faults(log: Log):
    assert found(log) == found_deep(log) == []


def test_a_log_without_checkpoints_has_no_faults(database: Database, tmp_path: Path):
    log = Log(database, tmp_path).begin()
    assert found(log) == found_deep(log) == []


def test_an_event_that_waits_for_more_than_a_minute_is_a_fault(log: Log):
    Person().append(log.streams, an_activity())
    assert found(log) == []
    assert found(log, timedelta(seconds=59)) == []
    (said,) = found(log, timedelta(seconds=75))
    assert "waited for its position" in said


def test_a_checkpoint_that_is_to_come_is_told(log: Log):
    log.live(Person())
    log.publisher.integrate(10)
    (said,) = found(log)
    assert "checkpoint to come" in said


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE log_state SET size = size + 1", "size"),
        ("UPDATE log_state SET size = 5", "fewer leaves than its tree"),
        ("UPDATE log_tree SET root = :zeros", "another root"),
        ("UPDATE log_tree SET size = size - 1", "larger tree"),
    ],
)
def test_what_was_done_to_the_rows_is_told(log: Log, statement: str, fault: str):
    tamper(log, statement)
    assert any(fault in said for said in found(log))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE log_entry SET entry = :zeros WHERE position = 7", "a row was changed"),
        ("UPDATE log_tree SET events = events + 1", "number of events"),
        ("UPDATE log_tree SET streams = streams + 1", "number of streams"),
        ("DELETE FROM event_position WHERE position = 7", "belongs to no stream"),
        ("DELETE FROM event_position WHERE position = 7", "does not count"),
        ("DELETE FROM map_bucket WHERE bucket = 0", "does not count"),
        ("UPDATE map_tile SET hashes = :zeros", "subject map is not the one"),
        ("DELETE FROM log_entry WHERE position = 7", "gap"),
    ],
)
def test_what_only_a_walk_over_everything_finds_is_told(log: Log, statement: str, fault: str):
    tamper(log, statement)
    assert any(fault in said for said in found_deep(log))


def test_what_was_expunged_and_declared_is_no_fault(log: Log):
    ann = Person()
    log.live(ann)
    published = log.publish()
    with log.database.write("expunger") as c:
        c.execute(map_expunged.insert().values(sid=ann.head.sid))
        expunge(c, [ann.subject_id], MONDAY)
        at = published.size - 2
        record = {"at": "2026-11-23T09:00:00.000000Z", "kind": "expunged/1", "leaves": [[at, at + 1]]}
        enqueue_system_entry(c, record, ann.appending(an_activity()).rows.placed[0].event_id)
    log.sequence()
    log.publish()
    assert found(log) == found_deep(log) == []
