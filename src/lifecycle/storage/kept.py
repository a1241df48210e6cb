"""Connections that stay taken between two writes that are one message each.

To take one out of the pool, have it reset and give it back took a fifth of a single command.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine, Pool

AT_MOST = 2


class Kept:
    """One object serves all threads. Of what is disposed of with the engine's pool none is used again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[tuple[Pool, Connection]] = []

    def use(self, write: Callable[[Connection], object]) -> None:
        """Call `write`, which leaves no transaction open unless it raises; what was begun is undone then."""
        pool, c = self._taken()
        try:
            write(c)
        except BaseException:
            c.close()
            raise
        if len(self._idle) < AT_MOST:
            self._idle.append((pool, c))
        else:
            c.close()

    def _taken(self) -> tuple[Pool, Connection]:
        while self._idle:
            try:
                pool, c = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if pool is self._engine.pool:
                return pool, c
            c.close()
        return self._engine.pool, self._engine.connect()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()
