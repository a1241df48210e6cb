"""What workers in processes of their own do. Here, and not beside the tests, so that a new process can import it."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from lifecycle.engine import open_engine
from lifecycle.schedule.leader import leader_of
from lifecycle.schedule.worker import Duty, Worker
from lifecycle.storage.database import Database
from lifecycle.storage.tables import store_facts


def noted(file: str, *words: object) -> None:
    """A line that survives whoever wrote it."""
    with Path(file).open("a", encoding="utf-8") as lines:
        lines.write(" ".join(map(str, words)) + "\n")


def lines_of(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def work(url: str, file: str, lasts: float, go: str | None = None) -> None:
    """A worker whose duty is to write something. With `go`, each write waits until that file is there."""
    database = Database(url)
    with leader_of(database, timedelta(seconds=lasts)) as leader:

        def act() -> None:
            assert leader.term is not None
            number = leader.term.number
            noted(file, "acts", number, os.getpid(), time.monotonic())
            while go is not None and number == 1 and not Path(go).exists():
                time.sleep(0.005)
            with database.write("writer") as c:
                c.execute(insert(store_facts).values(name=f"{number}-{time.monotonic_ns()}", value=str(os.getpid())))

        def failed(_: str, error: Exception) -> None:
            noted(file, "failed", type(error).__name__, os.getpid())

        Worker(leader, [Duty("write", timedelta(milliseconds=200), act)], failed).run(threading.Event())


def sweep_and_stop(db: str, keys: str, file: str) -> None:
    """A worker that leads, and falls asleep when it has decided and has not written yet."""
    engine = open_engine(db, keys=keys)
    save = engine.streams.save

    def asleep_first(*events: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGSTOP)
        return save(*events, **named)

    engine.streams.save = asleep_first  # type: ignore[method-assign]
    with leader_of(engine.database) as leader:
        duty = Duty("sweep", timedelta(minutes=1), engine.sweep)
        Worker(leader, [duty], lambda _, error: noted(file, type(error).__name__)).tick_all()
    noted(file, "ended")
