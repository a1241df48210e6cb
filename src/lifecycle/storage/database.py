"""The one database: a SQLite file or PostgreSQL, with transactions that say what they are for."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from sqlalchemy import Connection, Engine

from lifecycle.columns import Ask, Counted, after_statement, ask_together, before_statement
from lifecycle.one_message import Sent, hold_back, is_held_back, send_now
from lifecycle.storage.engines import (
    BEGIN,
    LATER,
    TO_READ,
    TO_WRITE,
    address_of,
    server_engine,
    sqlite_engine,
    told,
)
from lifecycle.storage.failures import CANNOT_OPEN, READ_ONLY, Unavailable, spoken
from lifecycle.storage.kept import Kept

Role = Literal["writer", "sequencer", "eraser", "expunger", "projector"]
Fence = Callable[[Connection], None]

_SOON = 1.0  # seconds
_IDLE_SECONDS = 60.0
_TAKE_ROLE = (
    "SELECT set_config('role', %s, true), set_config('lock_timeout', %s, true),"
    " set_config('idle_in_transaction_session_timeout', %s, true)"
)
_SENT_TAKE_ROLE = Sent.of(_TAKE_ROLE)
# By their costs the server would plan anew at each execution what takes lists: longer than it takes to carry it out.
_TAKE_ROLE_PLANNED = f"{_TAKE_ROLE}, set_config('plan_cache_mode', 'force_generic_plan', true)"
_SENT_TAKE_ROLE_PLANNED = Sent.of(_TAKE_ROLE_PLANNED)


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
        self._patience = (f"{round(busy_seconds * 1_000)}ms", f"{round(idle_seconds * 1_000)}ms")
        self._fence: ContextVar[Fence | None] = ContextVar("fence", default=None)
        address = address_of(url)
        self.watching: Watching | None = None
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self.path = Path(address.database or "") if self.is_sqlite else None
        options: dict[str, Any] = {
            "hide_parameters": True, "pool_size": pool_size, "max_overflow": more, "pool_timeout": busy_seconds
        }  # fmt: skip
        if self.is_sqlite:
            self.engine: Engine = sqlite_engine(address, busy_seconds, options)
            self._writing: Engine = self.engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
            self._reading: Engine = self.engine
        else:
            self.engine = server_engine(address, options)
            self._writing = self.engine.execution_options(**{BEGIN: TO_WRITE, LATER: True})
            self._reading = self.engine.execution_options(**{BEGIN: TO_READ})
        self._kept, self._kept_to_read = Kept(self._writing), Kept(self._reading)
        self._reading_later = self._reading.execution_options(**{LATER: True})

    @contextmanager
    def read(self, role: Literal["reader", "custodian", "eraser"] | None = None) -> Iterator[Connection]:
        """One snapshot of everything, from the first statement to the last; nothing can be written in it.

        As "reader" PostgreSQL refuses the vault's tables too: this is what the console and auditors use. As
        "custodian" it shows what is in custody, as "eraser" the whole vault.
        """
        with self._snapshot(self._reading) as c:
            if role is not None and not self.is_sqlite:
                c.exec_driver_sql(f"SET LOCAL ROLE lifecycle_{role}")
            yield c

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """The same for whoever asks by `ask_together` first: BEGIN goes along with that, in one message."""
        with self._snapshot(self._reading_later) as c:
            yield c
            assert self.is_sqlite or not is_held_back(c), "nothing was asked, or by other ways and out of the snapshot"

    def ask_alone(self, asked: Sequence[Ask]) -> list[Sequence[Any]]:
        """A snapshot that is over with these questions: to PostgreSQL its beginning, they and its end are one message.
        A single one has a snapshot by itself, and goes without beginning and end.

        It goes past SQLAlchemy's transactions, which took a fifth of a read of one person. Questions write nothing.
        """

        def ask(c: Connection) -> list[Sequence[Any]]:
            if len(asked) == 1:
                return ask_together(c, asked)
            if not self.is_sqlite:
                hold_back(c, TO_READ)
                return ask_together(c, asked, last=b"COMMIT")
            told(c, "BEGIN")
            answers = ask_together(c, asked)
            told(c, "COMMIT")
            return answers

        self._look()
        with self._spoken():
            return self._kept_to_read.use(ask)

    @contextmanager
    def _snapshot(self, engine: Engine) -> Iterator[Connection]:
        self._look()
        with self._spoken(), engine.begin() as c:
            if not self.is_sqlite:
                yield c
                return
            told(c, "PRAGMA query_only=ON")
            try:
                yield c
            finally:
                if not c.invalidated:  # an interruption in the middle of a query: the connection is thrown away
                    told(c, "PRAGMA query_only=OFF")

    @contextmanager
    def write(self, role: Role) -> Iterator[Connection]:
        """One transaction as `role`, committed at the end. On SQLite it holds the write lock from its beginning."""
        self._look()
        with self._spoken(), self._writing.begin() as c:
            if not self.is_sqlite:
                self._take(c, role, TO_WRITE)
                send_now(c)
                after_statement(c, Counted(1), _TAKE_ROLE)
            yield c
            self._ask_fence(c)

    @contextmanager
    def write_after(self, c: Connection, role: Role) -> Iterator[None]:
        """End the read that `c` is in, and go on with a write as `role`; it is committed where the read would end.

        The first thing is to be written by `write_together` or asked by `ask_together`: to PostgreSQL the end, the
        beginning and that are one message.
        """
        if self.is_sqlite:
            for words in ("COMMIT", "PRAGMA query_only=OFF", "BEGIN IMMEDIATE"):
                told(c, words)
        else:
            self._take(c, role, b"COMMIT", TO_WRITE)
        yield
        assert self.is_sqlite or not is_held_back(c), "nothing was written, or by other ways and in no role"
        self._ask_fence(c)

    @property
    def writes_at_once(self) -> bool:
        """Whether `write_at_once` may be: this is PostgreSQL, and nobody's fence has to be asked before the end."""
        return not self.is_sqlite and self._fence.get() is None

    def write_at_once(self, role: Role, write: Callable[[Connection], object]) -> None:
        """One transaction as `role` that is one message, its end included: that of `write_together` with a `last`,
        which `write` has to send. It goes past SQLAlchemy's transactions."""

        def in_role(c: Connection) -> None:
            self._take(c, role, TO_WRITE, by=(_TAKE_ROLE_PLANNED, _SENT_TAKE_ROLE_PLANNED))
            write(c)
            assert not is_held_back(c), "nothing was written, or by other ways and in no role"

        self._look()
        with self._spoken():
            self._kept.use(in_role)

    @contextmanager
    def fenced(self, fence: Fence) -> Iterator[None]:
        """In this thread every write asks `fence` last, in its own transaction, and is undone if that raises."""
        before = self._fence.set(fence)
        try:
            yield
        finally:
            self._fence.reset(before)

    def _take(
        self, c: Connection, role: Role, *words: bytes, by: tuple[str, Sent] = (_TAKE_ROLE, _SENT_TAKE_ROLE)
    ) -> None:
        given = (f"lifecycle_{role}", *self._patience)
        before_statement(c, None, by[0], given)
        hold_back(c, *words, with_=[(by[1], [value.encode() for value in given])])

    def _ask_fence(self, c: Connection) -> None:
        fence = self._fence.get()
        if fence is None:
            return
        if not self.is_sqlite:
            c.exec_driver_sql("SET LOCAL ROLE lifecycle_sequencer")  # the lease is its own
        fence(c)

    @contextmanager
    def own(self) -> Iterator[Connection]:
        """One transaction as whoever connects: for migrations, which make the tables and the roles."""
        with self._spoken(), (self._writing if self.is_sqlite else self.engine).begin() as c:
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
        self._kept.close()
        self._kept_to_read.close()
        self.engine.dispose()


@contextmanager
def taking_role(c: Connection, role: Literal["custodian"]) -> Iterator[None]:
    """A few statements of a transaction as a role that may see more, and the rest as before."""
    is_server = c.dialect.name == "postgresql"
    if is_server:
        c.exec_driver_sql(f"SET LOCAL ROLE lifecycle_{role}")
    yield
    if is_server:
        c.exec_driver_sql("RESET ROLE")
