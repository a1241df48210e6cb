"""Faults: a step that is the last of its process, by an exception or, in a process of its own, by kill -9."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from forked import Forks
from sqlalchemy import event
from whole.stores import Store

from lifecycle.engine import Engine, open_engine
from lifecycle.processes import finalise_when_an_epoch_ends as ending
from lifecycle.schedule.leader import leader_of
from lifecycle.schedule.worker import Duty, Worker


class Crash(BaseException):
    """As if the process ended here: nothing catches it."""


def dies(saga: Any, step: str, when: str) -> None:
    """Let one step of a saga be the last: `when` is "before" or "after" its work is done."""
    work = getattr(saga, step)

    def last(*arguments: Any, **named: Any) -> None:
        if when == "after":
            work(*arguments, **named)
        raise Crash

    setattr(saga, step, last)


def is_well_again(saga: Any, step: str) -> None:
    delattr(saga, step)


@dataclass(frozen=True)
class Death:
    """Within `step` of `saga` (the engine's attribute): at a statement that has all the words of `at`; at the COMMIT of
    what was written; or at an fsync. `nth` of them."""

    saga: str
    step: str
    at: str
    nth: int = 1


class Dying:
    """A process for each death."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks
        self._known: set[str] = set()

    def __call__(self, store: Store, death: Death, document: dict[str, Any] | None = None) -> None:
        """Execute `document`, or rotate, or work as the leader, in a process that is killed on its way; then open the store anew."""
        store.engine.close()
        if store.settings.db not in self._known:
            self._known.add(store.settings.db)
            self._forks.know(store.settings.db, store.settings.keys)
        said = {"db": store.settings.db, "keys": str(store.settings.keys), "document": document, "death": asdict(death)}
        assert self._forks("processes.dying:live_and_die", **said).wait() == -signal.SIGKILL, death
        store.engine = open_engine(store.settings.db, keys=store.settings.keys)


def live_and_die(db: str, keys: str, document: dict[str, Any] | None, death: dict[str, Any]) -> None:
    engine = open_engine(db, keys=keys)
    ending.BATCH = 5  # several, however few people there are
    ending.WRAPPED_AT_ONCE = 5
    _kill_at(engine, Death(**death))
    if document is not None:
        engine.execute(document)
    elif death["saga"] == "ending":
        engine.rotate()
    else:
        _work(engine)


def _work(engine: Engine) -> None:
    """One round of a worker that leads."""
    failures: list[Exception] = []
    with leader_of(engine.database) as leader:
        duty = Duty("sweep", timedelta(minutes=1), engine.sweep)
        Worker(leader, [duty], lambda _, error: failures.append(error)).tick_all()
    assert not failures


def _kill_at(engine: Engine, death: Death) -> None:
    saga = getattr(engine, death.saga)
    work, seen, is_inside, has_written = getattr(saga, death.step), 0, False, False

    def meets(what: str) -> None:
        nonlocal seen
        seen += is_inside and all(word in what for word in death.at.split())
        if seen == death.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(engine.database.engine, "after_cursor_execute")
    def executed(_conn: Any, _cursor: Any, said: str, *_: Any) -> None:
        nonlocal has_written
        has_written = has_written or said.startswith(("INSERT", "UPDATE", "DELETE"))
        meets(said)

    @event.listens_for(engine.database.engine, "commit")
    def commits(_conn: Any) -> None:
        nonlocal has_written
        if has_written:
            meets("COMMIT")
        has_written = False

    sync = os.fsync

    def synced(descriptor: int) -> None:
        meets("fsync")
        sync(descriptor)

    def entered(*arguments: Any, **named: Any) -> Any:
        nonlocal is_inside
        is_inside = True
        try:
            return work(*arguments, **named)
        finally:
            is_inside = False

    os.fsync = synced
    setattr(saga, death.step, entered)
