"""How many events a second get their place in the log, tree and map, and are published; beside the same rows bare."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place, copy_in, driver_id
from lifecycle.engine.engine import AT_ONCE, Engine
from lifecycle.ledger.envelope import EVENT_ENTRY
from lifecycle.ledger.sequencer import sequence
from lifecycle.storage.event_ids import EventIds

TOGETHER = 8  # events that one person has in a batch
MOST = 20_000
_ENTRY = 48


def integration(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Each round queues new events of new streams, so that the map grows as it would."""
    events = min(size, MOST)
    for bench, together in (("integrate-together", TOGETHER), ("integrate-apart", 1)):
        tell(f"{place.engine}: {bench}, {events:,} events, {together} of a stream")
        with place.store() as engine:
            engine.publish()
            bare = Bare(engine)
            ours, floor = interleaved(
                runs, partial(_integrated, engine, events, together), partial(bare, events, together)
            )
            yield Measured(bench, place.engine, events, "events/s", ours, floor)


def _integrated(engine: Engine, events: int, together: int) -> float:
    queue(engine, events, together)
    return events / seconds(lambda: _sequence_and_publish(engine))


def _sequence_and_publish(engine: Engine) -> None:
    while True:
        with engine.database.write("sequencer") as c:
            if sequence(c, AT_ONCE) < AT_ONCE:
                break
    engine.log.publish(engine.clock.now())


def queue(engine: Engine, events: int, together: int) -> None:
    """Heads and waiting entries, as appending leaves them."""
    streams, versions = _numbered(engine, events, together)
    heads = streams[::together]
    ids = EventIds()
    event_ids = [driver_id(engine.database, ids.after(None)) for _ in range(events)]
    with engine.database.own() as c:
        columns: dict[str, Any] = {
            "stream_id": heads,
            "sid": [os.urandom(32) for _ in heads],
            "version": [together] * len(heads),
            "generation": [1] * len(heads),
            "fenced": [False] * len(heads),
        }
        copy_in(c, "stream_head", columns)
        waiting = {"stream_id": streams, "version": versions, "event_id": event_ids, "entry": _entries(events)}
        copy_in(c, "ledger_queue", waiting)


def _numbered(engine: Engine, events: int, together: int) -> tuple[list[Any], list[int]]:
    ids = EventIds()
    made = [driver_id(engine.database, ids.after(None)) for _ in range(-(-events // together))]
    return [made[at // together] for at in range(events)], [at % together + 1 for at in range(events)]


def _entries(events: int) -> list[bytes]:
    return [EVENT_ENTRY + os.urandom(_ENTRY) for _ in range(events)]


class Bare:
    """The same entries and positions written into two bare tables with the same keys, and nothing else."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._at = 0
        id, blob = ("text", "blob") if engine.database.is_sqlite else ("uuid", "bytea")
        with engine.database.own() as c:
            c.exec_driver_sql(f"CREATE TABLE bare_entry (position integer PRIMARY KEY, entry {blob})")
            c.exec_driver_sql(
                "CREATE TABLE bare_position"
                f" (position integer PRIMARY KEY, stream_id {id}, version integer, UNIQUE (stream_id, version))"
            )

    def __call__(self, events: int, together: int) -> float:
        streams, versions = _numbered(self._engine, events, together)
        entries = _entries(events)
        return events / seconds(lambda: self._write(entries, streams, versions))

    def _write(self, entries: list[bytes], streams: list[Any], versions: list[int]) -> None:
        for start in range(0, len(entries), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            positions = range(self._at, self._at + len(entries[some]))
            with self._engine.database.own() as c:
                copy_in(c, "bare_entry", {"position": positions, "entry": entries[some]})
                theirs = {"position": positions, "stream_id": streams[some], "version": versions[some]}
                copy_in(c, "bare_position", theirs)
            self._at = positions.stop
