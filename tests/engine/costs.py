"""What statements cost, counted and not timed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from lifecycle.storage.database import Database


@contextmanager
def work_done(database: Database) -> Iterator[list[int]]:
    """What the statements of the block cost: on SQLite steps of its virtual machine, so that a scan shows, too; on
    PostgreSQL rows that were returned or changed."""
    done = [0]

    def step() -> int:
        done[0] += 1
        return 0

    def before(_c: Any, cursor: Any, *_: Any) -> None:
        if database.is_sqlite:
            cursor.connection.set_progress_handler(step, 1)

    def after(_c: Any, cursor: Any, *_: Any) -> None:
        if database.is_sqlite:
            cursor.connection.set_progress_handler(None, 1)
        else:
            done[0] += max(cursor.rowcount, 0)

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "after_cursor_execute", after)
    try:
        yield done
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "after_cursor_execute", after)
