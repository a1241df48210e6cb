"""One append is one transaction: all of it or nothing, and never on top of what somebody else changed."""

from __future__ import annotations

import weakref
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from appends import JUDGED, MONDAY, Person, a_birth_date, a_lookup, a_seen_command, an_activity
from eventsourcing.persistence import IntegrityError
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from lifecycle.domain.event import Withheld
from lifecycle.domain.streams import access_stream_of
from lifecycle.ledger import envelope
from lifecycle.ledger.envelope import commitment, event_entry, read_header, stream_key, tag
from lifecycle.ledger.tables import ledger_queue
from lifecycle.storage import erasing, tables
from lifecycle.storage.appending import Appending, Head, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.failures import WroteFirst, let_go
from lifecycle.storage.rows import BULK
from lifecycle.storage.uncollected import uncollected
from lifecycle.vault.sealing import OpenParts, open_part
from lifecycle.vault.tables import data_key, lookup, subject_key


@pytest.fixture
def streams(database: Database) -> Streams:
    return Streams(database)


def rows_of(database: Database, stream_id: UUID) -> dict[str, int]:
    with database.read() as c:
        return {
            table.name: c.execute(select(func.count()).select_from(table).where(column == stream_id)).scalar_one()
            for table, column in (
                (tables.event_header, tables.event_header.c.stream_id),
                (tables.event_body, tables.event_body.c.stream_id),
                (tables.stream_head, tables.stream_head.c.stream_id),
                (tables.command_seen, tables.command_seen.c.stream_id),
                (tables.pending_erasure, tables.pending_erasure.c.stream_id),
                (ledger_queue, ledger_queue.c.stream_id),
                (subject_key, subject_key.c.subject_id),
                (data_key, data_key.c.subject_id),
                (lookup, lookup.c.subject_id),
            )
        }


def test_an_append_writes_every_row_that_belongs_to_it(streams: Streams, database: Database):
    ann = Person()
    appending = ann.appending(an_activity(), a_birth_date())
    appending.rows.commands.append(a_seen_command(ann.subject_id))
    appending.rows.lookups.append(a_lookup(ann.subject_id, b"token"))
    appending.rows.pending_erasures.append({"stream_id": ann.subject_id, "version": 2, "at": MONDAY})
    streams.save(*appending.recorded, rows=appending.rows)
    assert rows_of(database, ann.subject_id) == {
        "event_header": 2,
        "event_body": 3,  # the record part of each, and one value
        "stream_head": 1,
        "command_seen": 1,
        "pending_erasure": 1,
        "ledger_queue": 2,
        "subject_key": 1,
        "data_key": 1,
        "lookup": 1,
    }


def test_the_head_that_is_stored_is_the_head_that_was_returned(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, an_activity(), a_birth_date())
    ann.append(streams, an_activity())
    with database.read() as c:
        (head,) = load_heads(c, [ann.subject_id, UUID(int=5)]).values()
    assert (head.version, head.at) == (3, MONDAY)
    assert head == Head(**{name: getattr(ann.head, name) for name in Head._fields if name != "stored"}, stored=True)


def test_a_header_opens_its_entry_and_continues_the_stream(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, an_activity(), a_birth_date())
    with database.read() as c:
        headers = c.execute(select(tables.event_header).order_by(tables.event_header.c.version)).all()
        entries = c.execute(select(ledger_queue.c.entry).order_by(ledger_queue.c.event_id)).scalars().all()
    key = stream_key(headers[0].salt)
    committed = [commitment(row.salt, row.header) for row in headers]
    assert entries == [event_entry(c, tag(key, n)) for n, c in enumerate(committed, start=1)]
    second = read_header(headers[1].header, strict=True)
    assert (second.n, second.sid, second.kind) == (2, ann.keys.sid, "birth-date-recorded/1")
    assert [part.hid for part in second.parts] == ["record", "h1"]


def test_what_was_sealed_can_be_opened_from_the_body(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, a_birth_date("h1", "2000-02-29"))
    with database.read() as c:
        record, value = c.execute(select(tables.event_body).order_by(tables.event_body.c.part)).all()
        header = c.execute(select(tables.event_header.c.header)).scalar_one()
        wrapped = c.execute(select(data_key)).one()
    parts = read_header(header).parts
    dk = ann.keys.unwrap(wrapped.wrapped, wrapped.hid, wrapped.kid)
    assert open_part(ann.keys.sid, 1, parts[0], record.ct, ann.keys.rk) == {"actor": "web", "evidence": "passport"}
    assert open_part(ann.keys.sid, 1, parts[1], value.ct, dk) == "2000-02-29"


def test_no_word_and_no_value_is_in_a_header(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, a_birth_date("h1", "2000-02-29"))
    with database.read() as c:
        header = c.execute(select(tables.event_header.c.header)).scalar_one()
    assert b"2000-02-29" not in header
    assert b"passport" not in header
    assert b'"web"' not in header


def test_a_stream_without_people_is_written_with_open_parts(streams: Streams):
    appending = Appending()
    stream = Head.new(UUID(int=9), bytes(32))
    _, head = appending.append(stream, OpenParts(), an_activity(), JUDGED, MONDAY)
    streams.save(*appending.recorded, rows=appending.rows)
    assert head.version == 1
    assert appending.rows.data_keys == []


def test_the_second_of_two_who_read_the_same_head_loses_everything(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, an_activity())
    first, second = ann.appending(an_activity()), ann.appending(a_birth_date())
    second.rows.commands.append(a_seen_command(ann.subject_id))
    streams.save(*first.recorded, rows=first.rows)
    before = rows_of(database, ann.subject_id)
    with pytest.raises(IntegrityError):
        streams.save(*second.recorded, rows=second.rows)
    assert rows_of(database, ann.subject_id) == before


def test_two_who_begin_the_same_stream_do_not_both_succeed(streams: Streams):
    ann = Person()
    first, second = ann.appending(an_activity()), ann.appending(an_activity())
    streams.save(*first.recorded, rows=first.rows)
    with pytest.raises(WroteFirst) as lost:
        streams.save(*second.recorded, rows=second.rows)
    assert lost.value.table == "stream_head"


def test_of_an_append_that_came_too_late_nothing_is_kept_before_anybody_looks_for_circles(streams: Streams):
    ann = Person()
    ann.append(streams, an_activity())

    def come_too_late() -> None:
        too_late = Person(ann.subject_id).appending(an_activity())
        ended.append(weakref.ref(too_late))
        streams.save(*too_late.recorded, rows=too_late.rows)

    ended: list[weakref.ref[Appending]] = []
    with uncollected():
        for frees in (True, False):
            try:
                come_too_late()
            except WroteFirst as error:
                if frees:
                    let_go(error)
        assert [one() is None for one in ended] == [True, False]


def test_two_who_register_the_same_identifier_do_not_both_succeed(streams: Streams, database: Database):
    ann, other = Person(), Person()
    first, second = ann.appending(an_activity()), other.appending(an_activity())
    first.rows.lookups.append(a_lookup(ann.subject_id, b"same"))
    second.rows.lookups.append(a_lookup(other.subject_id, b"same"))
    streams.save(*first.recorded, rows=first.rows)
    with pytest.raises(WroteFirst) as lost:
        streams.save(*second.recorded, rows=second.rows)
    assert lost.value.table == "lookup"
    assert set(rows_of(database, other.subject_id).values()) == {0}


def test_a_command_is_answered_once(streams: Streams):
    ann = Person()
    for fails in (False, True):
        appending = ann.appending(an_activity())
        appending.rows.commands.append(a_seen_command(ann.subject_id))
        if fails:
            with pytest.raises(WroteFirst) as lost:
                streams.save(*appending.recorded, rows=appending.rows)
            assert lost.value.table == "command_seen"
        else:
            streams.save(*appending.recorded, rows=appending.rows)
            ann.move(appending)


def test_who_sealed_before_the_person_was_re_keyed_must_seal_again(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, an_activity())
    late = ann.appending(a_birth_date())
    with database.write("eraser") as c:
        erasing.regenerate(c, [ann.subject_id], generation=2)
    with pytest.raises(WroteFirst):
        streams.save(*late.recorded, rows=late.rows)


def test_who_read_before_the_fence_writes_nothing(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, an_activity())
    late = ann.appending(a_birth_date())
    with database.write("eraser") as c:
        erasing.fence(c, [ann.subject_id], generation=ann.generation)
    with pytest.raises(WroteFirst):
        streams.save(*late.recorded, rows=late.rows)


def test_behind_the_fence_facts_without_sealed_parts_may_be_appended(streams: Streams, database: Database):
    ann = Person()
    ann.append(streams, an_activity())
    with database.write("eraser") as c:
        erasing.fence(c, [ann.subject_id], generation=2)
    with database.read() as c:
        ann.head = load_heads(c, [ann.subject_id])[ann.subject_id]
    with pytest.raises(AssertionError, match="no sealed part"):
        ann.appending(a_birth_date())
    wordless = type(JUDGED)(JUDGED.cmd, "system", JUDGED.policy)
    appending = ann.appending(an_activity(), judged=wordless)
    streams.save(*appending.recorded, rows=appending.rows)


def test_a_stream_can_be_fenced_before_its_first_event(streams: Streams, database: Database):
    ann = Person()
    access = Head.new(access_stream_of(ann.subject_id), bytes(range(32)))
    appending = ann.appending(an_activity())
    appending.open(access)
    streams.save(*appending.recorded, rows=appending.rows)
    with database.read() as c:
        read = load_heads(c, [access.stream_id])[access.stream_id]
    assert (read.version, read.sid, read.commitment) == (0, access.sid, None)
    late = Appending()
    late.append(read, ann.keys, an_activity(), JUDGED, MONDAY)
    with database.write("eraser") as c:
        erasing.fence(c, [access.stream_id], generation=1)
    with pytest.raises(WroteFirst):
        streams.save(*late.recorded, rows=late.rows)


def test_the_time_of_recording_never_goes_back_along_a_stream(streams: Streams):
    ann = Person()
    ann.append(streams, an_activity(), at=MONDAY)
    (late,) = ann.append(streams, an_activity(), at=MONDAY - timedelta(days=1))
    assert late.recorded_at == MONDAY


def test_an_append_goes_after_the_newest_head(streams: Streams):
    ann = Person()
    appending = ann.appending(an_activity())
    with pytest.raises(AssertionError, match="newest head"):
        appending.append(ann.head, ann.keys, an_activity(), JUDGED, MONDAY)


def test_what_was_noted_is_sealed_once_when_it_is_asked_for(streams: Streams):
    ann, appending = Person(), Appending()
    appending.rows.subject_keys.append(ann.key_row())
    _, head = appending.append(ann.head, ann.keys, a_birth_date(), JUDGED, MONDAY)
    assert (head.version, appending.noted[0].header, appending.rows.bodies) == (1, b"", [])
    (first,) = list(appending.recorded)
    appending.append(head, ann.keys, an_activity(), JUDGED, MONDAY)
    assert appending.recorded[0] is first
    assert [row["version"] for row in appending.rows.bodies] == [1, 1, 2]  # the birth date, and who recorded what
    second = read_header(appending.recorded[1].header, strict=True)
    assert second.prev == envelope.b64url(commitment(appending.rows.placed[0].salt, first.header))
    streams.save(*appending.recorded, rows=appending.rows)


def test_a_withheld_value_is_never_sealed():
    fact = a_birth_date().model_copy(update={"values": {"h1": Withheld.ERASED}})
    with pytest.raises(AssertionError, match="withheld"):
        Person().appending(fact)


def test_an_append_can_join_a_transaction(streams: Streams, database: Database):
    ann = Person()
    appending = ann.appending(an_activity())
    with database.write("writer") as c:
        streams.save(*appending.recorded, rows=appending.rows, connection=c)
        c.rollback()
    assert set(rows_of(database, ann.subject_id).values()) == {0}


@given(st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=20))
def test_along_a_stream_event_ids_increase_whatever_the_clocks_do(offsets: list[int]):
    """Each append is made on a machine whose clock is some milliseconds off."""
    newest: UUID | None = None
    for offset in offsets:
        ids = EventIds()
        ids._next += offset << 80
        for _ in range(3):
            event_id = ids.after(newest)
            assert newest is None or event_id.int > newest.int
            assert (event_id.version, event_id.variant) == (7, "specified in RFC 4122")
            newest = event_id


def test_event_ids_of_one_append_follow_each_other():
    ids = EventIds()
    first = ids.after(None)
    assert [ids.after(None).int for _ in range(5)] == [first.int + n for n in range(1, 6)]


def test_instants_are_kept_to_the_microsecond(streams: Streams, database: Database):
    ann = Person()
    at = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
    ann.append(streams, an_activity(), at=at)
    with database.read() as c:
        assert load_heads(c, [ann.subject_id])[ann.subject_id].at == at


# -- many at once: on PostgreSQL they go by COPY --------------------------------------------------------------------


def a_crowd(number: int = BULK) -> list[Person]:
    return [Person() for _ in range(number)]


def of_all(people: list[Person]) -> Appending:
    """Two events of each, and everything else that an append may write."""
    appending = Appending()
    for number, one in enumerate(people):
        one.append_to(appending, an_activity(), a_birth_date())
        appending.rows.commands.append(a_seen_command(one.subject_id))
        appending.rows.lookups.append(a_lookup(one.subject_id, f"token-{number}".encode()))
    return appending


def test_many_rows_at_once_are_the_rows_that_one_by_one_are(streams: Streams, database: Database):
    people = a_crowd()
    appending = of_all(people)
    streams.save(*appending.recorded, rows=appending.rows)
    alone = Person()
    single = of_all([alone])
    single.rows.lookups[0]["token"] = b"alone"
    streams.save(*single.recorded, rows=single.rows)
    assert rows_of(database, people[-1].subject_id) == rows_of(database, alone.subject_id)
    with database.read() as c:
        heads = load_heads(c, [one.subject_id for one in people])
    for one in people:
        assert heads[one.subject_id].commitment == appending.rows.moves[one.subject_id][1].commitment
        stored = streams.recorder.select_events(one.subject_id)
        assert [each.state for each in stored] == [
            r.header for r in appending.recorded if r.originator_id == one.subject_id
        ]


def test_one_taken_row_among_many_undoes_them_all(streams: Streams, database: Database):
    people = a_crowd()
    first = of_all(people[:1])
    streams.save(*first.recorded, rows=first.rows)
    second = of_all(people[1:])
    second.rows.lookups[-1]["token"] = b"token-0"  # meanwhile somebody else's
    with pytest.raises(WroteFirst):
        streams.save(*second.recorded, rows=second.rows)
    assert set(rows_of(database, people[1].subject_id).values()) == {0}
