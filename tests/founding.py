"""A simulated store under the example policy, made once by each process of the tests and copied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postgres import Copies, Server, name_of
from whole.stores import Store

from lifecycle.settings import ledger_beside


class InAFile:
    """SQLite: the file is copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _found(f"sqlite:///{folder / 'store.db'}", folder / "keys")

    @contextmanager
    def store(self, folder: Path, keys: Path) -> Iterator[Store]:
        shutil.copyfile(self._folder / "store.db", folder / "store.db")
        _copy_keys(self._folder / "keys", keys)
        with _opened(f"sqlite:///{folder / 'store.db'}", keys) as store:
            yield store


class OnAServer:
    """PostgreSQL: the rows are put back."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._folder = folder
        first = server.url(server.copy(server.template))
        _found(first, folder / "keys")
        self.copies = Copies(server, name_of(first))

    @contextmanager
    def store(self, folder: Path, keys: Path) -> Iterator[Store]:
        _copy_keys(self._folder / "keys", keys)
        with self.copies.database() as url, _opened(url, keys) as store:
            yield store


@contextmanager
def _opened(url: str, keys: Path) -> Iterator[Store]:
    store = Store.opened(url, keys)
    try:
        yield store
    finally:
        store.engine.close()


def _found(url: str, keys: Path) -> None:
    """With the projections' tables, which each copy would make again; and would not be emptied then, but dropped."""
    store = Store(url, keys)
    store.engine.drain()
    store.engine.close()


def _copy_keys(made: Path, keys: Path) -> None:
    shutil.copytree(made, keys)
    if ledger_beside(made).exists():
        shutil.copytree(ledger_beside(made), ledger_beside(keys))
