"""States come from the library's repository; in a batch, without a query for each person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from appends import MONDAY, Person, a_birth_date, an_activity
from eventsourcing.application import AggregateNotFoundError
from sqlalchemy import Connection, event

from lifecycle.domain.event import Judged, Recorded, Withheld
from lifecycle.domain.subject.events import BirthDateRecorded
from lifecycle.errors import LifecycleError
from lifecycle.storage import portions
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.mapper import HeaderMapper, recorded


@dataclass(frozen=True)
class Story:
    """The least a fold needs."""

    id: UUID
    version: int = 0
    kinds: tuple[str, ...] = ()


def fold(story: Story | None, events: Iterable[Recorded]) -> Story | None:
    for it in events:
        story = story or Story(it.originator_id)
        story = replace(story, version=it.originator_version, kinds=(*story.kinds, it.event.kind))
    return story


@pytest.fixture
def streams(database: Database) -> Streams:
    return Streams(database)


@pytest.fixture
def people(streams: Streams) -> list[Person]:
    people = [Person() for _ in range(20)]
    for number, person in enumerate(people):
        person.append(streams, *[an_activity()] * (1 + number % 3))
    return people


@pytest.fixture
def queries(database: Database) -> list[str]:
    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(c: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    return seen


def get(streams: Streams, stream_id: UUID) -> Story:
    return streams.repository.get(stream_id, projector_func=fold)


def test_a_state_is_folded_from_what_was_saved(streams: Streams):
    ann = Person()
    ann.append(streams, an_activity(), a_birth_date())
    assert get(streams, ann.subject_id) == Story(ann.subject_id, 2, ("activity-recorded/1", "birth-date-recorded/1"))
    ann.append(streams, an_activity())
    assert get(streams, ann.subject_id).version == 3


def test_a_stream_without_events_is_not_found(streams: Streams):
    with pytest.raises(AggregateNotFoundError):
        get(streams, UUID(int=7))


def test_an_event_reads_back_as_it_was_written_but_sealed(streams: Streams):
    ann = Person()
    (written,) = ann.append(streams, a_birth_date("h1", "2000-02-29"))
    (read,) = streams.events.get(ann.subject_id)
    assert isinstance(read, Recorded)
    assert read.header == written.header
    assert (read.originator_id, read.originator_version, read.recorded_at) == (ann.subject_id, 1, MONDAY)
    assert read.judged == Judged("c0ffee", "service", "recruiting-site/1.0#9f2c", Withheld.SEALED, Withheld.SEALED)
    assert isinstance(read.event, BirthDateRecorded)
    assert read.event.values == {"h1": Withheld.SEALED}
    assert read.event.evidence is Withheld.SEALED
    assert read.event.header_data() == written.event.header_data()


def test_what_was_not_placed_cannot_be_stored(streams: Streams):
    ann = Person()
    loose = Recorded(ann.subject_id, 1, MONDAY, an_activity(), Judged("", "service", ""))
    with pytest.raises(AssertionError, match="placed"):
        streams.save(loose)


def test_a_stored_name_is_never_an_import_path(streams: Streams):
    header = Person().appending(an_activity()).recorded[0].header
    evil = header.replace(b'"activity-recorded"', b'"os:system"')
    with pytest.raises(LifecycleError, match="os:system"):
        recorded(UUID(int=1), 1, evil)
    assert isinstance(streams.mapper, HeaderMapper)


def test_many_people_are_read_with_one_query_and_a_look_at_the_heads(
    streams: Streams, people: list[Person], queries: list[str]
):
    with streams.prefetched(person.subject_id for person in people):
        stories = [get(streams, person.subject_id) for person in people]
    assert [story.version for story in stories] == [person.head.version for person in people]
    assert ["event_header" in query for query in queries] == [False, True]


def test_of_many_long_records_no_more_is_in_memory_than_may_be_at_once(
    streams: Streams, people: list[Person], queries: list[str], monkeypatch: pytest.MonkeyPatch
):
    ids = [person.subject_id for person in people]
    versions = {person.subject_id: person.head.version for person in people}
    longest = max(versions.values())
    monkeypatch.setattr(portions, "EVENTS", longest)
    shared = portions.shared_out(ids, lambda id: id, versions)
    assert 1 < len(shared) <= len(people)
    read: list[tuple[int, bytes]] = []
    with streams.recorder.prefetched(ids, heads=versions):
        for id in ids:
            read += streams.recorder.states(id, None, None)
        assert len(queries) == len(shared)
        # Of who was read before nothing is new, and what was read is gone: from the beginning it is read again.
        assert streams.recorder.states(ids[0], versions[ids[0]], None) == []
        assert len(queries) == len(shared)
        assert [version for version, _ in streams.recorder.states(ids[0], None, None)] == [
            *range(1, versions[ids[0]] + 1)
        ]
        assert len(queries) == len(shared) + 1
    assert read == [state for id in ids for state in streams.recorder.states(id, None, None)]


def test_people_who_are_known_and_did_not_move_cost_one_look_at_the_heads(
    streams: Streams, people: list[Person], queries: list[str]
):
    ids = [person.subject_id for person in people]
    for stream_id in ids:
        get(streams, stream_id)
    queries.clear()
    with streams.prefetched(ids):
        assert [get(streams, stream_id).version for stream_id in ids] == [person.head.version for person in people]
    assert len(queries) == 1
    assert "event_header" not in queries[0]


def test_of_people_who_moved_only_what_is_new_is_read(
    streams: Streams, database: Database, people: list[Person], queries: list[str]
):
    ids = [person.subject_id for person in people]
    for stream_id in ids[:10]:
        get(streams, stream_id)
    for person in people[5:15]:
        person.append(Streams(database), an_activity())
    queries.clear()
    with streams.prefetched([*ids, UUID(int=3)]):
        stories = [get(streams, stream_id) for stream_id in ids]
        with pytest.raises(AggregateNotFoundError):
            get(streams, UUID(int=3))
    assert [story.version for story in stories] == [person.head.version for person in people]
    assert [len(story.kinds) for story in stories] == [person.head.version for person in people]
    assert len(queries) == 2


def test_after_the_block_a_stream_is_read_anew(streams: Streams, people: list[Person]):
    ann = people[0]
    with streams.prefetched([ann.subject_id]):
        before = get(streams, ann.subject_id)
        ann.append(streams, an_activity())
        assert get(streams, ann.subject_id) == before  # one moment for a whole batch
    assert get(streams, ann.subject_id).version == before.version + 1


def test_what_was_read_ahead_answers_like_the_database(streams: Streams, people: list[Person]):
    ann = Person()
    ann.append(streams, *[an_activity()] * 6)
    windows: list[dict[str, Any]] = [
        {},
        {"gt": 2},
        {"gt": 9},
        {"lte": 4},
        {"gt": 1, "lte": 5},
        {"desc": True},
        {"desc": True, "limit": 2},
        {"limit": 3},
    ]
    plain = [streams.recorder.select_events(ann.subject_id, **window) for window in windows]
    with streams.recorder.prefetched([ann.subject_id]):
        assert [streams.recorder.select_events(ann.subject_id, **window) for window in windows] == plain
    with streams.recorder.prefetched([ann.subject_id], gt={ann.subject_id: 3}):
        assert [streams.recorder.select_events(ann.subject_id, **window) for window in windows] == plain


def test_states_are_what_the_library_is_given_without_its_objects(streams: Streams):
    ann = Person()
    ann.append(streams, *[an_activity()] * 6)
    recorder, id = streams.recorder, ann.subject_id
    for gt, lte in ((None, None), (2, None), (9, None), (None, 4), (1, 5)):
        told = [(event.originator_version, event.state) for event in recorder.select_events(id, gt=gt, lte=lte)]
        assert list(recorder.states(id, gt, lte)) == told
        with recorder.prefetched([id]):
            assert recorder.states(id, gt, lte) == told
        with recorder.prefetched([id], gt={id: 3}):
            assert list(recorder.states(id, gt, lte)) == told
        by_mapper = [streams.mapper.to_domain_event(each) for each in recorder.select_events(id, gt=gt, lte=lte)]
        assert list(streams.events.get(id, gt=gt, lte=lte)) == by_mapper
    assert [each.originator_version for each in streams.events.get(id, desc=True, limit=2)] == [6, 5]


def test_a_batch_can_be_read_in_a_transaction_of_the_caller(
    streams: Streams, database: Database, people: list[Person], queries: list[str]
):
    ids = [person.subject_id for person in people]
    with database.read() as c, streams.recorder.prefetched(ids, connection=c):
        found = [len(streams.recorder.select_events(stream_id)) for stream_id in ids]
    assert found == [person.head.version for person in people]
    assert len(queries) == 2


def test_states_in_the_cache_hold_no_values(streams: Streams):
    ann = Person()
    ann.append(streams, a_birth_date("h1", "2000-02-29"))
    get(streams, ann.subject_id)
    assert streams.repository.cache is not None
    assert "2000-02-29" not in repr(streams.repository.cache.cache)


def test_there_are_no_snapshots(streams: Streams):
    with pytest.raises(NotImplementedError, match="copies of people"):
        streams.factory.aggregate_recorder(purpose="snapshots")
