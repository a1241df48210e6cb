"""Whether the process that leads is still there: known at once when it is killed, and from outside.

The operating system, or the server, lets go of a lock when the process that has it ends. So nobody has to wait for the
lease of one that is gone; the lease is for those that are asleep.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from lifecycle.storage.database import Database
from lifecycle.storage.failures import Unavailable, spoken

LEADING = 0x6C69_6665  # the class of our advisory locks; the second key is the number of the term
LOOK_EVERY = 0.25  # seconds: a file wakes nobody
_WAIT_AT_MOST = text("SELECT set_config('lock_timeout', '1000ms', false)")  # then the lease is looked at again
_TIMED_OUT = "55P03"
_KEYS = 0x7FFF_FFFF  # a key has 31 bits; numbers that far apart never meet


class Presence(Protocol):
    def begin(self, number: int) -> None:
        """Show that the holder of this term is there, until `end` or until the process ends."""
        ...

    def is_lost(self) -> bool:
        """Whether others take this process for dead, though it is not."""
        ...

    def is_gone(self, c: Connection, number: int) -> bool:
        """Whether the holder of that term is no more; asked of others' terms."""
        ...

    def await_end(self, number: int) -> bool:
        """Wait a while for the holder of that term to be no more; whether it is."""
        ...

    def end(self) -> None: ...

    def close(self) -> None:
        """Nobody waits any more, either."""
        ...


class OnAServer:
    """A session of its own has an advisory lock. It needs a direct connection, not a pooler in transaction mode."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Connection | None = None
        self._waiting: list[Connection] = []  # the session that waited for the end of another's term, while it is free

    def begin(self, number: int) -> None:
        """In the session that waited, if there is one: on a busy machine a new one takes a third of a second."""
        self._leave()
        with spoken():
            self._session = self._waiting.pop() if self._waiting else self._connected()
            # One that fell asleep while it began this very term may have the lock: then the lease alone counts.
            self._session.execute(select(func.pg_try_advisory_lock(LEADING, number & _KEYS)))

    def _connected(self) -> Connection:
        session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.execute(_WAIT_AT_MOST)
        return session

    def is_lost(self) -> bool:
        if self._session is None:
            return True
        try:
            self._session.execute(select(1))
        except Exception:  # noqa: BLE001 -- whatever the driver says, the lock is lost with the session
            return True
        return False

    def is_gone(self, c: Connection, number: int) -> bool:
        """The lock is let go again with the transaction that asks, and shared with whoever asks or waits besides."""
        is_free: bool = c.execute(select(func.pg_try_advisory_xact_lock_shared(LEADING, number & _KEYS))).scalar_one()
        return is_free

    def await_end(self, number: int) -> bool:
        """The server wakes whoever waits as soon as it has noticed that the holder's session is over."""
        session = self._waiting.pop() if self._waiting else self._connected()
        try:
            session.execute(select(func.pg_advisory_xact_lock_shared(LEADING, number & _KEYS)))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _TIMED_OUT:
                _ended(session)
                raise
            self._waiting.append(session)
            return False
        self._waiting.append(session)
        return True

    def _leave(self) -> None:
        if self._session is not None:
            _ended(self._session)
            self._session = None

    def end(self) -> None:
        self._leave()

    def close(self) -> None:
        self._leave()
        while self._waiting:
            _ended(self._waiting.pop())


def _ended(session: Connection) -> None:
    session.invalidate()
    session.close()


class BesideAFile:
    """A file beside the database has a lock of its own: SQLite's write-ahead file keeps all processes on one machine.

    Each term has a new file under the same name, so that the lock of a process that is asleep is nobody's obstacle.
    """

    def __init__(self, database: Database) -> None:
        assert database.path is not None
        self._path = database.path.with_name(f"{database.path.name}-leader")
        self._descriptor: int | None = None

    def begin(self, number: int) -> None:
        self.end()
        fresh = self._path.with_name(f"{self._path.name}-{secrets.token_hex(4)}")
        try:
            self._descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fresh.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise Unavailable(
                f"The file that shows who leads cannot be written ({error.strerror}).", "make the folder writable"
            ) from None

    def is_lost(self) -> bool:
        return self._descriptor is None

    def is_gone(self, c: Connection, number: int) -> bool:
        return _is_free(self._path)

    def await_end(self, number: int) -> bool:
        time.sleep(LOOK_EVERY)
        return _is_free(self._path)

    def end(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def close(self) -> None:
        self.end()


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # it is not known; its lease will run out
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def presence_in(database: Database) -> Presence:
    return BesideAFile(database) if database.is_sqlite else OnAServer(database)
