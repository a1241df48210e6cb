"""Connections that stay taken between two writes, or two reads, that are one message each.

To take one out of the pool, have it reset and give it back took a fifth of a single command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, Pool

AT_MOST = 2
T = TypeVar("T")


class Kept:
    """One object serves all threads. Of what is disposed of with the engine's pool none is used again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[tuple[Pool, Connection]] = []

    def use(self, work: Callable[[Connection], T]) -> T:
        """Call `work`, which leaves no transaction open unless it raises; what was begun is undone then."""
        pool, c = self._taken()
        try:
            done = work(c)
        except BaseException:
            c.close()
            raise
        if len(self._idle) < AT_MOST:
            self._idle.append((pool, c))
        else:
            c.close()
        return done

    def _taken(self) -> tuple[Pool, Connection]:
        while self._idle:
            try:
                pool, c = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if pool is self._engine.pool:
                return pool, c
            self._give_back(pool, c)
        return self._engine.pool, self._engine.connect()

    def close(self) -> None:
        while self._idle:
            self._give_back(*self._idle.pop())

    def _give_back(self, pool: Pool, c: Connection) -> None:
        if pool is not self._engine.pool:
            c.invalidate()  # the pool that it would go back to is gone, and nobody would end it
        c.close()
