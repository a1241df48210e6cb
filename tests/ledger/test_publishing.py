"""What is published is the log: on both engines, after crashes, by several at once, and never two histories."""

from __future__ import annotations

from pathlib import Path

import pytest
from appends import MONDAY, Person
from published import Log

from lifecycle.ledger.integration import read_tree
from lifecycle.ledger.subject_map import read_entry
from lifecycle.ledger.tables import map_expunged, map_tile
from lifecycle.storage.database import Database
from lifecycle.storage.erasing import expunge


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    return Log(database, tmp_path).begin()


def test_the_first_checkpoint_has_the_genesis_entry_and_an_empty_map(log: Log):
    entry = log.assert_published(log.publish())
    assert (entry.depth, entry.covered, entry.streams, entry.events) == (0, 1, 0, 0)


def test_a_person_s_events_are_in_tree_map_and_files(log: Log):
    ann = Person()
    log.live(ann, events=3)
    published = log.publish()
    entry = log.assert_published(published)
    assert (published.size, entry.covered, entry.streams, entry.events) == (5, 4, 1, 3)


def test_without_anything_new_nothing_happens(log: Log):
    log.live(Person())
    published = log.publish()
    before = {path: path.stat().st_mtime_ns for path in log.home.rglob("*") if path.is_file()}
    assert log.publish() == published
    assert {path: path.stat().st_mtime_ns for path in log.home.rglob("*") if path.is_file()} == before
    assert len(log.entries()) == published.size


def test_checkpoint_after_checkpoint_through_growth_and_full_tiles(log: Log):
    people = [Person() for _ in range(70)]
    for turn in range(6):
        log.live(*people[turn:], events=1 + turn % 2)
        log.assert_published(log.publish())
    assert len(log.entries()) > 512


@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_a_backlog_is_taken_in_batches_and_gets_one_map_entry(log: Log, at_once: int):
    log.live(*(Person() for _ in range(40)), events=2)
    published = log.publish(at_once)
    assert published.size == 1 + 80 + 1
    log.assert_published(published)


def test_a_map_that_is_rebuilt_is_the_one_that_grew(log: Log):
    people = [Person() for _ in range(150)]
    for turn in range(3):
        log.live(*people[turn * 40 :], events=turn + 1)
        log.publish()
    with log.database.write("expunger") as c:
        c.execute(map_expunged.insert().values(sid=people[0].head.sid))
        expunge(c, [people[0].subject_id], MONDAY)
    log.live(Person())
    published = log.publish()
    said = read_entry(log.entries()[published.size - 1])
    with log.database.own() as c:
        c.execute(map_tile.delete())
    assert log.rebuild_map() == said.top_root
    with log.database.read() as c:
        assert read_tree(c).streams == said.streams == 151
