"""Every committed event gets one place in the log: none is skipped or doubled, whoever writes, sequences or dies."""

from __future__ import annotations

import signal
import time
from threading import Thread
from uuid import UUID

import pytest
from appends import MONDAY, Person, an_activity
from eventsourcing.persistence import IntegrityError
from forked import Forks
from postgres import on_sqlite
from sqlalchemy import Connection, func, select
from uuid_utils.compat import uuid7
from working import events_of

from lifecycle.domain.streams import SYSTEM
from lifecycle.ledger import sequencer
from lifecycle.ledger.sequencer import (
    LogMissing,
    enqueue_system_entry,
    log_size,
    sequence,
    waiting_entries,
    write_genesis,
)
from lifecycle.ledger.tables import event_position, ledger_queue, log_entry
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.tables import event_header

WRITERS = 4
APPENDS = 200


@pytest.fixture
def begun(database: Database) -> Database:
    with database.own() as c:
        write_genesis(c, {"kind": "genesis", "simulated": False})
    return database


def drain(database: Database, limit: int = 4096) -> int:
    total = 0
    while True:
        with database.write("sequencer") as c:
            moved = sequence(c, limit)
        total += moved
        if not moved:
            return total


def log_of(c: Connection) -> list[tuple[int, UUID | None, int | None]]:
    """(position, stream, version) of every leaf; the log's own leaves have no stream."""
    joined = select(log_entry.c.position, event_position.c.stream_id, event_position.c.version).outerjoin(
        event_position, event_position.c.position == log_entry.c.position
    )
    return [(row.position, row.stream_id, row.version) for row in c.execute(joined.order_by(log_entry.c.position))]


def assert_complete(database: Database, events: int, own_leaves: int = 1) -> None:
    """Positions are gapless from 0; each event has one; each stream is in the order of its versions."""
    with database.read() as c:
        log = log_of(c)
        headers = {tuple(row) for row in c.execute(select(event_header.c.stream_id, event_header.c.version))}
        assert waiting_entries(c) == 0
        assert log_size(c) == len(log) == events + own_leaves
    assert [position for position, _, _ in log] == list(range(len(log)))
    placed = [(stream_id, version) for _, stream_id, version in log if stream_id is not None]
    assert len(placed) == len(set(placed)) == events
    assert set(placed) == headers
    reached: dict[UUID, int] = {}
    for stream_id, version in placed:
        assert version == reached.get(stream_id, 0) + 1
        reached[stream_id] = version


def test_leaf_0_is_the_genesis_entry_and_is_written_once(database: Database):
    with database.write("sequencer") as c:
        write_genesis(c, {"kind": "genesis", "simulated": True})
    with pytest.raises(IntegrityError), database.write("sequencer") as c:
        write_genesis(c, {"kind": "genesis", "simulated": False})
    with database.read() as c:
        assert c.execute(select(log_entry.c.entry)).scalars().all() == [b'\x03{"kind":"genesis","simulated":true}']
        assert log_size(c) == 1


def test_nothing_is_sequenced_before_there_is_a_log(database: Database):
    with pytest.raises(LogMissing, match="lifecycle init"), database.write("sequencer") as c:
        sequence(c)


def test_the_entry_of_an_event_is_moved_unchanged(begun: Database):
    ann = Person()
    ann.append(Streams(begun), an_activity(), an_activity())
    with begun.read() as c:
        waiting = c.execute(select(ledger_queue.c.entry).order_by(ledger_queue.c.version)).scalars().all()
    assert drain(begun) == 2
    with begun.read() as c:
        assert c.execute(select(log_entry.c.entry).order_by(log_entry.c.position)).scalars().all()[1:] == waiting
    assert_complete(begun, events=2)


def test_sequencing_nothing_changes_nothing(begun: Database):
    assert drain(begun) == 0
    assert_complete(begun, events=0)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_streams_keep_their_order_whatever_the_limit(begun: Database, limit: int):
    streams, people = Streams(begun), [Person() for _ in range(3)]
    for turn in range(4):
        for person in people[turn % 2 :]:
            person.append(streams, *[an_activity()] * (1 + turn % 2))
    with begun.read() as c:
        events = waiting_entries(c)
    while True:
        with begun.write("sequencer") as c:
            moved = sequence(c, limit)
        assert moved <= limit
        if not moved:
            break
    assert_complete(begun, events)


def test_the_log_s_own_entries_take_leaves_in_their_turn(begun: Database):
    streams, ann = Streams(begun), Person()
    ann.append(streams, an_activity())
    for number in range(2):
        with begun.write("eraser") as c:
            enqueue_system_entry(c, {"kind": "epoch-destroyed", "epoch": number}, uuid7())
    ann.append(streams, an_activity())
    assert drain(begun) == 4
    with begun.read() as c:
        assert [stream_id for _, stream_id, _ in log_of(c)] == [None, ann.subject_id, None, None, ann.subject_id]
        assert c.execute(select(func.count()).where(event_position.c.stream_id == SYSTEM)).scalar_one() == 0
    assert_complete(begun, events=2, own_leaves=3)


def test_an_event_committed_late_is_found_the_next_time(begun: Database):
    """An older event id that commits after newer ones were sequenced: what a cursor would skip."""
    streams, early, late = Streams(begun), Person(), Person()
    slow = late.appending(an_activity())
    early.append(streams, an_activity())
    assert drain(begun) == 1
    streams.save(*slow.recorded, rows=slow.rows)
    assert slow.rows.placed[0].event_id.int < early.head.event_id.int
    assert drain(begun) == 1
    assert_complete(begun, events=2)


def test_with_writers_at_work_none_is_skipped_and_none_is_doubled(begun: Database, forks: Forks):
    said = {"url": begun.url, "appends": APPENDS}
    writers = [forks("working:write_many", number=number, **said) for number in range(WRITERS)]
    sequenced = [0, 0]
    finished: list[bool] = []

    def run(mine: int) -> None:  # two sequencers, as when two engines drain at once
        while True:
            last = bool(finished)
            moved = drain(begun, limit=64)
            sequenced[mine] += moved
            if last and not moved:
                return
            time.sleep(0.05)

    sequencers = [Thread(target=run, args=(mine,)) for mine in (0, 1)]
    for thread in sequencers:
        thread.start()
    ended = [writer.wait() for writer in writers]
    finished.append(True)
    for thread in sequencers:
        thread.join(60)
    assert ended == [0] * WRITERS
    expected = sum(events_of(number, turn) for number in range(WRITERS) for turn in range(APPENDS))
    assert sum(sequenced) == expected
    assert_complete(begun, events=expected)


@pytest.mark.parametrize("statement", [3, 4, 5, 6, 99])
def test_a_sequencer_that_is_killed_loses_and_doubles_nothing(begun: Database, forks: Forks, statement: int):
    ann = Person()
    ann.append(Streams(begun), *[an_activity()] * 5)
    assert forks("working:sequence_and_die", url=begun.url, statement=statement).wait() == -signal.SIGKILL
    statements = 6 if begun.is_sqlite else 4
    assert drain(begun) == (5 if statement <= statements else 0)
    assert_complete(begun, events=5)


def test_the_queue_is_empty_of_exactly_what_was_moved(begun: Database):
    people = [Person() for _ in range(3)]
    for person in people:
        person.append(Streams(begun), an_activity())
    with begun.write("sequencer") as c:
        assert sequence(c, limit=2) == 2
        assert waiting_entries(c) == 1
    with begun.read() as c:
        assert log_size(c) == 3


@on_sqlite
def test_two_system_entries_at_once_do_not_get_one_number(begun: Database):
    with begun.write("sequencer") as c:
        for _ in range(3):
            enqueue_system_entry(c, {"kind": "noted", "at": MONDAY.isoformat()}, uuid7())
        rows = c.execute(select(ledger_queue.c.version).where(ledger_queue.c.stream_id == SYSTEM)).scalars().all()
    assert sorted(rows) == [1, 2, 3]
    assert sequencer.SYSTEM == SYSTEM
