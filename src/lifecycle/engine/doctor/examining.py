"""All checks in their order. What cannot be looked at because something before it is broken is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lifecycle.engine.doctor import following, key_files, logs, stores, work
from lifecycle.engine.doctor.finding import Finding, Level, Limits
from lifecycle.engine.doctor.patient import Patient
from lifecycle.errors import LifecycleError
from lifecycle.settings import Settings
from lifecycle.storage.database import Database

Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Check:
    """`look` yields what is wrong. `is_needed`: without it nothing behind it in the same list can be looked at."""

    name: str
    look: Callable[[Patient], Findings]
    is_needed: bool = False


OF_FILES = (
    Check("journal", key_files.journal),
    Check("key-files", key_files.permissions),
)
OF_THE_STORE = (
    Check("store", stores.reachable, is_needed=True),
    Check("schema", stores.schema_version, is_needed=True),
    Check("writable", stores.writable),
    Check("integrity", stores.integrity),
    Check("clock", stores.clock),
    Check("write-ahead-log", stores.write_ahead),
    Check("transactions", stores.transactions),
    Check("epoch-keys", key_files.epochs),
    Check("sequencing", following.sequencing),
    Check("projections", following.projections),
    Check("reactions", following.reactions),
    Check("ledger", logs.rows),
    Check("anchor", logs.outside),
    Check("worker", work.worker),
    Check("sweep", work.overdue),
    Check("erasures", work.erasures),
    Check("finality", work.finality),
    Check("custody", work.custody),
    Check("requests", work.requests),
    Check("duties", work.duties),
)


def examine(settings: Settings, limits: Limits | None = None, now: datetime | None = None) -> list[Finding]:
    """At least one finding for every check that could be made."""
    database = Database(settings.db, busy_seconds=2.0)
    patient = Patient(database, settings, limits or Limits(), now or datetime.now(UTC))
    try:
        return [found for checks in (OF_FILES, OF_THE_STORE) for found in _examined(patient, checks)]
    finally:
        database.close()


def _examined(patient: Patient, checks: Sequence[Check]) -> Findings:
    for check in checks:
        found = _looked(patient, check)
        yield from found
        if check.is_needed and any(each.level is Level.FAILED for each in found):
            return


def _looked(patient: Patient, check: Check) -> list[Finding]:
    """What goes wrong while looking is a finding too: our errors say what and what to do, and never a value."""
    found: list[Finding] = []
    try:
        found += check.look(patient)
    except LifecycleError as error:
        found.append(Finding(check.name, Level.FAILED, error.message, None, error.remedy))
    except OSError as error:
        what = f"A file or folder cannot be used ({error.strerror})."
        found.append(Finding(check.name, Level.FAILED, what, None, "check the folders' permissions and the disk"))
    told = [each for each in found if each.level is not Level.OK]
    return told or [Finding(check.name, Level.OK)]
