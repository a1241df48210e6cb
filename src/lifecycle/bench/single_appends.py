"""Append: single commands that are durable when they are answered, from 1, 8 and 32 threads; beside the library."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from statistics import quantiles
from threading import Barrier, Thread
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.application import Application

from lifecycle.bench.measuring import Measured, interleaved, tell
from lifecycle.bench.peers import Person, peer
from lifecycle.bench.stores import Place
from lifecycle.bench.workload import POLICY, collection, known, people
from lifecycle.engine.engine import Engine

THREADS = (1, 8, 32)
WRITTEN = 2_300  # bytes of all rows of one such command
_MILLI = 1e3
Call = Callable[[], None]
Calls = Callable[[int], Sequence[Call]]


class Run(NamedTuple):
    """Commands a second of all threads, and how long one command took, in seconds."""

    rate: float
    took: Sequence[float]

    def percentile(self, of: int) -> float:
        """In milliseconds."""
        return quantiles(self.took, n=100, method="inclusive")[of - 1] * _MILLI


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Commands a second, then milliseconds of the middle and of the slowest hundredth; `size` is for each round."""
    with place.store(POLICY) as engine, peer(place) as library:
        floor = _Floor(engine)
        for threads in THREADS:
            tell(f"{place.engine}: append, {size:,} commands from {threads} threads")
            found: list[list[Run]] = [[], [], []]
            sides: tuple[Calls, ...] = (partial(_ours, engine), floor.calls, partial(_theirs, library))
            works = [
                _keeping(kept, partial(_round, made, threads, size)) for kept, made in zip(found, sides, strict=True)
            ]
            yield Measured(f"append-{threads}", place.engine, size, "commands/s", *interleaved(runs, *works))
            for of in (50, 99):
                figures = [[run.percentile(of) for run in kept] for kept in found]
                yield Measured(f"append-{threads}-p{of}", place.engine, size, "ms", *figures)


def _round(made: Calls, threads: int, size: int) -> Run:
    return together(made(size), threads)


def _keeping(kept: list[Run], work: Callable[[], Run]) -> Callable[[], float]:
    def once() -> float:
        kept.append(work())
        return kept[-1].rate

    return once


def together(calls: Sequence[Call], threads: int) -> Run:
    """All calls by so many threads, each taking up its next as soon as it is answered."""
    took: list[float] = []
    failed: list[BaseException] = []
    barrier = Barrier(threads + 1)

    def call_all(own: Sequence[Call]) -> None:
        try:
            barrier.wait()
            for call in own:
                began = time.perf_counter()
                call()
                took.append(time.perf_counter() - began)
        except BaseException as error:  # noqa: BLE001 -- raised below, in the thread that measures
            failed.append(error)

    running = [Thread(target=call_all, args=(calls[number::threads],)) for number in range(threads)]
    for thread in running:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]
    return Run(len(took) / (time.perf_counter() - began), took)


def _ours(engine: Engine, size: int) -> list[Call]:
    """Each collects one value of 300 bytes about another person who is on record."""
    documents = [collection(email) for email in known(engine, size)]
    engine.drain()
    return [partial(_carried_out, engine, document) for document in documents]


def _carried_out(engine: Engine, document: dict[str, Any]) -> None:
    assert engine.execute(document).outcome == "done", "a bench asks only what is permitted"


def _theirs(library: Application[UUID], size: int) -> list[Call]:
    """Each is one `app.save` of one event with such a value, of another aggregate that is at hand."""
    persons = [Person(email=email) for email in people(size)]
    library.save(*persons)
    return [partial(_saved, library, person, collection("")) for person in persons]


def _saved(library: Application[UUID], person: Person, said: dict[str, Any]) -> None:
    person.collect(said["purpose"], said["basis"], said["source"], said["evidence"], said["data"])
    library.save(person)


class _Floor:
    """As many bytes in one row and one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = count()
        blob, mark = ("blob", "?") if engine.database.is_sqlite else ("bytea", "%s")
        self._insert = f"INSERT INTO bare_append (number, written) VALUES ({mark}, {mark})"  # noqa: S608 -- our own words
        with engine.database.own() as c:
            c.exec_driver_sql(f"CREATE TABLE bare_append (number integer PRIMARY KEY, written {blob})")

    def calls(self, size: int) -> list[Call]:
        return [partial(self._write, next(self._numbers), os.urandom(WRITTEN)) for _ in range(size)]

    def _write(self, number: int, written: bytes) -> None:
        with self._engine.database.own() as c:
            c.exec_driver_sql(self._insert, (number, written))
