"""Which version the tables have: making them, migrating them, and refusing a store that does not fit the program."""

from __future__ import annotations

from importlib.resources import files
from threading import Lock

from sqlalchemy import Connection, inspect, text

from lifecycle.errors import StoreUnavailable
from lifecycle.storage.database import Database

REVISIONS = tuple(f"{number:04d}" for number in range(1, 10))  # oldest first; a test compares them with the migrations
HEAD = REVISIONS[-1]
_ONE_AT_A_TIME = 7_305_814  # any number: the lock that two migrating processes contend for
_ALEMBIC = Lock()  # its context belongs to the whole process


class NotInitialised(StoreUnavailable):
    remedy = "run `lifecycle init`"


class Outdated(StoreUnavailable):
    remedy = "make a backup, then run `lifecycle migrate`"


class TooNew(StoreUnavailable):
    remedy = "install the version of lifecycle that migrated it, or a later one"


def revision(c: Connection) -> str | None:
    """The version of the tables; None where there are none."""
    if not inspect(c).has_table("alembic_version"):
        return None
    found: str | None = c.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def check(db: Database) -> None:
    """Raise unless this program and these tables fit each other."""
    with db.read() as c:
        found = revision(c)
    if found is None:
        raise NotInitialised("The database is empty.")
    if found not in REVISIONS:
        raise TooNew(f"The database is newer than this program: its tables have version {found}, {HEAD} is known.")
    if found != HEAD:
        raise Outdated(f"The tables have version {found}; this program needs {HEAD}.")


def migrate(db: Database, to: str = "head") -> None:
    """Bring the tables to a version, this program's, in one transaction. A SQLite file is created if there is none."""
    # Alembic is needed here only; it is loaded late because most runs of the program never migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    db.create_file()
    config = Config()
    config.set_main_option("script_location", str(files("lifecycle.storage.migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with db.own() as c:
        if not db.is_sqlite:
            c.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ONE_AT_A_TIME})
        found = revision(c)
        if found is not None and found not in REVISIONS:
            raise TooNew(f"The database is newer than this program: its tables have version {found}.")
        config.attributes["connection"] = c
        with _ALEMBIC:
            command.upgrade(config, to)
