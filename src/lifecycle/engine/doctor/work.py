"""What the worker should have done by now: somebody leads, nothing is overdue, nothing is stuck half-way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Column, Connection, Table, func, select

from lifecycle.engine.doctor.finding import Finding, Level
from lifecycle.engine.doctor.following import WORKER
from lifecycle.engine.doctor.patient import Patient
from lifecycle.projections.duties import recipient_duty
from lifecycle.projections.requests import rights_request
from lifecycle.projections.retention_calendar import next_due, people_overdue
from lifecycle.schedule.leader import DUTY, LEASE
from lifecycle.schedule.presence import presence_in
from lifecycle.storage import leases
from lifecycle.storage.tables import epoch_erasure, expunge_order, pending_custody, pending_erasure
from lifecycle.vault.tables import epoch

RESUME = "start any `lifecycle` command or the worker: what was ordered is carried out first; then see what it says"


def worker(patient: Patient) -> Iterator[Finding]:
    """Somebody holds the lease and is alive. A simulated store has no worker."""
    if patient.is_simulated:
        return
    presence = presence_in(patient.database)
    with patient.database.read() as c:
        now = leases.standing(c, DUTY)
        leads = now is not None and not now.is_over(LEASE) and not presence.is_gone(c, now.number)
    if not leads:
        what = "No worker leads: nothing is swept, no deadline is watched and no checkpoint is signed."
        yield Finding("worker", Level.WARNING, what, None, "start `lifecycle worker`")


def overdue(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        since = next_due(c)
        many = people_overdue(c, patient.now)
    yield from patient.late("sweep", since, f"Of {many} people something is due and was not carried out.", WORKER)


def erasures(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        ordered, expunging = _oldest(c, pending_erasure), _oldest(c, expunge_order)
    yield from patient.late("erasures", ordered, "Erasures were ordered and are not completed.", RESUME)
    yield from patient.late("erasures", expunging, "Evidence is being deleted and is not gone.", RESUME)


def finality(patient: Patient) -> Iterator[Finding]:
    """Completed erasures become final when their epoch ends; the worker ends one a day if it has to."""
    with patient.database.read() as c:
        waiting = select(func.min(epoch.c.began_at)).where(epoch.c.epoch.in_(select(epoch_erasure.c.epoch)))
        since: datetime | None = c.execute(waiting).scalar_one_or_none()
    if since is not None and not patient.is_simulated and patient.now - since > patient.limits.finality:
        what = "Completed erasures wait for the end of their epoch: copies of keys made before could still be used."
        yield Finding("finality", Level.WARNING, what, since, "run `lifecycle vault rotate`, or let the worker")


def custody(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        since = _oldest(c, pending_custody)
    yield from patient.late("custody", since, "Keys wait to be moved into custody, or out of it.", RESUME)


def requests(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        many, since = _overdue(c, rights_request, patient.now)
    if many:
        what = f"{many} requests were not answered within their time."
        yield Finding("requests", Level.WARNING, what, since, "answer them: `lifecycle request list`")


def duties(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        many, since = _overdue(c, recipient_duty, patient.now)
    if many:
        what = f"{many} instructions to recipients have had no answer in their time."
        yield Finding("duties", Level.WARNING, what, since, "ask the recipients: `lifecycle subject duties`")


def _oldest(c: Connection, orders: Table) -> datetime | None:
    at: Column[datetime] = orders.c.at
    found: datetime | None = c.execute(select(func.min(at))).scalar_one_or_none()
    return found


def _overdue(c: Connection, table: Table, now: datetime) -> tuple[int, datetime | None]:
    late = table.c.is_open & (table.c.due <= now)
    row = c.execute(select(func.count(), func.min(table.c.due)).select_from(table).where(late)).one()
    return int(row[0]), row[1]
