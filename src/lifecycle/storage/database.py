"""The one database: a SQLite file or PostgreSQL, with transactions that say what they are for."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Protocol, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from lifecycle.columns import after_statement, before_statement
from lifecycle.storage.failures import CANNOT_OPEN, DAMAGED, READ_ONLY, Unavailable, spoken

Role = Literal["writer", "sequencer", "eraser", "expunger", "projector"]
Fence = Callable[[Connection], None]

# On SQLite there are no schemas: the tables of the vault and the projections lie beside the others.
SCHEMAS_ON_SQLITE = {"vault": None, "projection": None}
_BEGIN = "lifecycle_begin"
_SOON = 1.0  # seconds
_IDLE_SECONDS = 60.0
_TAKE_ROLE = (
    "SELECT set_config('role', 'lifecycle_{role}', true), set_config('lock_timeout', '{busy}ms', true),"
    " set_config('idle_in_transaction_session_timeout', '{idle}ms', true)"
)
_PRAGMAS = (
    "PRAGMA synchronous=FULL",  # an acknowledged command survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # erased bytes are overwritten, not only unlinked
    "PRAGMA recursive_triggers=ON",  # otherwise INSERT OR REPLACE would delete past our triggers
    "PRAGMA temp_store=MEMORY",  # no value reaches a temporary file
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",  # a page is looked at when it is loaded, and not only where it is used
)


class Watching(Protocol):
    """Looks whether the database is still the one that was opened, before it is read or written."""

    def look(self) -> None: ...

    def at_once(self) -> None:
        """The store was away: the next look must not wait."""

    def close(self) -> None: ...


class Database:
    """Opens nothing until it is used. One object serves all threads of a process.

    Units: `busy_seconds` is how long a writer waits for another process's lock, and anybody for a connection that
    other threads have; `idle_seconds` how long a server waits for a process that stands still in the middle of a write,
    before it undoes that write and lets others pass.

    Errors: StoreUnavailable, with a remedy and without values, when the store is missing, locked, read-only or
    unreachable; WroteFirst when somebody else wrote first; AppendOnly when a statement may not be.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = 10.0,
        idle_seconds: float = _IDLE_SECONDS,
        pool_size: int = 8,
        more: int = 56,
    ) -> None:
        self.url = url
        self._patience = {"busy": round(busy_seconds * 1_000), "idle": round(idle_seconds * 1_000)}
        self._fence: ContextVar[Fence | None] = ContextVar("fence", default=None)
        address = _address(url)
        self.watching: Watching | None = None
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self.path = Path(address.database or "") if self.is_sqlite else None
        options: dict[str, Any] = {
            "hide_parameters": True, "pool_size": pool_size, "max_overflow": more, "pool_timeout": busy_seconds
        }  # fmt: skip
        if self.is_sqlite:
            self.engine: Engine = _sqlite_engine(address, busy_seconds, options)
            self._writing: Engine = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            self._reading: Engine = self.engine
        else:
            self.engine = create_engine(
                address,
                isolation_level="READ COMMITTED",
                paramstyle="format",  # parameters by place, as on SQLite: see rows.py
                **options,
            )
            self._writing = self.engine
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def read(self, role: Literal["reader", "custodian", "eraser"] | None = None) -> Iterator[Connection]:
        """One snapshot of everything, from the first statement to the last; nothing can be written in it.

        As "reader" PostgreSQL refuses the vault's tables too: this is what the console and auditors use. As
        "custodian" it shows what is in custody, as "eraser" the whole vault.
        """
        self._look()
        with self._spoken(), self._reading.begin() as c:
            if role is not None and not self.is_sqlite:
                c.exec_driver_sql(f"SET LOCAL ROLE lifecycle_{role}")
            if not self.is_sqlite:
                yield c
                return
            c.exec_driver_sql("PRAGMA query_only=ON")
            try:
                yield c
            finally:
                if not c.invalidated:  # an interruption in the middle of a query: the connection is thrown away
                    c.exec_driver_sql("PRAGMA query_only=OFF")

    @contextmanager
    def write(self, role: Role) -> Iterator[Connection]:
        """One transaction as `role`, committed at the end. On SQLite it holds the write lock from its beginning."""
        self._look()
        with self._spoken(), self._writing.begin() as c:
            if not self.is_sqlite:
                _begin_with(c, _TAKE_ROLE.format(role=role, **self._patience))
            yield c
            if (fence := self._fence.get()) is not None:
                self._ask(fence, c)

    @contextmanager
    def fenced(self, fence: Fence) -> Iterator[None]:
        """In this thread every write asks `fence` last, in its own transaction, and is undone if that raises."""
        before = self._fence.set(fence)
        try:
            yield
        finally:
            self._fence.reset(before)

    def _ask(self, fence: Fence, c: Connection) -> None:
        if not self.is_sqlite:
            c.exec_driver_sql("SET LOCAL ROLE lifecycle_sequencer")  # the lease is its own
        fence(c)

    @contextmanager
    def own(self) -> Iterator[Connection]:
        """One transaction as whoever connects: for migrations, which make the tables and the roles."""
        with self._spoken(), self._writing.begin() as c:
            yield c

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """SQLite cannot even open a read-only file in write-ahead mode; what is wrong is then the permission."""
        try:
            with spoken():
                yield
        except Unavailable as error:
            if self.watching is not None:
                self.watching.at_once()
            if error.message == CANNOT_OPEN and self._is_read_only():
                raise Unavailable(*READ_ONLY) from None
            raise

    def _is_read_only(self) -> bool:
        if self.path is None or not os.access(self.path, os.F_OK):  # not exists(): it raises below a closed folder
            return False
        effective = os.access in os.supports_effective_ids
        return not all(os.access(path, os.W_OK, effective_ids=effective) for path in (self.path, self.path.parent))

    def create_file(self) -> None:
        """Make the SQLite file, readable by its owner alone. Its folder must exist: a typing error makes no folders."""
        if self.path is None or self.path.exists():
            return
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise Unavailable(
                f"The database file cannot be created ({error.strerror}).", "create its folder, or choose another"
            ) from None

    def truncate_wal(self) -> None:
        """After an erasure: what was deleted leaves SQLite's write-ahead file too. PostgreSQL's dies with the epoch."""
        if not self.is_sqlite:
            return
        with self._spoken(), self.engine.connect() as c:
            driver = cast(sqlite3.Connection, c.connection.driver_connection)
            began = time.monotonic()
            while busy := driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                # SQLite waits for readers, but not for somebody else who is at it: that is soon over.
                if time.monotonic() > began + _SOON:
                    break
                time.sleep(0.02)
        if busy:
            raise Unavailable("Readers hold the write-ahead file.", "let them finish, then try again")

    def _look(self) -> None:
        if self.watching is not None:
            self.watching.look()

    def close(self) -> None:
        if self.watching is not None:
            self.watching.close()
        self.engine.dispose()


def _address(url: str) -> URL:
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


def _sqlite_engine(address: URL, busy_seconds: float, options: dict[str, Any]) -> Engine:
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
        c.exec_driver_sql(c.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def _prepare(driver: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        driver.execute(pragma)
    driver.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # reads the schema
    if driver.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        driver.execute("PRAGMA journal_mode=WAL")


def _begin_with(c: Connection, sql: str) -> None:
    """BEGIN and the first statement in one message: by itself the driver waits for an answer to each."""
    driver: Any = c.connection.driver_connection
    cursor = driver.cursor()
    before_statement(c, cursor, sql, ())
    with driver.pipeline():
        cursor.execute(sql)
    after_statement(c, cursor, sql)


@contextmanager
def taking_role(c: Connection, role: Literal["custodian"]) -> Iterator[None]:
    """A few statements of a transaction as a role that may see more, and the rest as before."""
    is_server = c.dialect.name == "postgresql"
    if is_server:
        c.exec_driver_sql(f"SET LOCAL ROLE lifecycle_{role}")
    yield
    if is_server:
        c.exec_driver_sql("RESET ROLE")
