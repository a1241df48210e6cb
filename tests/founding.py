"""Simulated stores, each made once by each process of the tests and copied for every test that begins with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postgres import Copies, Server, name_of
from whole.stores import Store

from lifecycle.projections.registry import PROJECTIONS
from lifecycle.settings import ledger_beside
from lifecycle.storage import standing
from lifecycle.storage.database import Database

Lived = Callable[[Store], Any]
"""What has happened in a store when a test begins with it."""


def _nothing(_: Store) -> None:
    """Only its policy was published."""


class InAFile:
    """SQLite: the file is copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str | None, Lived], tuple[Path, int]] = {}

    @contextmanager
    def store(self, folder: Path, keys: Path, text: str | None = None, lived: Lived = _nothing) -> Iterator[Store]:
        """Two of one kind have the same keys and the same log: they are one store, twice."""
        if (text, lived) not in self._made:
            self._made[text, lived] = self._found(text, lived)
        made, said = self._made[text, lived]
        shutil.copyfile(made / "store.db", folder / "store.db")
        copy_keys(made / "keys", keys)
        with _opened(f"sqlite:///{folder / 'store.db'}", keys, said) as store:
            yield store

    def _found(self, text: str | None, lived: Lived) -> tuple[Path, int]:
        made = self._folder / str(len(self._made))
        made.mkdir()
        return made, _found(f"sqlite:///{made / 'store.db'}", made / "keys", text, lived)


class OnAServer:
    """PostgreSQL: the rows are put back."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._made: dict[tuple[str | None, Lived], tuple[Copies, Path, int]] = {}

    @contextmanager
    def store(self, folder: Path, keys: Path, text: str | None = None, lived: Lived = _nothing) -> Iterator[Store]:
        if (text, lived) not in self._made:
            self._made[text, lived] = self._found(text, lived)
        copies, made, said = self._made[text, lived]
        copy_keys(made, keys)
        with copies.database() as url, _opened(url, keys, said) as store:
            yield store

    def drop(self) -> None:
        for copies, _, _ in self._made.values():
            copies.drop()

    def _found(self, text: str | None, lived: Lived) -> tuple[Copies, Path, int]:
        first = self._server.url(self._server.copy(self._server.template))
        keys = self._folder / str(len(self._made)) / "keys"
        said = _found(first, keys, text, lived)
        return Copies(self._server, name_of(first)), keys, said


def with_projections(server: Server) -> str:
    """A migrated database whose projections are made."""
    name = server.copy(server.template)
    db = Database(server.url(name))
    with db.write("projector") as c:
        standing.make(c, PROJECTIONS)
    db.close()
    return name


@contextmanager
def _opened(url: str, keys: Path, said: int) -> Iterator[Store]:
    store = Store.opened(url, keys, said)
    try:
        yield store
    finally:
        store.engine.close()


def _found(url: str, keys: Path, text: str | None, lived: Lived) -> int:
    """With the projections' tables, which each copy would make again; and would not be emptied then, but dropped.
    Returns how many documents were said in it."""
    store = Store(url, keys, text)
    lived(store)
    store.engine.drain()
    store.engine.close()
    return store.said


def copy_keys(made: Path, keys: Path) -> None:
    """With the ledger folder that lies beside them."""
    shutil.copytree(made, keys)
    if ledger_beside(made).exists():
        shutil.copytree(ledger_beside(made), ledger_beside(keys))
