"""Commands that come at the same moment share a transaction; none waits in vain, and none pays for another."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from engine.costs import work_done
from engine.stores import COLLECT, CONSENT, QUOTE, count_of, document, headers_of, lift_triggers, statements, times_of
from postgres import on_sqlite
from sqlalchemy import Connection, event, func, select, update
from sqlalchemy.exc import OperationalError
from whole.stores import ANN, BEN, Store

from lifecycle.commands.outcome import Outcome
from lifecycle.engine import Engine, group_commit, open_engine
from lifecycle.engine.asking import Known, Question
from lifecycle.engine.group_commit import GroupCommit
from lifecycle.errors import StoreUnavailable
from lifecycle.processes.erase_what_was_ordered import ErasureUnfinished
from lifecycle.storage.database import Database
from lifecycle.storage.failures import Unavailable
from lifecycle.storage.tables import event_header, pending_erasure
from lifecycle.vault.sealing import RECORD, Tampered
from lifecycle.vault.tables import data_key

THREADS, EACH = 8, 15


def in_threads(act: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """`act` in each of the threads, all at once."""
    ready = threading.Barrier(threads)

    def one(number: int) -> Any:
        ready.wait()
        return act(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(threads)))


def test_eight_threads_share_transactions_and_everything_answered_is_durable(store: Store):
    """Each asks another engine, as soon as it is answered, whether what it was told is there."""
    with (
        open_engine(store.settings.db, keys=store.settings.keys) as other,
        statements(store.engine.database) as executed,
    ):

        def one(thread: int) -> list[Outcome]:
            outcomes = []
            for number in range(EACH):
                person = {"email": f"p{(thread + number) % 7}@example.com"}
                name = f"{thread}-{number}"
                outcomes.append(store.engine.execute(document("collect", name, person, data={"name": name}, **TRIAL)))
                if number % 5 == 0:
                    told = (
                        event_header.c.stream_id == outcomes[-1].subject,
                        event_header.c.version == outcomes[-1].version,
                    )
                    assert count_of(other.database, event_header, *told) == 1
            return outcomes

        outcomes = [outcome for each in in_threads(one) for outcome in each]
        assert Counter(outcome.outcome for outcome in outcomes) == {"done": THREADS * EACH}
        assert times_of(other.database, "personal-data-collected") == THREADS * EACH
        assert times_of(other.database, "subject-registered") == 7
        for person in {outcome.subject for outcome in outcomes}:
            versions = [header.n for header in headers_of(other.database, person)]  # type: ignore[arg-type]
            assert versions == list(range(1, len(versions) + 1))
    assert sum("INSERT INTO event_header" in statement for statement in executed) < THREADS * EACH / 2


def test_rows_of_one_person_that_wait_in_several_threads_are_decided_one_after_the_other(store: Store):
    """A stranger is registered once; of what only one may have, one has it; a version is given once."""

    def one(thread: int) -> list[Outcome]:
        return [
            store.engine.execute(document("give-consent", f"c-{thread}", ANN, **CONSENT)),
            store.engine.execute(document("link-identifier", f"l-{thread}", {"ref": f"u{thread}"}, identifier=ANN)),
            store.engine.execute(document("collect", f"d-{thread}", ANN, data={"name": f"N{thread}"}, **COLLECT)),
            store.engine.execute(document("collect", "same-id", ANN, data={"phone": "+6591234567"}, **COLLECT)),
        ]

    consents, links, collected, repeats = zip(*in_threads(one), strict=True)
    assert Counter(each.outcome for each in consents) == {"done": 1, "nothing": THREADS - 1}
    assert {each.code for each in links} == {"identifier-taken"}
    assert {each.outcome for each in collected} == {"done"}
    assert len({each.version for each in collected}) == THREADS
    assert len({(each.outcome, each.version) for each in repeats}) == 1
    assert times_of(store.engine.database, "subject-registered") == 1
    assert times_of(store.engine.database, "personal-data-collected") == THREADS + 1


def test_a_caller_that_was_answered_does_not_wait_for_the_next_groups_commit():
    """Otherwise whoever comes back quickly commits alone, again and again, while the answered wait for their turn."""
    commits: list[list[str]] = []
    may_end = [threading.Event() for _ in range(4)]

    def together(questions: Sequence[Question]) -> list[Outcome]:
        commits.append([question.cmd for question in questions])
        may_end[min(len(commits), 4) - 1].wait(10)
        return [Outcome(id=question.cmd, outcome="done") for question in questions]

    group = GroupCommit(together, 100)
    answered: list[str] = []

    def caller(*names: str) -> threading.Thread:
        def run() -> None:
            for name in names:
                answered.append(group.submit(asked(name)).id or "")  # noqa: PERF401 -- seen while it goes on

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    threads = [caller("a")]
    until(lambda: len(commits) == 1)
    threads += [caller("b", "b again"), caller("c", "c again")]
    until(lambda: len(group._waiting) == 2)
    may_end[0].set()
    until(lambda: len(commits) == 2)
    may_end[1].set()
    until(lambda: len(commits) == 3)  # by whoever led and came back at once
    until(lambda: sorted(answered) == ["a", "b", "c"])
    may_end[2].set()
    may_end[3].set()
    for thread in threads:
        thread.join(10)
    assert sorted(commits[1]) == ["b", "c"]
    assert sorted(answered) == ["a", "b", "b again", "c", "c again"]


def asked(name: str) -> Question:
    return Question(None, name, b"")  # type: ignore[arg-type]


def until(condition: Callable[[], bool]) -> None:
    over = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < over, "it did not come so far"
        time.sleep(0.001)


def test_a_store_that_becomes_unavailable_answers_everybody_who_waits_and_serves_again_later(store: Store):
    """In the middle of a transaction that has written already; nothing of it stays."""
    executed: list[str] = []

    def away(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)
        if "INSERT INTO event_header" in statement:
            raise OperationalError("", {}, ConnectionError("gone"))

    def one(thread: int) -> str:
        try:
            return store.engine.execute(
                document("give-consent", f"u-{thread}", {"ref": f"u{thread}"}, **CONSENT)
            ).outcome
        except StoreUnavailable as error:
            return error.code

    before = count_of(store.engine.database, event_header)
    event.listen(store.engine.database.engine, "before_cursor_execute", away)
    try:
        assert in_threads(one) == ["store-unavailable"] * THREADS
    finally:
        event.remove(store.engine.database.engine, "before_cursor_execute", away)
    assert count_of(store.engine.database, event_header) == before
    assert in_threads(one) == ["done"] * THREADS


def test_who_waits_for_a_store_that_is_away_is_not_tried_one_after_the_other():
    """Each try may take as long as the store's own patience."""
    tried: list[int] = []
    begun = threading.Event()

    def together(questions: Sequence[Question]) -> list[Outcome]:
        tried.append(len(questions))
        begun.wait(10)
        raise Unavailable("The database is locked by another process.", "wait")

    group = GroupCommit(together, 100)

    def one(number: int) -> str:
        if number == 0:
            until(lambda: len(group._waiting) == THREADS - 2)
            begun.set()
            return "watched"
        with pytest.raises(StoreUnavailable):
            group.submit(asked(str(number)))
        return "told"

    assert Counter(in_threads(one)) == {"watched": 1, "told": THREADS - 1}
    assert tried == [1, THREADS - 2]


@on_sqlite
def test_an_erasure_that_a_reader_holds_up_does_not_fail_its_neighbours(store: Store):
    """The write-ahead file cannot be cut off while somebody reads: that is the erasure's failure alone."""
    for person in (ANN, BEN):
        store.consent(subject=person)
        store.collect(subject=person)
    impatient = Engine(Database(store.settings.db, busy_seconds=0.1), store.settings.keys)
    erase = document("erase", "e-1", ANN, ground="7.3d", categories=["name"])

    def one(thread: int) -> str:
        if thread == 0:
            with pytest.raises(ErasureUnfinished):
                impatient.execute(erase)
            return "held up"
        return impatient.execute(
            document("collect", f"held-{thread}", BEN, data={"name": f"B{thread}"}, **COLLECT)
        ).outcome

    with impatient:
        with store.engine.database.read() as reader:
            assert reader.execute(select(event_header.c.version)).first() is not None
            assert in_threads(one, 4) == ["held up", "done", "done", "done"]
        assert impatient.execute(erase).outcome == "done"
    assert count_of(store.engine.database, pending_erasure) == 0
    assert times_of(store.engine.database, "erasure-completed") == 1


TRIAL = COLLECT | {"basis": "contract", "evidence": "K-1"}


def damage(store: Store, subject: object) -> None:
    """What is sealed of this person no longer opens."""
    with store.engine.database.own() as c:
        lift_triggers(c, data_key)
        mine = (data_key.c.subject_id == subject) & (data_key.c.hid != RECORD)
        wrapped = bytes(c.execute(select(data_key.c.wrapped).where(mine)).scalars().one())
        c.execute(update(data_key).where(mine).values(wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1])))


def test_a_command_that_fails_does_not_fail_its_neighbours(store: Store):
    """Ben's record is damaged: whatever must open it fails, and nothing else does."""
    consent = store.consent(subject=BEN)
    store.collect(subject=BEN, data={"phone": "+6591234567"})
    damage(store, consent.subject)

    def one(number: int) -> str:
        if number % 2:
            with pytest.raises(Tampered):
                store.engine.execute(document("collect", f"f-{number}", BEN, data={"phone": "+6591234567"}, **QUOTE))
            return "failed"
        return store.engine.execute(document("give-consent", f"f-{number}", {"ref": f"u{number}"}, **CONSENT)).outcome

    assert in_threads(one) == ["done", "failed"] * (THREADS // 2)


def test_two_engines_with_batches_over_the_same_people_lose_and_double_nothing(store: Store):
    """Every append meets another one; versions stay gapless and each command is carried out once."""
    people = [{"email": f"p{number}@example.com"} for number in range(4)]

    def batches(name: str) -> list[Outcome]:
        with open_engine(store.settings.db, keys=store.settings.keys) as engine:
            outcomes: list[Outcome] = []
            for turn in range(4):
                outcomes += engine.execute_many(
                    [
                        document("collect", f"{name}-{turn}", person, data={"name": f"{name} {turn}"}, **TRIAL)
                        for person in people
                    ]
                )
            return outcomes

    with ThreadPoolExecutor(3) as pool:
        outcomes = [outcome for each in pool.map(batches, ["left", "middle", "right"]) for outcome in each]
    assert {outcome.outcome for outcome in outcomes} == {"done"}
    assert len({(outcome.subject, outcome.version) for outcome in outcomes}) == len(outcomes) == 48
    assert times_of(store.engine.database, "subject-registered") == 4
    for person in people:
        history = store.engine.read.history(person)
        assert [row["version"] for row in history] == list(range(1, 15))


def test_of_many_commands_that_meet_a_writer_half_are_tried_next(store: Store):
    """Somebody who writes about one of them again and again is in the way of the fewer the shorter it takes."""
    people = [{"email": f"p{number}@example.com"} for number in range(200)]
    store.engine.execute_many(
        [document("collect", f"c-{at}", each, data={"name": "A"}, **TRIAL) for at, each in enumerate(people)]
    )
    reading, tried = store.engine.executing.snapshot, []
    read = reading.read

    def somebody_writes(c: Connection, questions: Sequence[Question], now: datetime) -> Known:
        known = read(c, questions, now)
        tried.append(len(questions))
        if len(tried) <= 2:
            meanwhile = document("collect", f"m-{len(tried)}", people[0], data={"name": f"B{len(tried)}"}, **TRIAL)
            assert other.execute(meanwhile).outcome == "done"
        return known

    reading.read = somebody_writes
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        outcomes = store.engine.execute_many(
            [document("collect", f"late-{at}", each, data={"name": "C"}, **TRIAL) for at, each in enumerate(people)]
        )
    assert [outcome.outcome for outcome in outcomes] == ["done"] * 200
    assert tried == [200, 100, 50, 150]


def test_a_batch_costs_the_same_statements_for_two_people_as_for_two_hundred(store: Store):
    """No query for each person or command: not when they are new, not when they are known. Only the keys of known
    values are asked for sixteen at a time, which on PostgreSQL is one message."""

    def spent(people: int, lot: str) -> tuple[int, int]:
        documents = [
            document("collect", f"{lot}-{number}", {"email": f"{lot}{number}@example.com"}, data={"name": "A"}, **TRIAL)
            for number in range(people)
        ]
        again = [each | {"id": f"again-{each['id']}", "data": {"name": "A", "company": "B"}} for each in documents]
        with statements(store.engine.database) as first:
            store.engine.execute_many(documents)
        with statements(store.engine.database) as second:
            store.engine.execute_many(again)
        return len(first), len(second)

    spent(1, "warm")
    few, many = spent(2, "few"), spent(200, "many")
    assert many[0] <= few[0] + 2
    assert many[1] <= few[1] + 2 + 200 // 16


def test_a_snapshot_knows_nothing_that_another_thread_appended_after_it_was_taken(store: Store):
    """The cache of states does; a value that it tells of has no header in the snapshot."""
    store.collect(purpose="quotation", basis="contract", evidence="K-1", data={"phone": "+6591234567"})
    engine = store.engine
    question = engine.executing.question(document("collect", "late", ANN, data={"phone": "+6590000000"}, **QUOTE))
    assert isinstance(question, Question)
    with engine.database.read() as c:
        before = count_in(c)
        meanwhile = document("collect", "meanwhile", ANN, data={"phone": "+6599999999"}, **QUOTE)
        assert engine.execute_many([meanwhile])[0].outcome == "done"
        known = engine.executing.snapshot.read(c, [question], engine.clock.now())
        assert count_in(c) == before
    ((person, state),) = known.states.items()
    assert state.version == known.heads[person].version
    assert set(known.values[person].values()) == {"+6591234567"}
    assert engine.execute(question.command).outcome == "done"


def count_in(c: Connection) -> int:
    return c.execute(select(func.count()).select_from(event_header)).scalar_one()


class Interruption(BaseException):
    """As KeyboardInterrupt is."""


def test_an_interrupted_thread_leaves_its_neighbours_commands_to_the_next():
    """The one that leads is interrupted in the middle; the others were taken along and must not wait for ever."""
    commits: list[list[str]] = []
    queued = threading.Event()

    def together(questions: Sequence[Question]) -> list[Outcome]:
        commits.append([question.cmd for question in questions])
        if len(commits) == 1:
            queued.wait(10)
        if len(commits) == 2:
            raise Interruption
        return [Outcome(id=question.cmd, outcome="done") for question in questions]

    group = GroupCommit(together, 100)

    def one(number: int) -> str:
        if number == 0:
            until(lambda: len(group._waiting) == 3)
            queued.set()
            return "watched"
        try:
            return group.submit(asked(str(number))).outcome
        except Interruption:
            return "interrupted"

    assert Counter(in_threads(one, 5)) == {"watched": 1, "done": 3, "interrupted": 1}
    assert [len(each) for each in commits] == [1, 3, 2]
    assert set(commits[2]) < set(commits[1])


def test_a_command_whose_caller_is_interrupted_while_it_waits_is_not_carried_out():
    commits: list[str] = []
    goes_on = threading.Event()

    def together(questions: Sequence[Question]) -> list[Outcome]:
        commits.extend(question.cmd for question in questions)
        assert goes_on.wait(60)
        return [Outcome(id=question.cmd, outcome="done") for question in questions]

    def interrupt(*_: object) -> None:
        raise Interruption

    group = GroupCommit(together, 100)
    leading = threading.Thread(target=group.submit, args=(asked("first"),))
    leading.start()
    until(lambda: commits == ["first"])
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interruption):
            group.submit(asked("given-up"))
    finally:
        signal.signal(signal.SIGALRM, before)
    goes_on.set()
    leading.join()
    assert group.submit(asked("next")).id == "next"
    assert commits == ["first", "next"]


@dataclass
class Callers:
    """Of one group, who ask one command after the other."""

    patience: pytest.MonkeyPatch
    commits: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.group = GroupCommit(self.together, 100)
        self.all_wait = 0

    def together(self, questions: Sequence[Question]) -> list[Outcome]:
        self.commits.append([question.cmd for question in questions])
        if len(self.commits) == 1:
            until(lambda: len(self.group._waiting) == self.all_wait)
        return [Outcome(id=question.cmd, outcome="done") for question in questions]

    def ask(self, threads: int, commits: int) -> None:
        self.all_wait = threads - 1

        def one(number: int) -> None:
            while len(self.commits) < commits:
                self.group.submit(asked(str(number)))

        in_threads(one, threads)

    def wait_for_each_other(self, seconds: float) -> None:
        for name in ("EACH", "ALL"):
            self.patience.setattr(group_commit, name, seconds)


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> Callers:
    made = Callers(monkeypatch)
    made.wait_for_each_other(60)
    return made


def test_threads_that_are_back_in_a_moment_are_taken_along_together(callers: Callers):
    """Else those who are answered and those who wait go by turns, in batches of half as many."""
    callers.ask(threads=4, commits=6)
    assert [len(each) for each in callers.commits] == [1, 4, 4, 4, 4, 4]


def test_who_does_not_come_back_is_waited_for_once(callers: Callers):
    callers.ask(threads=3, commits=3)
    callers.wait_for_each_other(0.5)
    waited = []
    for turn in range(3):
        began = time.monotonic()
        callers.group.submit(asked(f"alone-{turn}"))
        waited.append(time.monotonic() - began >= 0.5)
    assert waited == [True, False, False]


def test_of_those_who_never_come_back_ever_fewer_are_waited_for(callers: Callers):
    """Callers who come and go, as requests do: a group of them tells nothing of the next one."""
    callers.wait_for_each_other(0.01)
    waits = callers.group._wait
    waited = []
    callers.group._wait = lambda own, until: waited.append(own) or waits(own, until)
    for _ in range(40):
        callers.group._expected = 3  # as after a group of three
        callers.group.submit(asked("another"))
    assert len(waited) == 5


def test_who_is_interrupted_while_others_are_waited_for_is_not_carried_out(callers: Callers):
    def interrupt(*_: object) -> None:
        raise Interruption

    callers.ask(threads=2, commits=3)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interruption):
            callers.group.submit(asked("given-up"))
    finally:
        signal.signal(signal.SIGALRM, before)
    callers.wait_for_each_other(0.01)
    assert callers.group.submit(asked("next")).id == "next"
    assert callers.commits[3:] == [["next"]]


def test_commands_cost_what_they_are_about_and_not_what_is_stored(store: Store):
    """Values of known people are compared and ids are looked for; neither may search a whole table."""

    def others(lot: str, people: int) -> None:
        store.engine.execute_many(
            [document("collect", "o-1", {"ref": f"{lot}{n}"}, data={"name": "Cy"}, **TRIAL) for n in range(people)]
        )

    def cost(lot: str) -> tuple[int, int]:
        for name in ("first", "second"):
            commands = [
                document("collect", name, {"ref": f"{lot}{n}"}, data={"name": f"Ann {name}"}, **TRIAL) for n in range(3)
            ]
            with statements(store.engine.database) as executed, work_done(store.engine.database) as done:
                assert {each.outcome for each in store.engine.execute_many(commands)} == {"done"}
        return len(executed), done[0]

    others("few", 10)
    cost("warm")  # what is loaded once is loaded
    few = cost("ann")
    others("many", 150)
    cost("ben")
    many = cost("cy")
    assert many[0] == few[0]
    assert many[1] <= few[1] * 1.02


def test_nothing_is_written_for_a_batch_of_malformed_documents(store: Store):
    before = count_of(store.engine.database, event_header)
    outcomes = store.engine.execute_many([{"command": "collect"}, {"id": "x"}, document("fly", "x", ANN)])
    assert [outcome.outcome for outcome in outcomes] == ["invalid"] * 3
    assert count_of(store.engine.database, event_header) == before
