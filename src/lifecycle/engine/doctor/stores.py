"""The database: there, of our version, writable, whole; its clock, its write-ahead log, and transactions that last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import text

from lifecycle.columns import instant_of
from lifecycle.engine.doctor.finding import Finding, Level
from lifecycle.engine.doctor.patient import Patient
from lifecycle.storage import schema
from lifecycle.storage.server_clock import ServerClock

RESTORE = "stop writing, and restore a backup (docs/operating.md, Restoring)"
_FAULTS = 5  # told of one check
_INVALID = """
    SELECT count(*) FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
"""
_CHECKSUMS = "SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database WHERE datname = current_database()"
_OLDEST = """
    SELECT (extract(epoch FROM min(xact_start)) * 1000000)::bigint FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_KEPT = """
    SELECT coalesce(max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
        ELSE pg_current_wal_lsn() END, restart_lsn)), 0)::bigint FROM pg_replication_slots
"""


def reachable(patient: Patient) -> Iterator[Finding]:
    with patient.database.read() as c:
        c.execute(text("SELECT 1"))
    yield Finding("store", Level.OK)


def schema_version(patient: Patient) -> Iterator[Finding]:
    schema.check(patient.database)
    yield Finding("schema", Level.OK)


def writable(patient: Patient) -> Iterator[Finding]:
    """A transaction that writes nothing, as the role that appends."""
    if not patient.database.is_sqlite:
        with patient.database.read() as c:
            in_recovery, read_only = c.execute(
                text("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'")
            ).one()
        if in_recovery or read_only:
            what = "The server is a standby." if in_recovery else "The database takes no writes: it is set read-only."
            yield Finding("writable", Level.FAILED, what, None, "name the primary, or let the database be written")
            return
    with patient.database.write("writer") as c:
        c.execute(text("SELECT 1"))


def integrity(patient: Patient) -> Iterator[Finding]:
    """SQLite looks at every page; PostgreSQL says what it has noticed itself, and `pg_amcheck` finds more."""
    with patient.database.read() as c:
        if patient.database.is_sqlite:
            said = [str(row[0]) for row in c.exec_driver_sql(f"PRAGMA quick_check({_FAULTS})")]
            broken = 0 if said == ["ok"] else len(said)
            if broken:
                yield Finding("integrity", Level.FAILED, "Pages of the database file are damaged.", None, RESTORE)
            return
        invalid, failures = c.exec_driver_sql(_INVALID).scalar_one(), c.exec_driver_sql(_CHECKSUMS).scalar_one()
    if invalid:
        yield Finding(
            "integrity", Level.FAILED, f"{invalid} indexes are invalid.", None, "REINDEX DATABASE CONCURRENTLY"
        )
    if failures:
        what = f"The server counted {failures} pages whose checksum is wrong."
        yield Finding("integrity", Level.FAILED, what, None, f"run pg_amcheck; {RESTORE}")


def clock(patient: Patient) -> Iterator[Finding]:
    """On a server its clock counts, for what falls due and for leases. Events may not be of tomorrow."""
    limits = patient.limits
    if not patient.database.is_sqlite:
        ahead = ServerClock(patient.database).skew(patient.machine_time)
        skew = abs(ahead)
        level = Level.FAILED if skew > limits.wrong_clock else Level.WARNING if skew > limits.skew else Level.OK
        side = "ahead of" if ahead > timedelta() else "behind"
        what = f"This machine's clock is {_seconds(skew)} s {side} the server's, by which things fall due."
        yield Finding("clock", level, what, None, "let both follow the same time servers")
    with patient.database.read() as c:
        newest = c.execute(_NEWEST_EVENT).scalar_one_or_none()
    if newest is not None and (ahead := instant_of(newest) - patient.now) > limits.skew:
        level = Level.FAILED if ahead > limits.wrong_clock else Level.WARNING
        what = f"Something was recorded {_seconds(ahead)} s in the future."
        remedy = "set this machine's clock right, or the clock of whoever wrote it; times of record never go back"
        yield Finding("clock", level, what, instant_of(newest), remedy)


_NEWEST_EVENT = text(
    "SELECT at FROM stream_head WHERE stream_id ="
    " (SELECT stream_id FROM event_position WHERE position = (SELECT max(position) FROM event_position))"
)


def write_ahead(patient: Patient) -> Iterator[Finding]:
    if patient.database.path is not None:
        file = patient.database.path.with_name(f"{patient.database.path.name}-wal")
        size = file.stat().st_size if file.exists() else 0
        remedy = (
            "end readers that last for ever; the file shrinks with the next erasure, or when the last one closes it"
        )
    else:
        with patient.database.read() as c:
            size = c.exec_driver_sql(_KEPT).scalar_one()
        remedy = "drop replication slots that nobody reads, or let their readers catch up"
    limits = patient.limits
    level = Level.FAILED if size > limits.too_much_wal else Level.WARNING if size > limits.wal else Level.OK
    yield Finding("write-ahead-log", level, f"{size >> 20} MiB of the write-ahead log are kept.", None, remedy)


def transactions(patient: Patient) -> Iterator[Finding]:
    """SQLite does not say who reads: there it shows by the write-ahead log."""
    if patient.database.is_sqlite:
        return
    with patient.database.read() as c:
        oldest = c.exec_driver_sql(_OLDEST).scalar_one_or_none()
    since: datetime | None = None if oldest is None else instant_of(oldest)
    if since is not None and patient.machine_time - since > patient.limits.transaction:
        what = "A transaction has been open for long: what is deleted stays on the disk until it ends."
        yield Finding("transactions", Level.WARNING, what, since, "look for it in pg_stat_activity, and end it")


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())
