"""Many at once, in threads and in processes, on one person: no update is lost, and each conflict is decided again."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from engine.stores import COLLECT, CONSENT, QUOTE, document, headers_of, times_of
from forked import Forks
from postgres import on_postgresql
from whole.stores import ANN, Store

from lifecycle.clock import Clock
from lifecycle.commands.outcome import Outcome
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import create
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings
from lifecycle.storage.database import Database
from lifecycle.storage.server_clock import ServerClock, _Asked

WRITERS = 64
APART = timedelta(minutes=10)


def collect(id: str, **fields: Any) -> dict[str, Any]:
    return document("collect", id, ANN, data={"name": id}, **COLLECT, **fields)


def in_threads(act: Any, count: int) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(act, range(count)))


def is_whole(store: Store, updates: int) -> None:
    engine = store.reopen()
    assert times_of(engine.database, "personal-data-collected") == updates
    numbers = [header.n for header in headers_of(engine.database, engine.read.subject_id(ANN))]
    assert numbers == list(range(1, len(numbers) + 1))
    names = [row for row in engine.read.holdings(ANN) if row["category"] == "name"]
    assert len(names) == updates


def test_sixty_four_threads_that_write_about_one_person_lose_nothing(store: Store):
    store.consent()
    outcomes = in_threads(lambda number: store.engine.execute(collect(f"n{number}")), WRITERS)
    assert {outcome.outcome for outcome in outcomes} == {"done"}
    is_whole(store, WRITERS)


def write(db: str, keys: str, process: int) -> None:
    """One of several processes: 16 threads that write about one person."""
    with open_engine(db, keys=keys) as engine:
        outcomes = in_threads(lambda number: engine.execute(collect(f"n{process}-{number}")), WRITERS // 4)
        assert {outcome.outcome for outcome in outcomes} == {"done"}


def test_four_processes_of_sixteen_threads_that_write_about_one_person_lose_nothing(store: Store, forks: Forks):
    store.consent()
    store.engine.close()
    said = {"db": store.settings.db, "keys": str(store.settings.keys)}
    with ExitStack() as stack:
        running = [
            stack.enter_context(forks("whole.test_many_at_once:write", **said, process=number)) for number in range(4)
        ]
        assert [each.wait() for each in running] == [0] * 4
    is_whole(store, WRITERS)


def test_of_sixty_four_that_saw_the_same_version_one_writes_and_the_others_are_told(store: Store):
    """Each reads again and decides anew until it was the first: nobody writes over what it has not seen."""
    store.consent()
    id = store.engine.read.subject_id(ANN)
    seen = store.engine.subject_state(id).version

    def once(number: int) -> Outcome:
        return store.engine.execute(collect(f"first-{number}", expected_version=seen))

    assert Counter(outcome.outcome for outcome in in_threads(once, WRITERS)) == {"done": 1, "conflict": WRITERS - 1}

    def until_done(number: int) -> int:
        tries = 0
        while True:
            tries += 1
            version = store.engine.subject_state(id).version
            asked = collect(f"then-{number}-{tries}", expected_version=version)
            if store.engine.execute(asked).outcome == "done":
                return tries

    tries = in_threads(until_done, 16)
    assert max(tries) > 1
    is_whole(store, 1 + 16)


# -- clocks that are apart -----------------------------------------------------------------------------------------------


class Off(Clock):
    """The clock of a machine that is wrong by `by`."""

    def __init__(self, now: datetime, by: timedelta = timedelta()) -> None:
        self.true = now
        self.by = by

    def now(self) -> datetime:
        return self.true + self.by


MONDAY = datetime(2024, 8, 5, 2, tzinfo=UTC)


@pytest.fixture
def settings(database_url: str, keys: Path) -> Settings:
    return Settings(database_url, keys)


def made(settings: Settings, clock: Clock) -> Engine:
    return create(settings, example_policy_text(), clock=clock)[0]


def test_two_machines_whose_clocks_are_ten_minutes_apart_keep_the_time_of_a_person_in_order(settings: Settings):
    slow, fast = Off(MONDAY), Off(MONDAY, APART)
    with made(settings, slow) as first, open_engine(settings.db, keys=settings.keys, clock=fast) as second:
        asked = {"data": {"phone": "+6591234567"}, **QUOTE}
        for number, engine in enumerate((first, second) * 4):
            slow.true = fast.true = MONDAY + timedelta(seconds=number)
            told = document("collect", f"c-{number}", ANN, **asked)
            assert engine.execute(told).outcome in ("done", "nothing")
            assert engine.execute(document("give-consent", f"g-{number}", ANN, **CONSENT)).outcome in (
                "done",
                "nothing",
            )
        first.drain()
        times = [header.at for header in headers_of(first.database, first.read.subject_id(ANN))]
        assert times == sorted(times)
        late = (MONDAY + APART / 2).isoformat()
        outcome = first.execute(document("collect", "late", ANN, at=late, **asked))
        assert (outcome.outcome, outcome.code) == ("refused", "in-the-future")  # by the clock of whoever is asked
        assert second.execute(document("collect", "late-2", ANN, at=late, **asked)).outcome in ("done", "nothing")


def test_what_a_machine_whose_clock_is_ahead_has_recorded_is_neither_erased_early_nor_out_of_reach(settings: Settings):
    """By the clock of the other one nothing of it has begun yet."""
    slow, fast = Off(MONDAY), Off(MONDAY, APART)
    with made(settings, slow) as first, open_engine(settings.db, keys=settings.keys, clock=fast) as second:
        assert first.execute(document("collect", "c-1", ANN, data={"phone": "+6591234567"}, **QUOTE)).outcome == "done"
        assert second.execute(document("give-consent", "g-1", ANN, **CONSENT)).outcome == "done"
        assert second.execute(document("collect", "c-2", ANN, data={"name": "Ann"}, **COLLECT)).outcome == "done"
        assert told(first) == told(second)
        ended = first.execute(document("end-purpose", "e-1", ANN, purpose="quotation", reason="contract-ended"))
        assert ended.outcome == "done"
        assert states(second) == {"phone": "erased", "name": "held"}
        assert told(first) == told(second)
        # It is taken back, although it was given, by this clock, in ten minutes.
        back = document("withdraw-consent", "w-1", ANN, purposes=["free-trial"], channel="web-form")
        assert first.execute(back).outcome == "done"
        assert states(second) == {"phone": "erased", "name": "erased"}
        assert told(first) == told(second)
        times = [header.at for header in headers_of(first.database, first.read.subject_id(ANN))]
        assert times == sorted(times)


def test_what_a_machine_whose_clock_is_ahead_has_ended_is_over_for_the_other_one_too(settings: Settings):
    slow, fast = Off(MONDAY), Off(MONDAY, APART)
    with made(settings, slow) as first, open_engine(settings.db, keys=settings.keys, clock=fast) as second:
        first.execute(document("give-consent", "g-1", ANN, **CONSENT))
        first.execute(document("collect", "c-1", ANN, data={"name": "Ann"}, **COLLECT))
        first.execute(document("place-hold", "h-1", ANN, hold="K-7", reason="a lawsuit", authority="court"))
        back = document("withdraw-consent", "w-1", ANN, purposes=["free-trial"], channel="web-form")
        assert second.execute(back).outcome == "done"
        assert states(first) == {"name": "restricted"}
        assert [row["status"] for row in first.read.consents(ANN)] == ["withdrawn"]
        assert told(first) == told(second)


def test_a_sweep_by_a_clock_that_is_behind_leaves_what_begins_later(settings: Settings):
    clock = Off(MONDAY)
    with made(settings, clock) as engine:
        engine.execute(document("give-consent", "g-1", ANN, **CONSENT))
        engine.execute(document("collect", "c-1", ANN, data={"phone": "+6591234567"}, **QUOTE))
        clock.true = MONDAY + timedelta(days=900)  # over by then
        assert engine.execute(document("collect", "c-2", ANN, data={"company": "Acme"}, **QUOTE)).outcome == "done"
        clock.true -= APART
        assert engine.sweep().expired >= 1
        clock.true += APART
        assert states(engine) == {"phone": "erased", "company": "held"}


def test_a_hold_of_a_machine_whose_clock_is_ahead_stops_the_sweep_of_one_that_is_behind(settings: Settings):
    clock = Off(MONDAY)
    with made(settings, clock) as engine:
        engine.execute(document("collect", "c-1", ANN, data={"phone": "+6591234567"}, **QUOTE))
        asked = {"request": "r-1", "kind": "access", "channel": "email", "identity": "passport"}
        assert engine.execute(document("receive-request", "q-1", ANN, **asked)).outcome == "done"
        clock.true = MONDAY + timedelta(days=900)
        hold = document("place-hold", "h-1", ANN, hold="K-7", reason="a lawsuit", authority="court")
        assert engine.execute(hold).outcome == "done"
        clock.true -= APART
        engine.sweep()  # has something to do: the request was not answered in time
        kinds = [header.kind for header in headers_of(engine.database, engine.read.subject_id(ANN))]
        assert kinds[-1].startswith("deadline-missed")
        assert states(engine) == {"phone": "restricted"}


def told(engine: Engine) -> tuple[Any, ...]:
    return engine.read.holdings(ANN), engine.read.consents(ANN)


def states(engine: Engine) -> dict[str, str]:
    return {row["category"]: row["state"] for row in engine.read.holdings(ANN)}


@on_postgresql
def test_on_a_server_every_machine_goes_by_the_servers_clock(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """So nothing ends early on a machine that is ahead, and nothing is in the future on one that is behind."""
    monkeypatch.setattr("lifecycle.clock.SystemClock.now", lambda _: datetime.now(UTC) + APART)
    with create(settings, example_policy_text())[0] as engine:
        assert isinstance(engine.clock, ServerClock)
        assert abs(engine.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


@on_postgresql
def test_how_far_a_machine_is_off_is_known(database: Database):
    clock = ServerClock(database)
    for off in (timedelta(), APART, -APART):
        assert abs(clock.skew(datetime.now(UTC) + off) - off) < timedelta(minutes=1)


@on_postgresql
@pytest.mark.parametrize("off", [APART, -APART])
def test_a_machine_that_is_off_sweeps_nothing_early_and_nothing_late(
    settings: Settings, off: timedelta, monkeypatch: pytest.MonkeyPatch
):
    """What falls due does so when the server's clock says it, whatever the machine that sweeps believes."""
    server, seconds = [MONDAY], count()

    def asked(_: ServerClock) -> _Asked:
        return _Asked(server[0] + timedelta(seconds=next(seconds)), time.monotonic())

    monkeypatch.setattr(ServerClock, "_ask", asked)
    monkeypatch.setattr("lifecycle.storage.server_clock.ASK_EVERY", 0.0)
    monkeypatch.setattr("lifecycle.clock.SystemClock.now", lambda _: server[0] + off)
    with create(settings, example_policy_text())[0] as engine:
        engine.execute(document("give-consent", "1", ANN, **CONSENT))
        assert engine.execute(collect("2")).outcome == "done"
        engine.drain()
        (ground,) = engine.read.holdings(ANN)[0]["grounds"]
        due = datetime.fromisoformat(ground["until"])
        server[0] = due - APART / 2
        assert engine.sweep().expired == 0
        server[0] = due
        assert engine.sweep().expired == 1


@on_postgresql
def test_the_servers_clock_is_asked_again_and_is_steady_in_between(database: Database, monkeypatch: pytest.MonkeyPatch):
    clock = ServerClock(database)
    times = [clock.now() for _ in range(50)]
    assert times == sorted(times)
    asked = clock._asked
    monkeypatch.setattr("lifecycle.storage.server_clock.ASK_EVERY", 0.0)
    clock.now()
    assert clock._asked is not asked
