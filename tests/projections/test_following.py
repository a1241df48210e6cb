"""Every event reaches every projection once, in order, whoever crashes and whoever else follows."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from forked import Forks
from lives import Town, consents, gives, is_active
from projections.tables import Failing, Tally, counted, everything
from sqlalchemy import event
from uuid_utils.compat import uuid7

from lifecycle.domain.streams import access_stream_of
from lifecycle.domain.subject.events import PersonalDataRead
from lifecycle.ledger.sequencer import enqueue_system_entry
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage import changes
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.storage.following import Behind, Follower
from lifecycle.storage.policies import Policies


def people_in(town: Town, number: int) -> list:
    people = [town.register() for _ in range(number)]
    for person in people:
        town.act(person, consents("free-trial"))
        town.act(person, gives("free-trial", "name", "email"))
    town.sequence()
    return people


def expected(people: int) -> dict[str, int]:
    each = ("subject-registered/1", "identifier-linked/1", "consent-given/1", "personal-data-collected/1")
    return {"policy-published/1": 1} | dict.fromkeys(each, people)


def test_a_crash_in_the_middle_of_a_batch_leaves_nothing_of_it(town: Town):
    people_in(town, 5)
    with pytest.raises(RuntimeError, match="crashed"):
        town.follower((Failing(at=3),), batch=4).catch_up()
    assert sum(counted(town.database).values()) <= 8
    town.follower((Tally(),), batch=4).catch_up()
    assert counted(town.database) == expected(5)


def test_it_ends_where_the_log_ended_when_it_began_however_long_others_write(town: Town):
    people_in(town, 4)

    def somebody_comes(position: int, size: int) -> None:
        assert position < 60, "it follows for as long as somebody writes"
        people_in(town, 1)

    follower = town.follower((Tally(),), batch=3)
    assert 17 <= follower.catch_up(somebody_comes) < 17 + 3
    assert follower.status()[0]["lag"] > 0
    follower.catch_up()
    assert follower.status()[0]["lag"] == 0


def test_a_crash_between_batches_repeats_and_skips_nothing(town: Town):
    def crash(position: int, size: int) -> None:
        raise RuntimeError("crashed")

    people_in(town, 4)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="crashed"):
            town.follower((Tally(),), batch=3).catch_up(crash)
    town.follower((Tally(),), batch=3).catch_up()
    assert counted(town.database) == expected(4)


def test_a_process_that_is_killed_in_its_transaction_leaves_nothing_of_it(town: Town, forks: Forks):
    people_in(town, 4)
    assert forks("lives:follow_and_die", url=town.database.url, batch=2).wait() == -signal.SIGKILL
    # The first batch had the policy and all four events of the first person; the second begins at position 4.
    assert town.follower((Tally(),), batch=5).status()[0]["position"] == 4
    town.follower((Tally(),), batch=5).catch_up()
    assert counted(town.database) == expected(4)


def test_two_who_follow_at_once_never_double_and_never_skip(town: Town):
    people_in(town, 10)

    def follow(_: int) -> int:
        database = Database(town.database.url, busy_seconds=60)
        follower = Follower(database, Streams(database), Policies(database), (Tally(), *PROJECTIONS), batch=2)
        moved = follower.catch_up()
        database.close()
        return moved

    with ThreadPoolExecutor(3) as threads:
        moved = list(threads.map(follow, range(3)))
    assert sum(moved) == town.follower().status()[0]["log_size"]
    assert counted(town.database) == expected(10)


def test_a_rebuild_while_others_follow_ends_where_they_do(town: Town):
    people_in(town, 4)
    follower = town.follower((Tally(), *PROJECTIONS), batch=3)
    follower.catch_up()
    followed = everything(town.database)
    with ThreadPoolExecutor(2) as threads:
        others = [threads.submit(town.follower((Tally(), *PROJECTIONS), batch=2).catch_up) for _ in range(4)]
        for _ in range(3):
            follower.rebuild()
        for other in others:
            other.result()
    assert everything(town.database) == followed
    assert counted(town.database) == expected(4)


def test_one_object_serves_several_threads(town: Town):
    people_in(town, 6)
    follower = town.follower((Tally(),), batch=2)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: follower.catch_up(), range(3)))
    assert counted(town.database) == expected(6)


def test_who_begins_in_the_middle_knows_what_was_before(town: Town):
    (person,) = people_in(town, 1)
    town.follower(batch=1).catch_up()
    town.act(person, is_active("free-trial"), town.clock.now())
    town.act(person, gives("free-trial", "phone"))
    town.sequence()
    town.follower(batch=1).catch_up()  # another process: it remembers nobody
    followed = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == followed
    assert len(followed["current_holding"]) == 3


def test_states_that_somebody_has_read_already_are_not_read_again(town: Town):
    (person,) = people_in(town, 1)
    town.follower(batch=1).catch_up()
    read_again = []
    for is_known in (True, False):
        state = town.streams.repository.get(person, projector_func=folded)
        town.act(person, gives("free-trial", "phone"))
        town.sequence()
        follower = town.follower()  # another process: it remembers nobody
        follower.know([state] if is_known else [])
        with statements(town.database) as seen:
            follower.catch_up()
        read_again.append(any("event_header WHERE version > " in each for each in seen))
    assert read_again == [False, True]
    followed = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == followed


def test_a_state_that_is_too_old_or_too_new_is_read_as_it_must_be(town: Town):
    (person,) = people_in(town, 1)
    town.follower(batch=1).catch_up()
    read = town.streams.repository.get
    known = [read(person, version=2, projector_func=folded)]
    town.act(person, gives("free-trial", "phone"))
    known.append(read(person, projector_func=folded))
    town.sequence()
    for state in known:
        follower = town.follower()
        follower.know([state])
        town.act(person, is_active("free-trial"), town.clock.now())
        town.sequence()
        follower.catch_up()
        followed = everything(town.database)
        town.follower().rebuild()
        assert everything(town.database) == followed


def test_whoever_follows_just_now_goes_on_without_what_others_know(town: Town):
    (person,) = people_in(town, 1)
    follower = town.follower((Tally(),))
    state = town.streams.repository.get(person, projector_func=folded)

    def know(position: int, size: int) -> None:
        follower.know([state])  # waiting here would be for ever

    follower.catch_up(know)
    assert counted(town.database) == expected(1)


def test_a_batch_ends_where_too_much_of_peoples_records_had_to_be_read(town: Town, monkeypatch: pytest.MonkeyPatch):
    people = people_in(town, 5)
    town.follower().catch_up()
    for person in (*people, *people):  # of each the second follows on the first, and costs nothing
        town.act(person, gives("free-trial", "phone"))
    town.sequence()
    monkeypatch.setattr(changes, "EVENTS", 9)  # each has four
    ends: list[int] = []
    follower = town.follower()  # another process: it remembers nobody
    begun = follower.status()[0]["position"]
    follower.catch_up(lambda position, size: ends.append(position - begun))
    assert ends == [2, 4, 10]
    followed = everything(town.database)
    town.follower().rebuild()
    assert everything(town.database) == followed


def test_leaves_of_the_log_s_own_are_passed_over(town: Town):
    people_in(town, 1)
    with town.database.write("sequencer") as c:
        enqueue_system_entry(c, {"epoch": 1}, uuid7())
    town.sequence()
    follower = town.follower()
    size = follower.status()[0]["log_size"]
    assert follower.catch_up() == size
    assert follower.catch_up() == 0
    assert {standing["lag"] for standing in follower.status()} == {0}


def test_the_status_says_what_waits_and_what_lags(town: Town):
    people_in(town, 1)
    town.register()
    (tally,) = town.follower((Tally(),)).status()
    assert tally == {"name": "tally", "position": 0, "log_size": 6, "waiting": 2, "lag": 6}


def test_a_read_about_one_person_first_brings_up_that_person(town: Town):
    (person,) = people_in(town, 1)
    town.act(person, gives("free-trial", "phone"))  # committed, without a position yet
    town.follower().catch_up_person(person, town.people[person].version)
    assert len(everything(town.database)["current_holding"]) == 3


def test_the_access_stream_is_brought_up_too(town: Town):
    (person,) = people_in(town, 1)
    read = PersonalDataRead(occurred_at=town.clock.now(), purpose="free-trial", holdings=("h1",), clear=True)
    town.note(person, read)
    follower = town.follower()
    follower.catch_up_person(access_stream_of(person), 1)
    with town.database.read() as c:
        assert follower.has_followed(c, [access_stream_of(person)])


def test_what_cannot_be_brought_up_in_time_is_an_error_and_no_stale_answer(town: Town):
    (person,) = people_in(town, 1)
    started = time.monotonic()
    with pytest.raises(Behind):
        town.follower().catch_up_person(person, 99, within=0.2)
    assert 0.2 <= time.monotonic() - started < 5


@contextmanager
def statements(database: Database):
    seen: list[str] = []

    def note(connection, cursor, statement, *rest):
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_batch_costs_the_same_number_of_statements_however_many_people(town: Town):
    costs = []
    for number in (2, 20):
        people = people_in(town, number)
        town.follower().catch_up()
        for person in people:
            town.act(person, gives("free-trial", "phone"))
        town.sequence()
        cold = town.follower()
        cold.ensure_tables()
        with statements(town.database) as seen:
            cold.catch_up()
        costs.append(len(seen))
    assert costs[1] <= costs[0]  # fewer where many rows are copied: a COPY is not seen here
