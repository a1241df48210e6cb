"""How each kind of database is connected to, and how its transactions begin: BEGIN is ours on both."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from lifecycle.one_message import hold_back, send_now
from lifecycle.storage.failures import DAMAGED, Unavailable

# On SQLite there are no schemas: the tables of the vault and the projections lie beside the others.
SCHEMAS_ON_SQLITE = {"vault": None, "projection": None}
BEGIN, LATER = "lifecycle_begin", "lifecycle_later"  # options of a connection: the words; whether they may wait
TO_READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
TO_WRITE = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_PRAGMAS = (
    "PRAGMA synchronous=FULL",  # an acknowledged command survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # erased bytes are overwritten, not only unlinked
    "PRAGMA recursive_triggers=ON",  # otherwise INSERT OR REPLACE would delete past our triggers
    "PRAGMA temp_store=MEMORY",  # no value reaches a temporary file
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",  # a page is looked at when it is loaded, and not only where it is used
)


def address_of(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise Unavailable("The database URL cannot be read.", "write sqlite:///FILE or postgresql://…") from None
    backend = address.get_backend_name()
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise Unavailable("Only SQLite and PostgreSQL are supported.", "write sqlite:///FILE or postgresql://…")
    if not address.database or address.database == ":memory:":
        raise Unavailable("A database in memory would be lost.", "name a file: sqlite:///FILE")
    return address


def sqlite_engine(address: URL, busy_seconds: float, options: dict[str, Any]) -> Engine:
    # mode=rw: opening never creates a file, so that a wrong path is reported instead of served empty.
    uri = f"file:{quote(str(Path(address.database or '').absolute()))}?mode=rw"

    def connect() -> sqlite3.Connection:
        driver = sqlite3.connect(
            uri, uri=True, timeout=busy_seconds, check_same_thread=False, isolation_level=None, cached_statements=256
        )
        try:
            _prepare(driver)
        except sqlite3.Error:
            driver.close()
            raise
        except UnicodeDecodeError:  # of SQLite's own message about a schema that it cannot read
            driver.close()
            raise Unavailable(*DAMAGED) from None
        return driver

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, **options).execution_options(
        schema_translate_map=SCHEMAS_ON_SQLITE
    )

    @event.listens_for(engine, "begin")
    def begin(c: Connection) -> None:
        # The driver's own BEGIN is switched off (isolation_level=None): it would come too late for a snapshot.
        told(c, c.get_execution_options().get(BEGIN, "BEGIN"))

    return engine


def told(c: Connection, words: str) -> None:
    """Tell SQLite itself: by SQLAlchemy a BEGIN and two pragmas took longer than a question that an index answers."""
    driver: Any = c.connection.driver_connection
    driver.execute(words)


def server_engine(address: URL, options: dict[str, Any]) -> Engine:
    """BEGIN is ours, as on SQLite: the driver's took a round of its own for each of the transaction's properties."""
    engine = create_engine(
        address,
        isolation_level="AUTOCOMMIT",
        paramstyle="format",  # parameters by place, as on SQLite: see rows.py
        # When the driver prepares statements, it lets the server forget all after a rollback: ours too.
        connect_args={"prepare_threshold": None},
        **options,
    )

    @event.listens_for(engine, "begin")
    def begin(c: Connection) -> None:
        options = c.get_execution_options()
        if options.get("isolation_level") == "AUTOCOMMIT":  # said of this connection alone
            return
        hold_back(c, options.get(BEGIN, TO_WRITE))
        if not options.get(LATER):
            send_now(c)

    return engine


def _prepare(driver: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        driver.execute(pragma)
    driver.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # reads the schema
    if driver.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        driver.execute("PRAGMA journal_mode=WAL")
