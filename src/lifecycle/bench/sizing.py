"""Bytes stored for an event with one 300-byte value: tables, indexes, keys, projections and the files of the log."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from functools import partial

from lifecycle.bench.importing import TOGETHER
from lifecycle.bench.measuring import Measured, interleaved, tell
from lifecycle.bench.stores import Place, copy_in, file_bytes, stored_bytes
from lifecycle.bench.workload import POLICY, VALUE_BYTES, imported, known, lines
from lifecycle.engine.engine import Engine

_OF_SQLITE = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
_OF_A_SERVER = "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't') AND oid >= 16384"


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """By how much a store grows with each of `size` events, eight of each person; the floor is a row of the value."""
    with place.store(POLICY) as engine, place.store() as other:
        grown(engine, TOGETHER)  # what a store has once
        bare(other, TOGETHER)
        works = (partial(grown, engine, size), partial(bare, other, size))
        yield Measured("size", place.engine, size, "bytes/event", *interleaved(runs, *works))
        events = told(engine, size)
        before = by_place(engine)
        imported(engine, events)
        engine.publish()
        after = by_place(engine)
    tell(f"{place.engine}: where the bytes of an event are")
    grew = {name: (after[name] - before.get(name, 0)) / size for name in after}
    for name in sorted(grew, key=lambda name: -grew[name]):
        if grew[name] >= 1:
            tell(f"{grew[name]:8.0f} {name}")


def grown(engine: Engine, size: int) -> float:
    events = told(engine, size)
    before = everything(engine)
    imported(engine, events)
    engine.publish()
    return (everything(engine) - before) / size


def told(engine: Engine, size: int) -> list[bytes]:
    """About people who are known: registering one is an event of its own."""
    about = [email for email in known(engine, -(-size // TOGETHER)) for _ in range(TOGETHER)][:size]
    engine.publish()
    return lines(about)


def everything(engine: Engine) -> int:
    """The database, the folder of keys with journal and anchor, and the log's files."""
    return stored_bytes(engine.database) + file_bytes(engine.keys) + file_bytes(engine.log.folder.folder)


def bare(engine: Engine, size: int) -> float:
    database, table = engine.database, f"bare_{secrets.token_hex(4)}"
    blob = "blob" if database.is_sqlite else "bytea"
    before = stored_bytes(database)
    with database.own() as c:
        c.exec_driver_sql(f"CREATE TABLE {table} (number integer PRIMARY KEY, written {blob})")
        copy_in(c, table, {"number": range(size), "written": [os.urandom(VALUE_BYTES) for _ in range(size)]})
    return max(stored_bytes(database) - before, VALUE_BYTES) / size


def by_place(engine: Engine) -> dict[str, int]:
    """Bytes of every table, every index of its own, and the files beside the database."""
    database = engine.database
    stored_bytes(database)  # tidied
    with database.own() as c:
        query = _OF_SQLITE if database.is_sqlite else _OF_A_SERVER
        found = {row[0]: int(row[1]) for row in c.exec_driver_sql(query)}
    return found | {"keys": file_bytes(engine.keys), "files of the log": file_bytes(engine.log.folder.folder)}
