"""Sequence: how many events a second get their places, and how far the places lag behind an import at full speed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from sqlalchemy import select

from lifecycle.bench.integrating import Bare, queue
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place
from lifecycle.bench.workload import POLICY, collection, people
from lifecycle.engine.engine import AT_ONCE, BATCH, Engine
from lifecycle.ledger.sequencer import sequence
from lifecycle.ledger.tables import event_position
from lifecycle.storage.standing import positions

TOGETHER = 8  # events that one person has in a batch
_LOOK = 0.02  # seconds
_PATIENCE = 60.0


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Events a second; tree and map, which follow later, are measured by `bench ledger`. Then the lag."""
    for name, together in (("sequence", TOGETHER), ("sequence-apart", 1)):
        tell(f"{place.engine}: {name}, {size:,} events")
        with place.store() as engine:
            works = partial(_sequenced, engine, size, together), partial(Bare(engine), size, together)
            yield Measured(name, place.engine, size, "events/s", *interleaved(runs, *works))
    if place.server is not None:  # on SQLite an import brings everything up before it answers
        yield _lag(place, size, runs)


def _sequenced(engine: Engine, events: int, together: int) -> float:
    queue(engine, events, together)

    def give_places() -> None:
        while True:
            with engine.database.write("sequencer") as c:
                if sequence(c, AT_ONCE) < AT_ONCE:
                    return

    return events / seconds(give_places)


def _lag(place: Place, size: int, runs: int) -> Measured:
    """The longest that events of a transaction waited, from their commit until every projection had them."""
    tell(f"{place.engine}: sequence-lag, {size:,} commands, a worker beside them")
    with place.store(POLICY) as engine, _worker(engine):
        engine.follower.ensure_tables()
        _longest(engine, 1)  # by then the worker has begun
        waited = [_longest(engine, size) for _ in range(runs)]
    return Measured("sequence-lag", place.engine, size, "s", waited)


@contextmanager
def _worker(engine: Engine) -> Iterator[None]:
    """A worker of its own process, as `lifecycle worker` is in operation."""
    where = {
        "LIFECYCLE_DB": engine.database.url,
        "LIFECYCLE_KEYS": str(engine.keys),
        "LIFECYCLE_LEDGER": str(engine.log.folder.folder),
    }
    line = [sys.executable, "-m", "lifecycle", "worker"]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, env=os.environ | where)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _longest(engine: Engine, size: int) -> float:
    marks: list[tuple[float, UUID, int]] = []
    lags: list[float] = []
    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(engine, marks, lags, done))
    watching.start()
    try:
        for _ in range(0, size, BATCH):
            outcomes = engine.execute_many([collection(email) for email in people(min(BATCH, size))])
            last = outcomes[-1]
            assert last.subject is not None
            assert last.version is not None
            marks.append((time.perf_counter(), last.subject, last.version))
    finally:
        done.set()
        watching.join()
    assert len(lags) == len(marks), "the worker has followed"
    return max(lags)


def _watch(engine: Engine, marks: list[tuple[float, UUID, int]], lags: list[float], done: threading.Event) -> None:
    """Ask again and again whether the last event of the oldest transaction that waits is projected."""
    until = time.perf_counter() + _PATIENCE
    while not (done.is_set() and len(lags) == len(marks)) and time.perf_counter() < until:
        if len(lags) < len(marks):
            committed, person, version = marks[len(lags)]
            if _is_followed(engine, person, version):
                lags.append(time.perf_counter() - committed)
                continue
        if not done.is_set():
            until = time.perf_counter() + _PATIENCE
        time.sleep(_LOOK)


def _is_followed(engine: Engine, person: UUID, version: int) -> bool:
    mine = (event_position.c.stream_id == person) & (event_position.c.version == version)
    with engine.database.read() as c:
        place = c.execute(select(event_position.c.position).where(mine)).scalar_one_or_none()
        return place is not None and place < min(positions(c, engine.follower.projections).values(), default=0)
