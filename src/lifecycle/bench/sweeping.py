"""The sweep: from what falls due to destroyed keys, beside a bare indexed delete of as many bodies and keys."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from lifecycle.bench.crowds import idle_crowd
from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place, copy_in, driver_id
from lifecycle.bench.workload import POLICY, imported, lines, people
from lifecycle.engine.engine import Engine
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.portions import PEOPLE

PERIOD = timedelta(days=3 * 366)  # longer than the policy lets a bench's values live
SETS = {"sweep": 1, "sweep-four-values": 4}  # holdings that fall due for one person
HELD = 10  # holdings of each person who is only stored
FEW, MANY = 5, 50  # times as many holdings are stored as fall due
_BODY, _KEY = 340, 60  # bytes of a sealed value, and of its wrapped key


def bench(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Expiries a second: each period that ended, the order, the destroyed key and body, and the completion.

    Then the same by turns in a store with ten times as many holdings that are not due."""
    with place.store(POLICY) as engine:
        for name, held in SETS.items():
            tell(f"{place.engine}: {name}, {size:,} holdings that fall due")
            floor = BareDelete(engine)
            by_turns = (partial(expiries, engine, size, held), partial(floor, size))
            yield Measured(name, place.engine, size, "expiries/s", *interleaved(runs, *by_turns))

    with place.store(POLICY) as few, place.store(POLICY) as many:
        for engine, stored in ((few, FEW * size), (many, MANY * size)):
            tell(f"{place.engine}: {stored:,} holdings are stored that are not due")
            idle_crowd(engine, with_values(engine), stored // HELD)
        floors = [BareDelete(few), BareDelete(many)]
        works = [partial(expiries, few, size, 1), partial(floors[0], size)]
        works += [partial(expiries, many, size, 1), partial(floors[1], size)]
        among_few, bare, among_many, bare_too = interleaved(runs, *works)
        yield Measured("sweep-among", place.engine, FEW * size, "expiries/s", among_few, bare)
        yield Measured("sweep-among", place.engine, MANY * size, "expiries/s", among_many, bare_too)


def with_values(engine: Engine) -> UUID:
    """Somebody of whom ten values are held."""
    (email,) = people(1)
    imported(engine, lines([email] * HELD))
    engine.drain()
    return engine.read.subject_id({"email": email})


def expiries(engine: Engine, size: int, held: int) -> float:
    """People whose values have all been kept for their time are swept; registering them is not counted."""
    now = collected(engine, size, held)
    return size / seconds(lambda: swept(engine, now, size))


def collected(engine: Engine, size: int, held: int) -> datetime:
    """Returns an instant at which everything that was collected is due."""
    imported(engine, lines(people(-(-size // held)), held))
    engine.drain()
    return engine.clock.now() + PERIOD


def swept(engine: Engine, now: datetime, expected: int) -> None:
    done = engine.sweeping(now)
    assert done.expired >= expected, "all that is due is swept"


class BareDelete:
    """As many rows with as many bytes in two bare tables, deleted by their keys in transactions of as many people."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._name = secrets.token_hex(4)
        blob, id = ("blob", "text") if engine.database.is_sqlite else ("bytea", "uuid")
        with engine.database.own() as c:
            for kind in ("body", "key"):
                columns = f"of {id}, number integer, bytes {blob}, PRIMARY KEY (of, number)"
                c.exec_driver_sql(f"CREATE TABLE bare_{kind}_{self._name} ({columns})")

    def __call__(self, size: int) -> float:
        ids = EventIds()
        rows = [driver_id(self._engine.database, ids.after(None)) for _ in range(size)]
        for kind, length in (("body", _BODY), ("key", _KEY)):
            with self._engine.database.own() as c:
                filling: dict[str, Any] = {
                    "of": rows,
                    "number": [1] * size,
                    "bytes": [os.urandom(length) for _ in rows],
                }
                copy_in(c, f"bare_{kind}_{self._name}", filling)
        return size / seconds(self._deleting(rows))

    def _deleting(self, rows: Sequence[object]) -> Callable[[], None]:
        mark = "?" if self._engine.database.is_sqlite else "%s"

        def work() -> None:
            for start in range(0, len(rows), PEOPLE):
                some = [(row, 1) for row in rows[start : start + PEOPLE]]
                with self._engine.database.own() as c:
                    for kind in ("body", "key"):
                        table = f"bare_{kind}_{self._name}"
                        c.exec_driver_sql(f"DELETE FROM {table} WHERE of = {mark} AND number = {mark}", some)  # noqa: S608

        return work
