"""The worker: what fails today is tried again at the next tick, and nothing else waits for it."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from schedule.leading import dies, leads_soon
from whole.stores import Store

from lifecycle.errors import NeedsAnother
from lifecycle.schedule import worker
from lifecycle.schedule.leader import Leader, leader_of
from lifecycle.schedule.worker import Duty, Worker

OFTEN = timedelta(milliseconds=20)


class Alone(Leader):
    """Leads, or not, or cannot be asked."""

    def __init__(self, answer: bool | Exception = True) -> None:
        self.answer = answer

    def leads(self) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def await_vacancy(self) -> bool:
        return True

    def acting(self) -> AbstractContextManager[None]:
        return nullcontext()

    def step_down(self) -> None: ...


class Noted:
    """Duties that note that they were done, and failures that were reported."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures: list[tuple[str, str]] = []

    def duty(self, name: str, fails: bool = False) -> Duty:
        def act() -> None:
            self.done.append(name)
            if fails:
                raise ValueError("no")

        return Duty(name, OFTEN, act)

    def failed(self, name: str, error: Exception) -> None:
        self.failures.append((name, type(error).__name__))


def test_a_worker_that_lacks_what_another_may_have_lets_that_one_lead_and_comes_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker, "STANDS_BACK", 0.2)
    noted = Noted()

    def lacks() -> None:
        raise NeedsAnother("The key is not here.")

    epoch = Duty("epoch", timedelta(minutes=10), lacks)
    with leader_of(store.engine.database) as one, leader_of(store.engine.database) as other:
        lacking = Worker(one, [epoch, noted.duty("drain")], noted.failed)
        standing_by = Worker(other, [noted.duty("epoch")], noted.failed)
        lacking.tick_all()
        assert (noted.done, noted.failures) == ([], [("epoch", "NeedsAnother")])
        standing_by.tick_all()
        assert noted.done == ["epoch"]
        other.step_down()
        time.sleep(0.3)
        lacking.tick_all()
        assert noted.done == ["epoch", "drain"]  # alone it does the rest, and asks again only after ten minutes
        assert noted.failures == [("epoch", "NeedsAnother")]


def test_a_failing_duty_is_reported_and_does_not_stop_the_others():
    noted = Noted()
    duties = [noted.duty("sweep", fails=True), noted.duty("drain")]
    worker = Worker(Alone(), duties, noted.failed)
    worker.tick_all()
    worker.tick_all()
    assert noted.done == ["sweep", "drain"] * 2
    assert noted.failures == [("sweep", "ValueError")] * 2


def test_who_does_not_lead_does_nothing():
    noted = Noted()
    Worker(Alone(False), [noted.duty("sweep")], noted.failed).tick_all()
    assert (noted.done, noted.failures) == ([], [])


def test_a_leader_that_cannot_be_asked_is_a_failure_like_any_other():
    noted = Noted()
    leader = Alone(OSError("the server is away"))
    worker = Worker(leader, [noted.duty("sweep")], noted.failed)
    worker.tick_all()
    assert noted.failures == [("sweep", "OSError")]
    leader.answer = True
    worker.tick_all()
    assert noted.done == ["sweep"]


@pytest.mark.parametrize("fails", [False, True])
def test_it_ticks_until_it_is_told_to_stop_and_one_duty_at_a_time(fails: bool):
    noted, stop, at_once = Noted(), threading.Event(), []
    busy = threading.Lock()

    def act() -> None:
        at_once.append(busy.acquire(blocking=False))
        time.sleep(0.005)
        busy.release()

    duties = [noted.duty("drain", fails), Duty("sweep", OFTEN, act), Duty("rotate", OFTEN, act)]
    thread = threading.Thread(target=Worker(Alone(), duties, noted.failed).run, args=[stop])
    thread.start()
    deadline = time.monotonic() + 10
    while (len(noted.done) < 3 or len(at_once) < 6) and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(noted.done) >= 3
    assert all(at_once)
    assert bool(noted.failures) == fails


def test_of_two_workers_over_one_store_only_the_one_that_leads_acts(store: Store):
    """The other one stands by; and who was paused until another took over does nothing late."""
    acted: list[str] = []
    database = store.engine.database
    with leader_of(database) as first, leader_of(database) as second:
        workers = [
            Worker(leader, [Duty("sweep", OFTEN, lambda name=name: acted.append(name))], lambda *_: None)
            for name, leader in (("first", first), ("second", second))
        ]
        for _ in range(3):
            for worker in workers:
                worker.tick_all()
        assert acted == ["first"] * 3
        dies(database, first)
        assert leads_soon(second)
        for worker in workers:
            worker.tick_all()
        assert acted == ["first"] * 3 + ["second"]
        second.step_down()
        assert leads_soon(first)
        for worker in workers:
            worker.tick_all()
    assert acted == ["first"] * 3 + ["second", "first"]


def test_a_duty_that_waits_for_others_holds_up_no_other():
    """From the first moment on, and for as long as nobody answers."""
    noted, answered, asked, stop = Noted(), threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        assert answered.wait(60)

    def sweep() -> None:
        noted.done.append("sweep")
        if asked.is_set() and noted.done.count("sweep") > 3:
            answered.set()  # only now, after several sweeps
            stop.set()

    duties = [Duty("witness", OFTEN, wait, waits=True), Duty("sweep", OFTEN, sweep)]
    running = threading.Thread(target=Worker(Alone(), duties, noted.failed).run, args=(stop,))
    running.start()
    running.join(60)
    assert not running.is_alive()
    assert asked.is_set()
    assert noted.failures == []


def test_what_waits_is_done_by_who_leads_alone_and_its_failure_is_reported():
    noted = Noted()
    waits = replace(noted.duty("witness", fails=True), waits=True)
    Worker(Alone(False), [waits], noted.failed).tick_all()
    assert (noted.done, noted.failures) == ([], [])
    Worker(Alone(), [waits], noted.failed).tick_all()
    assert (noted.done, noted.failures) == (["witness"], [("witness", "ValueError")])
