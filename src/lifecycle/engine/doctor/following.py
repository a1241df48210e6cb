"""What follows the events: their places in the log, the projections, and what processes do because of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, select

from lifecycle.columns import instant_of
from lifecycle.engine.doctor.finding import Finding, Level
from lifecycle.engine.doctor.patient import Patient
from lifecycle.ledger.envelope import read_header
from lifecycle.ledger.sequencer import log_size, waiting_entries
from lifecycle.ledger.tables import event_position, ledger_queue
from lifecycle.processes.deliver_instructions import DeliverInstructions
from lifecycle.processes.deliver_notices import DeliverNotices
from lifecycle.processes.reacting import positions
from lifecycle.processes.registry import REACTIONS
from lifecycle.processes.tell_people_of_a_revision import TellPeopleOfARevision
from lifecycle.processes.tell_whoever_comes_before_the_day import TellWhoeverComesBeforeTheDay
from lifecycle.projections.registry import PROJECTIONS
from lifecycle.settings import Settings
from lifecycle.storage import standing
from lifecycle.storage.tables import event_header

WORKER = "see that `lifecycle worker` runs, and what it logs"
_UNIX_MILLISECONDS = 80  # bits below them in a UUIDv7


class Reacts(Protocol):
    """A reaction, or the class of one: what is looked at is said by the class."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[str]: ...


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
        places, size = standing.positions(c, PROJECTIONS), log_size(c)
        behind = {name: position for name, position in places.items() if position < size}
        since = _recorded_at(c, min(behind.values())) if behind else None
    what = f"{', '.join(sorted(behind))}: {size - min(behind.values(), default=size)} leaves behind the log."
    yield from patient.late("projections", since, what, WORKER)


def reactions(patient: Patient) -> Iterator[Finding]:
    """A process whose command was refused stands there until a program or a policy is mended, and holds up no other."""
    for reaction in reactions_of(patient.settings):
        with patient.database.read() as c:
            since = _recorded_at(c, positions(c).get(reaction.name, 0), reaction.kinds)
        what = f"The process {reaction.name!r} has not done what follows from what happened."
        yield from patient.late("reactions", since, what, WORKER)


def reactions_of(settings: Settings) -> list[Reacts]:
    """Those that need no place outside, and those that have one."""
    found: list[Reacts] = [*REACTIONS]
    if settings.outbox is not None:
        found.append(DeliverInstructions)
    if settings.notices is not None:
        found += [TellPeopleOfARevision, TellWhoeverComesBeforeTheDay, DeliverNotices]
    return found


def _recorded_at(c: Connection, position: int, kinds: Collection[str] = ()) -> datetime | None:
    """When the first event from that position on was recorded, of these kinds if there are any; none if only leaves of
    the log's own are left."""
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
    header = c.execute(first.where(head.kind.in_(sorted(kinds))) if kinds else first).scalar()
    return None if header is None else read_header(bytes(header)).at
