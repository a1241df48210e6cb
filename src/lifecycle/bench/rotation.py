"""How long ending an epoch takes, beside writing the same columns bare; and that it goes on after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import func, select

from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place, copy_in, driver_id
from lifecycle.engine.engine import Engine
from lifecycle.processes.finalise_when_an_epoch_ends import WRAPPED_AT_ONCE
from lifecycle.storage.event_ids import EventIds
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.rotation import waiting
from lifecycle.vault.tables import subject_key

OFTEN = 50_000  # more keys than this are wrapped once
_AT_ONCE = 20_000
_WRAPPED = 60  # bytes


def rotation(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """`size` people's keys, and as many keys and look-ups of half as many people."""
    for bench, people, identifiers in (("rotate", size, 0), ("rotate-with-identifiers", size // 2, size - size // 2)):
        tell(f"{place.engine}: {bench}, {people:,} people's keys and {identifiers:,} look-ups")
        with place.store() as engine:
            people_with_keys(engine, people, identifiers)
            floor = _Floor(engine, size)
            ours, bare = interleaved(
                runs if size <= OFTEN else 1, partial(seconds, engine.rotate), partial(seconds, floor)
            )
            yield Measured(bench, place.engine, size, "s", ours, bare)
            if not identifiers and size > 2 * WRAPPED_AT_ONCE:  # fewer have no half-way
                yield from _killed(place, engine, size, ours)


def people_with_keys(engine: Engine, people: int, identifiers: int = 0) -> None:
    """Rows as registering makes them, really wrapped."""
    database, ids = engine.database, EventIds()
    with database.read() as c:
        installation = engine.vault.installation(c)
    for start in range(0, people, _AT_ONCE):
        made = [installation.new_subject(ids.after(None)) for _ in range(min(_AT_ONCE, people - start))]
        found = [
            installation.lookup_row("email", f"p{start + at}@example.com", keys.subject_id, "i1")
            for at, (keys, _) in enumerate(made[: max(identifiers - start, 0)])
        ]
        with database.write("eraser") as c:
            _put(engine, c, "subject_key", [rows.subject_key for _, rows in made])
            _put(engine, c, "lookup", found)


def _put(engine: Engine, c: Any, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["subject_id"] = [driver_id(engine.database, id) for id in columns["subject_id"]]
    copy_in(c, table if engine.database.is_sqlite else f"vault.{table}", columns)


class _Floor:
    """The same columns of as many rows, written bare in transactions of the same size."""

    def __init__(self, engine: Engine, people: int) -> None:
        self._database = engine.database
        self._people = people
        with self._database.own() as c:
            c.exec_driver_sql(f"CREATE TABLE bare (id integer PRIMARY KEY, epoch integer, wrapped {self._bytes})")
            copy_in(c, "bare", {"id": range(people), "epoch": [0] * people, "wrapped": [bytes(_WRAPPED)] * people})

    @property
    def _bytes(self) -> str:
        return "blob" if self._database.is_sqlite else "bytea"

    def __call__(self) -> None:
        mark = "?" if self._database.is_sqlite else "%s"
        update = f"UPDATE bare SET epoch = epoch + 1, wrapped = {mark} WHERE id = {mark}"  # noqa: S608
        for start in range(0, self._people, WRAPPED_AT_ONCE):
            rows = [(os.urandom(_WRAPPED), id) for id in range(start, min(start + WRAPPED_AT_ONCE, self._people))]
            with self._database.own() as c:
                c.exec_driver_sql(update, rows)


def _killed(place: Place, engine: Engine, size: int, whole: list[float]) -> Iterator[Measured]:
    """Kill a rotation half-way, then let this process end it; the floor is a rotation that nobody disturbed."""
    database = engine.database
    line = ["--db", database.url, "--keys", str(engine.keys), "vault", "rotate"]
    victim = subprocess.Popen([sys.executable, "-m", "lifecycle", *line], stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        while (left := _left(engine)) is None or left > size // 2:
            if victim.poll() is not None:
                tell(f"{place.engine}: the rotation ended before it could be killed; a larger --size would show it")
                return
            time.sleep(0.005)
    finally:
        victim.kill()
        victim.wait()
    left = _left(engine) or 0
    tell(f"{place.engine}: killed with {left:,} of {size:,} keys still to be wrapped; another process goes on")
    ours = [seconds(engine.rotate)]
    with database.read() as c:
        newest = select(func.count()).where(subject_key.c.epoch == open_epochs(c)[0])
        assert len(open_epochs(c)) == 1, "the old epoch has ended"
        assert c.execute(newest).scalar_one() == size, "every key is wrapped under the new epoch"
    yield Measured("rotate-after-a-kill", place.engine, size, "s", ours, whole[:1])


def _left(engine: Engine) -> int | None:
    """How many keys wait; None before a rotation has begun."""
    with engine.database.read() as c:
        return waiting(c) if len(open_epochs(c)) > 1 else None
