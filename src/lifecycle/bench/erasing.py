"""Erasing one person whole, from the command to the completed erasure, among few people stored and among many."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from functools import partial
from uuid import UUID

from lifecycle.bench.crowds import idle_crowd
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place, copy_in, driver_id
from lifecycle.bench.workload import POLICY, imported, lines, people
from lifecycle.engine.engine import Engine
from lifecycle.storage.event_ids import EventIds

FEW = 1_000  # people stored
_TABLES = {"header": (5, 400), "body": (4, 340), "key": (2, 60), "head": (2, 200), "lookup": (1, 100)}
"""Rows of one person and bytes of each, as a person has them of whom one value was collected."""


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Seconds an erasure; by turns in a store with 1,000 people and in one with `size`."""
    with place.store(POLICY) as small, place.store(POLICY) as large:
        for engine, many in ((small, min(FEW, size)), (large, size)):
            tell(f"{place.engine}: {many:,} people are stored")
            idle_crowd(engine, one(engine)[1], many)
        works = [partial(erased, small), partial(Bare(small, min(FEW, size)), small)]
        works += [partial(erased, large), partial(Bare(large, size), large)]
        few, few_bare, many_, many_bare = interleaved(runs, *works)
        yield Measured("erase", place.engine, min(FEW, size), "s", few, few_bare)
        yield Measured("erase", place.engine, size, "s", many_, many_bare)


def one(engine: Engine) -> tuple[str, UUID]:
    """Somebody of whom a value is held: address and id."""
    (email,) = people(1)
    imported(engine, lines([email]))
    return email, engine.read.subject_id({"email": email})


def erased(engine: Engine) -> float:
    email, _ = one(engine)
    document = {
        "command": "erase",
        "id": secrets.token_hex(16),
        "actor": {"id": "bench", "role": "service"},
        "subject": {"email": email},
        "ground": "7.3d",
    }
    engine.drain()
    outcome = []
    took = seconds(lambda: outcome.append(engine.execute(document)))
    assert outcome[0].receipt is not None, "the person is erased whole, and every key is destroyed"
    return took


class Bare:
    """As many rows with as many bytes in bare tables with as many people in them; one transaction deletes one's."""

    def __init__(self, engine: Engine, stored: int) -> None:
        self._ids = EventIds()
        blob, id = ("blob", "text") if engine.database.is_sqlite else ("bytea", "uuid")
        with engine.database.own() as c:
            for kind in _TABLES:
                columns = f"of {id}, number integer, bytes {blob}, PRIMARY KEY (of, number)"
                c.exec_driver_sql(f"CREATE TABLE bare_{kind} ({columns})")
        self._fill(engine, stored)

    def _fill(self, engine: Engine, many: int) -> list[object]:
        made = [driver_id(engine.database, self._ids.after(None)) for _ in range(many)]
        for kind, (rows, length) in _TABLES.items():
            with engine.database.own() as c:
                for number in range(rows):
                    written = [os.urandom(length)] * many
                    copy_in(c, f"bare_{kind}", {"of": made, "number": [number] * many, "bytes": written})
        return list(made)

    def __call__(self, engine: Engine) -> float:
        (id,) = self._fill(engine, 1)
        mark = "?" if engine.database.is_sqlite else "%s"

        def work() -> None:
            with engine.database.own() as c:
                for kind in _TABLES:
                    c.exec_driver_sql(f"DELETE FROM bare_{kind} WHERE of = {mark}", (id,))  # noqa: S608

        took = seconds(work)
        engine.database.truncate_wal()
        return took
