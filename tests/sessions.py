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
_IN_ALL = 20  # of a process; a server takes 200

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
        if name in _altered or len(_resting.get(name, ())) >= _AT_MOST or not _forgets_everything(pg):
            pg.finish()
            return
        with _taking:
            _resting[name] = [*_resting.pop(name, ()), (self._begun_with, pg)]  # now the last of all
        while sum(map(len, list(_resting.values()))) > _IN_ALL:
            end_those_at_rest_in(next(iter(_resting)))

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


def is_altered(name: str) -> bool:
    """That database is for no other test: in it every session is begun anew."""
    return name in _altered


def end_those_at_rest_in(name: str) -> None:
    with _taking:
        ended = _resting.pop(name, [])
    for _, pg in ended:
        pg.finish()


def _connected(self: PGDialect_psycopg, *arguments: Any, **named: Any) -> Any:
    place, name, role = (str(named.get(each)) for each in ("host", "dbname", "user"))
    # By a socket, as our own server is reached: what goes through a network that a test cuts would be waited for.
    if place.startswith("/") and name.startswith(OF_THE_TESTS) and not role.startswith(_ROLE):
        return Session.connect(*arguments, **named)
    return _connect(self, *arguments, **named)


def _taken(conninfo: str) -> PGconn | None:
    name = str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])
    while True:
        with _taking:
            at_rest = _resting.get(name, [])
            one = next((each for each in reversed(at_rest) if each[0] == conninfo), None)
            if one is None:
                return None
            at_rest.remove(one)
        if not _has_been_ended(one[1]):
            return one[1]
        one[1].finish()


def _has_been_ended(pg: PGconn) -> bool:
    """To a session at rest the server says nothing but that."""
    if pg.status != ConnStatus.OK:
        return True
    waiting = select.poll()
    waiting.register(pg.socket, select.POLLIN)
    return bool(waiting.poll(0))


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
