"""What is published is the log: on both engines, after crashes, by several at once, and never two histories."""

from __future__ import annotations

from pathlib import Path

import pytest
from appends import Person
from published import Log

from lifecycle.storage.database import Database


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
