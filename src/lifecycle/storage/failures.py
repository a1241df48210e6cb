"""What a driver's error means to us. Its own text is dropped: drivers like to quote the values of a row."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames
from uuid import UUID

from eventsourcing.persistence import IntegrityError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from lifecycle.errors import StoreUnavailable


class AppendOnly(AssertionError):
    """A statement tried to change what may not be changed, or did what its role may not do: a bug, or an attack."""


class WroteFirst(IntegrityError):
    """Somebody else wrote first: the decision was made on what is no longer so, and must be made again."""

    def __init__(self, table: str = "") -> None:
        super().__init__(f"Somebody else wrote first ({table})." if table else "Somebody else wrote first.")
        self.table = table


class RecordDamaged(StoreUnavailable):
    """A stored event does not fit the record that it stands in. Names its place, nothing of what it says."""

    code = "record-damaged"
    rule = "what is recorded is never changed"
    remedy = (
        "somebody may have changed the database: `lifecycle audit full` finds what no longer matches the log, "
        "`lifecycle audit replay --re-decide` what nobody can have decided; then restore a backup (docs/operating.md)"
    )

    def __init__(self, stream_id: UUID, version: int) -> None:
        super().__init__(f"Event {version} of stream {stream_id} does not fit the record that it stands in.")
        self.stream_id = stream_id
        self.version = version


UNFIT = (LookupError, TypeError, ValueError, AttributeError)
"""What reading or folding an event raises that no program of ours can have written there."""


def let_go(error: BaseException | None) -> None:
    """Free what the calls that failed had in their hands, before they are made again.

    Their frames hold errors and errors hold frames, in circles: all that was read and decided for each try stayed until
    the interpreter looked for circles, which it does not within a batch.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__context__


READ_ONLY = ("The database is read-only.", "make the file and its folder writable")


class Unavailable(StoreUnavailable):
    """The store cannot serve now; the remedy depends on why."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy  # type: ignore[misc]  # each cause has its own


DAMAGED = ("The database file is damaged.", "restore a backup, as docs/operating.md says")
CANNOT_OPEN = "The database file cannot be opened."
_SQLITE = {
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_CANTOPEN": (CANNOT_OPEN, "check that it exists: `lifecycle init` creates it"),
    "SQLITE_BUSY": ("The database is locked by another process.", "wait for the other process, then try again"),
    "SQLITE_LOCKED": ("The database is locked by another process.", "wait for the other process, then try again"),
    "SQLITE_NOTADB": ("The file is not a SQLite database.", "check the path of the database"),
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_FULL": ("The disk is full.", "make room, then try again"),
    "SQLITE_IOERR": ("The disk failed.", "check the disk, then try again"),
    "SQLITE_AUTH": ("The database refuses the access.", "check the file's permissions"),
}
_POSTGRESQL = {
    "25006": ("The database is read-only.", "connect to the primary server"),
    "28000": ("The database refuses this user.", "check user and password in the URL"),
    "28P01": ("The database refuses this user.", "check user and password in the URL"),
    "25P03": ("The server gave up a transaction that stood still for too long.", "try again"),
    "3D000": ("The database does not exist.", "create it, then run `lifecycle init`"),
    "42P01": ("The database lacks our tables.", "run `lifecycle init` or `lifecycle migrate`"),
    "53100": ("The disk is full.", "make room, then try again"),
    "53300": ("The server has no connection left.", "allow more connections, or use fewer processes"),
    "55P03": ("The database is locked by another process.", "wait for the other process, then try again"),
    "57014": ("The server cancelled the statement.", "raise its time limit, then try again"),
}
_UNREACHABLE = ("The database cannot be reached.", "check the URL, and that the server runs")
# Serialization failure, deadlock, what was relied on is not so (relied.py): whoever decides again will succeed.
_CONFLICTS = {"40001", "40P01", "22012"}
_LOST = {"OperationalError", "InterfaceError"}  # of psycopg itself
_MISSING_TABLE = "no such table"
_MISSING_COLUMN = "no such column"
_ANOTHER_SHAPE = (
    "The database lacks a column that this program knows.",
    "if another program has migrated it just now, start this one again; else the file is damaged: restore a backup",
)
_NO_TEXT = "Could not decode to UTF-8"  # the driver goes on with the text itself
_TRIGGER = "SQLITE_CONSTRAINT_TRIGGER"


@contextmanager
def spoken() -> Iterator[None]:
    """Raise the errors of either driver in our words. `from None`: the original may quote values."""
    try:
        yield
    except _raised_by_drivers() as error:
        meant = meaning(error)
        if meant is None:
            raise
        raise meant from None


def _raised_by_drivers() -> tuple[type[Exception], ...]:
    """Hot paths ask psycopg without SQLAlchemy. A SQLite store does without it."""
    psycopg = sys.modules.get("psycopg")
    return (DBAPIError, TimeoutError, sqlite3.Error, *(() if psycopg is None else (psycopg.Error,)))


def meaning(error: Exception) -> Exception | None:
    if isinstance(error, TimeoutError):
        return Unavailable("Every connection is in use.", "use fewer threads, or try again")
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return _sqlite_meaning(original)
    state = getattr(original, "sqlstate", None)
    if state is None:
        lost = isinstance(error, OperationalError | InterfaceError) or type(error).__name__ in _LOST
        return Unavailable(*_UNREACHABLE) if lost else None
    return _postgresql_meaning(original, state)


def _sqlite_meaning(error: sqlite3.Error) -> Exception | None:
    # The finer error names exist from Python 3.11 on; SQLITE_BUSY_SNAPSHOT and its like begin with the coarse name.
    name = getattr(error, "sqlite_errorname", None) or ""
    if name == _TRIGGER:
        return AppendOnly(str(error))  # the text is our own trigger's
    if name.startswith("SQLITE_CONSTRAINT"):
        return WroteFirst(str(error).rpartition(": ")[2].partition(".")[0])
    if _MISSING_TABLE in str(error):
        return Unavailable(*_POSTGRESQL["42P01"])
    if _MISSING_COLUMN in str(error):
        return Unavailable(*_ANOTHER_SHAPE)
    if str(error).startswith(_NO_TEXT):
        return Unavailable(*DAMAGED)
    causes = [cause for prefix, cause in _SQLITE.items() if name.startswith(prefix)]
    return Unavailable(*causes[0]) if causes else None


def _postgresql_meaning(original: object, state: str) -> Exception | None:
    if state == "42501":
        return AppendOnly("The role of this transaction may not do that.")
    if state in _CONFLICTS:
        return WroteFirst()
    if state.startswith("23"):
        return WroteFirst(getattr(getattr(original, "diag", None), "table_name", None) or "")
    if state.startswith(("08", "57P")):
        return Unavailable(*_UNREACHABLE)
    return Unavailable(*_POSTGRESQL[state]) if state in _POSTGRESQL else None
