"""What goes wrong in a world: a process dies at any statement or synced file; another one does the same just before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from lifecycle.engine import Engine


class Died(BaseException):
    """The process is gone: nothing of ours may catch it and go on."""


_AT_FILES = ("fsync", "replace")


@contextmanager
def dying(engine: Engine, after: int) -> Iterator[None]:
    """Die at the `after`-th thing that leaves this process: a statement, a commit, a file that is synced or replaced."""
    left = after

    def count(*_: Any, **__: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:  # and nothing leaves it any more
            raise Died

    target = engine.database.engine
    real = {name: getattr(os, name) for name in _AT_FILES}

    def counted(name: str) -> Callable[..., Any]:
        def act(*arguments: Any, **named: Any) -> Any:
            count()
            return real[name](*arguments, **named)

        return act

    for what in ("before_cursor_execute", "commit"):
        event.listen(target, what, count)
    for name in _AT_FILES:
        setattr(os, name, counted(name))
    try:
        yield
    finally:
        for name in _AT_FILES:
            setattr(os, name, real[name])
        for what in ("before_cursor_execute", "commit"):
            event.remove(target, what, count)


@contextmanager
def overtaken(engine: Engine, by: Callable[[], object]) -> Iterator[None]:
    """What was decided is about to be written; somebody else writes first."""
    real = engine.database.write_after
    left = [by]

    def write_after(c: Any, role: Any) -> Any:
        if left:
            c.exec_driver_sql("COMMIT")  # what was read is over, as the real one has it
            left.pop()()
            c.exec_driver_sql("BEGIN")
        return real(c, role)

    engine.database.write_after = write_after  # type: ignore[method-assign]
    try:
        yield
    finally:
        del engine.database.write_after
