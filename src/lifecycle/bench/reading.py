"""Read: current holdings, masked or in clear, and how little it matters how many people are stored beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from uuid import UUID

from lifecycle.bench import lives
from lifecycle.bench.crowds import crowd
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place, driver_id
from lifecycle.bench.workload import people
from lifecycle.engine.engine import Engine
from lifecycle.ledger.many_rows import rows_of

FEW = 1_000  # people in the store that others are compared with
ALIVE = 100  # whom the figures are about
TIMES = 400  # reads in one measurement
CLEAR = 100
_ROWS = (
    "SELECT * FROM {schema}current_holding WHERE subject_id = {mark}",
    "SELECT b.ct, h.header FROM event_body b JOIN event_header h ON h.stream_id = b.stream_id"
    " AND h.version = b.version WHERE b.stream_id = {mark}",
)
_READER = {"id": "bench", "role": "service"}


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Reads a second with `size` people stored; then one read's time beside the same with a thousand stored."""
    with place.store() as many, place.store() as few:
        alive = {}
        for engine, stored in ((many, size), (few, min(FEW, size))):
            tell(f"{place.engine}: {stored:,} people are stored")
            named = people(min(ALIVE, stored))
            alive[engine] = named, lives.with_one_value(engine, named)
            engine.drain()
            crowd(engine, stored - len(named))
        yield _masked(place, many, alive[many][1], size, runs)
        for name in ("holdings", "history"):
            yield from _growth(place, name, (many, alive[many][1]), (few, alive[few][1]), size, runs)
        yield _clear(place, many, alive[many][0], size, runs)  # the last: records grow by it


def _masked(place: Place, engine: Engine, alive: list[UUID], size: int, runs: int) -> Measured:
    tell(f"{place.engine}: read, {TIMES} at a time")
    whom = cycle(alive)
    ours = partial(_a_second, TIMES, lambda: engine.read.holdings(next(whom)))
    bare = partial(_a_second, TIMES, lambda: _bare(engine, next(whom)))
    return Measured("read", place.engine, size, "reads/s", *interleaved(runs, ours, bare))


def _clear(place: Place, engine: Engine, alive: list[str], size: int, runs: int) -> Measured:
    """Beside a single append, which is what puts the read on record."""
    whom = cycle(alive)

    def clear() -> None:
        assert engine.read_clear({"email": next(whom)}, lives.PURPOSE, _READER)

    def append() -> None:
        lives.asked(engine, [lives.giving_a_phone(next(whom))])

    works = partial(_a_second, CLEAR, clear), partial(_a_second, CLEAR, append)
    return Measured("read-clear", place.engine, size, "reads/s", *interleaved(runs, *works))


def _growth(
    place: Place,
    name: str,
    many: tuple[Engine, list[UUID]],
    few: tuple[Engine, list[UUID]],
    size: int,
    runs: int,
) -> Iterator[Measured]:
    """Milliseconds a read with `size` people stored, and as its floor with a thousand; by the clock and in processor
    time of this process."""
    whom = {engine: cycle(alive) for engine, alive in (many, few)}
    for suffix, clock in (("growth", time.perf_counter), ("growth-processor", time.process_time)):
        works = [partial(_milliseconds, engine, name, whom[engine], clock) for engine, _ in (many, few)]
        yield Measured(f"{name}-{suffix}", place.engine, size, "ms", *interleaved(runs, *works))


def _milliseconds(engine: Engine, name: str, whom: Iterator[UUID], clock: Callable[[], float]) -> float:
    read = getattr(engine.read, name)
    began = clock()
    for _ in range(TIMES):
        assert read(next(whom))
    return (clock() - began) / TIMES * 1_000


def _a_second(times: int, read: Callable[[], object]) -> float:
    def all_of_them() -> None:
        for _ in range(times):
            read()

    return times / seconds(all_of_them)


def _bare(engine: Engine, person: UUID) -> None:
    """The same rows, as the driver has them."""
    lite = engine.database.is_sqlite
    said = {"schema": "" if lite else "projection.", "mark": "?" if lite else "%s"}
    with engine.database.read() as c:
        for query in _ROWS:
            assert rows_of(c, query.format(**said), (driver_id(engine.database, person),))
