"""Commands that come at the same moment share a transaction; none waits in vain, and none pays for another."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from engine.stores import COLLECT, CONSENT, QUOTE, count_of, document, headers_of, lift_triggers, statements, times_of
from sqlalchemy import select, update
from whole.stores import ANN, BEN, Store

from lifecycle.commands.outcome import Outcome
from lifecycle.engine import open_engine
from lifecycle.engine.asking import Question
from lifecycle.engine.group_commit import GroupCommit
from lifecycle.storage.tables import event_header
from lifecycle.vault.sealing import RECORD, Tampered
from lifecycle.vault.tables import data_key

THREADS, EACH = 8, 50


def test_eight_threads_share_transactions_and_everything_answered_is_durable(store: Store):
    def one(number: int) -> Outcome:
        person = {"email": f"p{number % 40}@example.com"}
        return store.engine.execute(document("collect", f"t-{number}", person, data={"name": f"N{number}"}, **TRIAL))

    with ThreadPoolExecutor(THREADS) as pool, statements(store.engine.database) as executed:
        outcomes = list(pool.map(one, range(THREADS * EACH)))
    assert Counter(outcome.outcome for outcome in outcomes) == {"done": THREADS * EACH}
    inserts = sum("INSERT INTO event_header" in statement for statement in executed)
    assert inserts < THREADS * EACH / 2
    with open_engine(store.settings.db, keys=store.settings.keys) as other:
        assert times_of(other.database, "personal-data-collected") == THREADS * EACH
        assert times_of(other.database, "subject-registered") == 40
        for person in {outcome.subject for outcome in outcomes}:
            versions = [header.n for header in headers_of(other.database, person)]  # type: ignore[arg-type]
            assert versions == list(range(1, len(versions) + 1))


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
    ready = threading.Barrier(THREADS)

    def one(number: int) -> str:
        ready.wait()
        if number % 2:
            with pytest.raises(Tampered):
                store.engine.execute(document("collect", f"f-{number}", BEN, data={"phone": "+6591234567"}, **QUOTE))
            return "failed"
        return store.engine.execute(document("give-consent", f"f-{number}", {"ref": f"u{number}"}, **CONSENT)).outcome

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(one, range(THREADS))) == ["done", "failed"] * (THREADS // 2)


def test_two_engines_with_batches_over_the_same_people_lose_and_double_nothing(store: Store):
    """Every append meets another one; versions stay gapless and each command is carried out once."""
    people = [{"email": f"p{number}@example.com"} for number in range(4)]

    def batches(name: str) -> list[Outcome]:
        with open_engine(store.settings.db, keys=store.settings.keys) as engine:
            outcomes: list[Outcome] = []
            for turn in range(6):
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
    assert len({(outcome.subject, outcome.version) for outcome in outcomes}) == len(outcomes) == 72
    assert times_of(store.engine.database, "subject-registered") == 4
    for person in people:
        history = store.engine.read.history(person)
        assert [row["version"] for row in history] == list(range(1, 21))


def test_a_batch_costs_the_same_statements_for_two_people_as_for_two_hundred(store: Store):
    """No query for each person or command: not when they are new, not when they are known."""

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
    assert many[1] <= few[1] + 2


class Interruption(BaseException):
    """As KeyboardInterrupt is."""


def test_an_interrupted_thread_leaves_its_neighbours_commands_to_the_next(store: Store):
    """The one that leads is interrupted in the middle; the others were taken along and must not wait for ever."""
    leading, queued = threading.Event(), threading.Event()
    rounds: list[int] = []

    def together(questions: object) -> list[Outcome]:
        rounds.append(len(questions))  # type: ignore[arg-type]
        if len(rounds) == 1:
            leading.set()
            queued.wait(10)
            return [Outcome(id="x", outcome="done")]
        if len(rounds) == 2:
            raise Interruption
        return [Outcome(id="x", outcome="done")] * len(questions)  # type: ignore[arg-type]

    group = GroupCommit(together, 100)
    question = Question(None, "cmd", b"")  # type: ignore[arg-type]
    ended: list[str] = []

    def submit() -> None:
        try:
            ended.append(group.submit(question).outcome)
        except Interruption:
            ended.append("interrupted")

    threads = [threading.Thread(target=submit, daemon=True) for _ in range(4)]
    threads[0].start()
    leading.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(group._waiting) < 3:
        pass
    queued.set()
    for thread in threads:
        thread.join(10)
    assert sorted(ended) == ["done", "done", "done", "interrupted"]


def test_nothing_is_written_for_a_batch_of_malformed_documents(store: Store):
    before = count_of(store.engine.database, event_header)
    outcomes = store.engine.execute_many([{"command": "collect"}, {"id": "x"}, document("fly", "x", ANN)])
    assert [outcome.outcome for outcome in outcomes] == ["invalid"] * 3
    assert count_of(store.engine.database, event_header) == before
