"""The moments at which a process may be killed: found from outside, by watching what it commits, syncs and renames.

A transaction is all or nothing, so there is one moment just before its commit and one just after. What is not in the
database is there from the moment when it is synced, renamed or removed. Each has a name, without numbers.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE(?! SET)|DELETE FROM|CREATE TABLE|ALTER TABLE|COPY) \"?((?:\w+\.)?\w+)")
_WITH_EVENTS = {"event_body", "command_seen", "data_key", "lookup", "subject_key", "ledger_queue"}
_NUMBERS = re.compile(r"\d[0-9a-f]*|x\d+|[0-9a-f]{8,}")


@contextmanager
def moments(meets: Callable[[str], None]) -> Iterator[None]:
    """Call `meets` with the name of each moment of this process, as long as the block lasts."""
    written: dict[int, set[str]] = {}

    def executed(conn: Any, _cursor: Any, said: str, *_: Any) -> None:
        if tables := _WRITES.findall(said):
            written.setdefault(id(conn.connection.dbapi_connection), set()).update(tables)
        if "alembic_version" in tables:
            meets("a revision")  # of several, all in one transaction

    def commits(commit: Callable[..., Any]) -> Callable[..., Any]:
        def watched(dialect: Any, connection: Any) -> None:
            tables = written.pop(id(connection.dbapi_connection), None)
            if tables is None:
                return commit(dialect, connection)
            name = _name_of(tables)
            meets(f"before {name}")
            commit(dialect, connection)
            return meets(f"after {name}")

        return watched

    def touches(call: str, path_of: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(work: Callable[..., Any]) -> Callable[..., Any]:
            def watched(*arguments: Any, **named: Any) -> Any:
                path = Path(os.fspath(path_of(*arguments, **named)))
                done = work(*arguments, **named)
                meets(f"{call} {_NUMBERS.sub('N', f'{path.parent.name}/{path.name}')}")
                return done

            return watched

        return wrapped

    event.listen(Engine, "after_cursor_execute", executed)
    try:
        with (
            _instead(DefaultDialect, "do_commit", commits),
            _instead(os, "fsync", touches("fsync", lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}"))),
            _instead(os, "replace", touches("replace", lambda _, to, **__: to)),
            _instead(os, "unlink", touches("unlink", lambda path, **_: path)),
        ):
            yield
    finally:
        event.remove(Engine, "after_cursor_execute", executed)


def _name_of(tables: set[str]) -> str:
    """What an append or a projection writes depends on who is in it, so they go by one table."""
    bare = {table.rpartition(".")[2] for table in tables}
    if "projection_position" in bare:
        return "projections"
    if "alembic_version" in bare:
        return "tables"
    if "log_tree" in bare and "store_facts" not in bare:
        return "tree and map"
    return " ".join(sorted(bare - _WITH_EVENTS if "event_header" in bare else bare))


@contextmanager
def _instead(of: Any, name: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    work = getattr(of, name)
    setattr(of, name, wrapped(work))
    try:
        yield
    finally:
        setattr(of, name, work)


def killing(at: str | None, file: Path) -> Callable[[str], None]:
    """At the first moment of that name the process is killed; every moment that it came to is in `file`."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def meets(name: str) -> None:
        os.write(descriptor, f"{name}\n".encode())
        if name == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return meets
