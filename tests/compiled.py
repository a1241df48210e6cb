"""Statements are compiled once by each process of the tests, not once by each of the thousands of engines it opens."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.util import LRUCache


class Compiled(LRUCache[tuple[Hashable, ...], Any]):
    """SQLAlchemy's key begins with the engine's own dialect; two of one kind and style compile alike."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_key(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_key(key), compiled)


def _key(key: tuple[Any, ...]) -> tuple[Hashable, ...]:
    dialect, *rest = key
    return type(dialect), dialect.paramstyle, *rest


def compile_once() -> None:
    """From now on, for every engine of this process. An engine has its own otherwise; and to listen for its connections
    would have every one of its statements look for listeners."""
    known = Compiled(2_000)
    Engine._compiled_cache = property(lambda _: known, lambda *_: None)
