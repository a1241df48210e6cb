"""PostgreSQL's sessions in databases of the tests are used again by the next engine of the same process: to begin one,
and to have it learn the tables, took longer than what most tests do in it."""

from __future__ import annotations

import select
from threading import Lock
from typing import Any, Self

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, PGconn, TransactionStatus
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

OF_THE_TESTS = "lifecycle_test_"  # how the names of databases begin that are used again themselves
_ROLE = "lifecycle_"  # and those of roles that a test makes, and drops
_AT_MOST = 4  # in one database at rest, as many as an engine has that one thread uses

_connect = PGDialect_psycopg.connect
_resting: dict[str, list[tuple[str, PGconn]]] = {}
"""By the name of the database: with what they were begun, and the driver's own connection."""
_altered: set[str] = set()
_taking = Lock()


class Session(psycopg.Connection[Any]):
    """Closed for good for whoever had it; what it leaves is what a new one would have."""

    _begun_with = ""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Any:
        if found := _taken(conninfo):
            session = cls(found)
        else:
            session = yield from super()._connect_gen(conninfo)
        session._begun_with = conninfo
        return session

    def close(self) -> None:
        if self.closed:
            return
        self._closed = True
        pg, self.pgconn = self.pgconn, _GONE
        name = pg.db.decode()
        at_rest = _resting.setdefault(name, [])
        if name not in _altered and len(at_rest) < _AT_MOST and _forgets_everything(pg):
            at_rest.append((self._begun_with, pg))
        else:
            pg.finish()

    def __enter__(self) -> Self:
        raise AssertionError("only engines have these")


def use_sessions_again() -> None:
    """From now on, for every engine of this process."""
    PGDialect_psycopg.connect = _connected


def at_rest_in(name: str) -> list[int]:
    """The server's processes that wait for the next engine on that database."""
    return [pg.backend_pid for _, pg in _resting.get(name, ())]


def begin_all_anew_in(name: str) -> None:
    """From now on none rests there: what an ALTER DATABASE sets, only new ones have, and they have it to their end."""
    _altered.add(name)
    end_those_at_rest_in(name)


def end_those_at_rest_in(name: str) -> None:
    for _, pg in _resting.pop(name, ()):
        pg.finish()


def _connected(self: PGDialect_psycopg, *arguments: Any, **named: Any) -> Any:
    if not str(named.get("dbname")).startswith(OF_THE_TESTS) or str(named.get("user")).startswith(_ROLE):
        return _connect(self, *arguments, **named)
    return Session.connect(*arguments, **named)


def _taken(conninfo: str) -> PGconn | None:
    at_rest = _resting.get(str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]), [])
    while True:
        with _taking:
            one = next((each for each in reversed(at_rest) if each[0] == conninfo), None)
            if one is None:
                return None
            at_rest.remove(one)
        if not _has_been_ended(one[1]):
            return one[1]
        one[1].finish()


def _has_been_ended(pg: PGconn) -> bool:
    """To a session at rest the server says nothing but that."""
    waiting = select.poll()
    waiting.register(pg.socket, select.POLLIN)
    return pg.status != ConnStatus.OK or bool(waiting.poll(0))


def _forgets_everything(pg: PGconn) -> bool:
    if pg.status != ConnStatus.OK or pg.pipeline_status:
        return False
    if pg.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        pg.exec_(b"ROLLBACK")
    if pg.status != ConnStatus.OK or pg.transaction_status != TransactionStatus.IDLE:
        return False
    return pg.exec_(b"DISCARD ALL").status == ExecStatus.COMMAND_OK


_GONE = PGconn.connect_start(b"host=/nowhere")
_GONE.finish()
