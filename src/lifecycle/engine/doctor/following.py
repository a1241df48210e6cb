"""What follows the events: their places in the log, and the projections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from lifecycle.columns import instant_of
from lifecycle.engine.doctor.finding import Finding, Level
from lifecycle.engine.doctor.patient import Patient
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.sequencer import log_size, waiting_entries
from lifecycle.ledger.tables import event_position, ledger_queue
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.storage import standing
from lifecycle.storage.tables import event_header

WORKER = "see that `lifecycle worker` runs, and what it logs"
_UNIX_MILLISECONDS = 80  # bits below them in a UUIDv7


def sequencing(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        oldest = c.execute(select(ledger_queue.c.event_id).order_by(ledger_queue.c.event_id).limit(1)).scalar()
        waiting = waiting_entries(c)
    if oldest is not None:
        since = instant_of((oldest.int >> _UNIX_MILLISECONDS) * 1000)
        yield from patient.late("sequencing", since, f"{waiting} events wait for their places in the log.", WORKER)


def projections(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        if not standing.are_made(c, PROJECTIONS):
            what = "Tables of projections are missing, or of another version than this program's."
            yield Finding("projections", Level.WARNING, what, None, "run `lifecycle projections status`: it makes them")
            return
        positions, size = standing.positions(c, PROJECTIONS), log_size(c)
        behind = {name: position for name, position in positions.items() if position < size}
        since = _recorded_at(c, min(behind.values())) if behind else None
    what = f"{', '.join(sorted(behind))}: {size - min(behind.values(), default=size)} leaves behind the log."
    yield from patient.late("projections", since, what, WORKER)


def _recorded_at(c: Connection, position: int) -> datetime | None:
    """When the first event from that position on was recorded; none if only leaves of the log's own are left."""
    head = event_header.c
    first = (
        select(head.header)
        .join(
            event_position, (event_position.c.stream_id == head.stream_id) & (event_position.c.version == head.version)
        )
        .where(event_position.c.position >= position)
        .order_by(event_position.c.position)
        .limit(1)
    )
    header = c.execute(first).scalar()
    return None if header is None else read_header(bytes(header)).at
