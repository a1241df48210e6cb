"""What the ledger adds to an append: time a batch, and bytes an event, beside the same events without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from eventsourcing.persistence import StoredEvent
from sqlalchemy import insert

from lifecycle.bench.measuring import Measured, interleaved, seconds, tell
from lifecycle.bench.stores import Place, file_bytes, stored_bytes
from lifecycle.domain.event import Judged, Recorded
from lifecycle.domain.subject.events import ActivityRecorded
from lifecycle.engine.engine import BATCH, Engine
from lifecycle.storage.appending import Appending, AppendRows, Head, Placed, head_row
from lifecycle.storage.event_ids import EventIds
from lifecycle.storage.rows import write_rows
from lifecycle.storage.tables import event_body, event_header, stream_head
from lifecycle.storage.writing import write_append
from lifecycle.vault.sealing import SubjectKeys

TOGETHER = 8  # events of one person in a batch
MOST = 5_000
VALUE = "x" * 300
_MICRO = 1e6
_HEADER, _BODY, _HEAD = insert(event_header), insert(event_body), insert(stream_head)


def appending(place: Place, size: int, runs: int) -> Iterator[Measured]:
    """Events with one sealed value of 300 bytes, 1,000 a transaction; then what both stores have on the disk."""
    events = min(size, MOST)
    tell(f"{place.engine}: append, {events:,} events")
    with place.store() as with_ledger, place.store() as without:
        empty = _held(with_ledger), _held(without)
        ours, floor = interleaved(
            runs,
            lambda: _each(with_ledger, events, Appending, _with_ledger),
            lambda: _each(without, events, Unlogged, _without),
        )
        yield Measured("append", place.engine, events, "us/event", ours, floor)
        with_ledger.publish()
        held = _held(with_ledger) - empty[0], _held(without) - empty[1]
        stored = [each / (events * runs) for each in held]
        yield Measured("stored", place.engine, events * runs, "bytes/event", stored[:1], stored[1:])


def _held(engine: Engine) -> int:
    """Database and ledger folder. The keys' folder grows only with erasures."""
    return stored_bytes(engine.database) + file_bytes(engine.log.folder.folder)


def _each(engine: Engine, events: int, kind: type[Appending], write: Callable[..., None]) -> float:
    """Microseconds an event, from the fact to the commit. Keys of new people are made before."""
    with engine.database.read() as c:
        installation = engine.vault.installation(c)
    ids = EventIds()
    people = [installation.new_subject(ids.after(None))[0] for _ in range(-(-events // TOGETHER))]
    now = engine.clock.now()

    def append() -> None:
        for start in range(0, len(people), BATCH // TOGETHER):
            appending = kind()
            for keys in people[start : start + BATCH // TOGETHER]:
                _eight(appending, keys, now)
            with engine.database.write("writer") as c:
                write(c, appending.recorded, appending.rows)

    return seconds(append) / (len(people) * TOGETHER) * _MICRO


def _eight(appending: Appending, keys: SubjectKeys, now: datetime) -> None:
    head = Head.new(keys.subject_id, keys.sid)
    judged = Judged(os.urandom(32).hex(), "service", "recruiting-site/1.0")
    for _ in range(TOGETHER):
        fact = ActivityRecorded(occurred_at=now, purpose="free-trial", values={"h1": VALUE})
        _, head = appending.append(head, keys, fact, judged, now)
    appending.rows.data_keys.clear()  # keys are no part of the ledger's cost


def _with_ledger(c: Any, recorded: list[Recorded], rows: AppendRows) -> None:
    write_append(c, _stored(recorded), rows)


def _without(c: Any, recorded: list[Recorded], rows: AppendRows) -> None:
    """The same rows of events, bodies and heads; nothing waits for a place in a log."""
    write_rows(c, _HEAD, [head_row(becomes) for _, becomes in rows.moves.values()])
    write_rows(
        c,
        _HEADER,
        [
            {
                "stream_id": stored.originator_id,
                "version": stored.originator_version,
                "kind": stored.topic,
                "header": stored.state,
                "salt": placed.salt,
            }
            for stored, placed in zip(_stored(recorded), rows.placed, strict=True)
        ],
    )
    write_rows(c, _BODY, rows.bodies)


def _stored(recorded: list[Recorded]) -> list[StoredEvent]:
    return [StoredEvent(each.originator_id, each.originator_version, each.event.kind, each.header) for each in recorded]


class Unlogged(Appending):
    """Seals and writes headers as ever, but makes no commitment, no tag and no entry."""

    def _place(self, head: Head, header: bytes, at: datetime) -> tuple[Placed, Head]:
        placed = Placed(self._ids.after(head.event_id), b"", b"")
        return placed, head.after(b"", b"", placed.event_id, at)
