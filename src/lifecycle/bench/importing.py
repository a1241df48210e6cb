"""Import: commands from lines of a file to the commit, a thousand a transaction; beside bare bytes and the library."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from eventsourcing.application import Application
from sqlalchemy import select

from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.peers import Person, peer
from lifecycle.bench.stores import Place, copy_in
from lifecycle.bench.workload import POLICY, imported, known, lines, people
from lifecycle.engine.engine import BATCH, Engine
from lifecycle.engine.import_workers import ImportWorkers
from lifecycle.ledger.tables import ledger_queue
from lifecycle.storage.tables import command_seen, event_body, event_header, stream_head
from lifecycle.vault.tables import data_key, lookup, subject_key

_IN_WORDS = {2: "two", 3: "three", 4: "four"}
TOGETHER = 8  # commands about one person, one after the other
_WRITTEN = (stream_head, event_header, event_body, ledger_queue, command_seen, subject_key, data_key, lookup)


class Load(NamedTuple):
    """One sort of file: values a command, commands about each person, and whether the store knows them before."""

    bench: str
    held: int
    together: int
    is_known: bool = False

    def about(self, engine: Engine, size: int) -> list[str]:
        some = -(-size // self.together)
        named = known(engine, some) if self.is_known else people(some)
        return [email for email in named for _ in range(self.together)][:size]


LOADS = (
    Load("import", 1, TOGETHER),
    Load("import-four-values", 4, TOGETHER),
    Load("import-strangers", 1, 1),
    Load("import-known-people", 1, 1, is_known=True),
)


def bench(place: Place, size: int, runs: int, workers: int = 1) -> Iterator[Measured]:
    """Commands a second; with more than one worker each load also by so many processes, in the same rounds."""
    with place.store(POLICY) as engine, peer(place) as library, ImportWorkers(engine, workers) as several:
        for load in LOADS:
            tell(f"{place.engine}: {load.bench}, {size:,} commands")
            # What an interpreter and a server do only once is done by these too.
            bare = Bare(engine, bytes_a_command(engine, load, min(size, BATCH)))
            _together(several, engine, lines(load.about(engine, BATCH), load.held))
            works = [partial(bare, size), partial(theirs, library, load, size), partial(ours, engine, load, size)]
            shared = [partial(ours_shared, several, engine, load, size)] if workers > 1 else []
            floor, peers, alone, *together = interleaved(runs, *works, *shared)
            yield Measured(load.bench, place.engine, size, "commands/s", alone, floor, peers)
            for figures in together:
                yield Measured(_shared(load, workers), place.engine, size, "commands/s", figures, floor, peers)


def _shared(load: Load, workers: int) -> str:
    return f"{load.bench}-{_IN_WORDS.get(workers, workers)}-workers"


def ours(engine: Engine, load: Load, size: int) -> float:
    given = lines(load.about(engine, size), load.held)
    return size / seconds(lambda: imported(engine, given))


def ours_shared(several: ImportWorkers, engine: Engine, load: Load, size: int) -> float:
    """As `lifecycle import --workers` does it, without starting the other processes."""
    given = lines(load.about(engine, size), load.held)
    return size / seconds(lambda: _together(several, engine, given))


def _together(several: ImportWorkers, engine: Engine, given: Sequence[bytes]) -> None:
    window = several.at_once(BATCH)
    windows = [given[at : at + window] for at in range(0, len(given), window)]
    told = [each for some in several.carry_out(windows, engine.keys, BATCH) for each in some]
    assert told == ["done"] * len(given), "a bench asks only what is permitted"


def theirs(library: Application[UUID], load: Load, size: int) -> float:
    """The same lines, an event a command: parsed, given to an aggregate, and saved in batches of as many events."""
    batches = list(_batches(library, load, size))

    def save() -> None:
        for batch in batches:
            _save(library, batch)

    return size / seconds(save)


def _save(library: Application[UUID], batch: Sequence[tuple[str | Person, list[bytes]]]) -> None:
    people = []
    for known_as, given in batch:
        person = Person(email=known_as) if isinstance(known_as, str) else known_as
        for line in given:
            said = orjson.loads(line)
            person.collect(said["purpose"], said["basis"], said["source"], said["evidence"], said["data"])
        people.append(person)
    library.save(*people)


def _batches(library: Application[UUID], load: Load, size: int) -> Iterator[list[tuple[str | Person, list[bytes]]]]:
    """Of people on record the application has the aggregates at hand: it need not even load them."""
    for start in range(0, size, BATCH):
        asked = lines([""] * min(BATCH, size - start), load.held)
        groups = [asked[at : at + load.together] for at in range(0, len(asked), load.together)]
        named: Sequence[str | Person] = people(len(groups))
        if load.is_known:
            known = [Person(email=str(each)) for each in named]
            library.save(*known)
            named = known
        yield list(zip(named, groups, strict=True))


def bytes_a_command(engine: Engine, load: Load, size: int) -> int:
    """What one command of this load writes into all tables, without their indexes."""
    given = lines(load.about(engine, size), load.held)
    before = _bytes(engine)
    imported(engine, given)
    return (_bytes(engine) - before) // size


def _bytes(engine: Engine) -> int:
    with engine.database.read("eraser") as c:
        return sum(_length(value) for table in _WRITTEN for row in c.execute(select(table)) for value in row)


def _length(value: Any) -> int:
    if isinstance(value, bytes | str | memoryview):
        return len(value)
    return 16 if isinstance(value, UUID) else 8


class Bare:
    """As many bytes, one row a command, into one bare table: executemany on SQLite, COPY on PostgreSQL."""

    def __init__(self, engine: Engine, length: int) -> None:
        self._engine = engine
        self._length = length
        self._at = 0
        self._table = f"bare_{secrets.token_hex(4)}"
        blob = "blob" if engine.database.is_sqlite else "bytea"
        with engine.database.own() as c:
            c.exec_driver_sql(f"CREATE TABLE {self._table} (number integer PRIMARY KEY, written {blob})")

    def __call__(self, size: int) -> float:
        rows = [os.urandom(self._length) for _ in range(size)]
        return size / seconds(lambda: self._write(rows))

    def _write(self, rows: Sequence[bytes]) -> None:
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            numbers = range(self._at, self._at + len(some))
            with self._engine.database.own() as c:
                copy_in(c, self._table, {"number": numbers, "written": some})
            self._at = numbers.stop
