from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks.shelf import Files, Schemas
from attacks.victim import Scene, Victim
from postgres import Server

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session", params=ENGINES)
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """One store for all attacks, on SQLite and on PostgreSQL; nobody changes it."""
    folder = tmp_path_factory.mktemp("victim")
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_file"), folder / "live.db")
        url = f"sqlite:///{folder / 'live.db'}"
        yield Victim(url, folder, Files(url, folder))
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database(migrated=True) as url:
        yield Victim(url, folder, Schemas(url, server.dsn))


@pytest.fixture
def scene(victim: Victim, tmp_path: Path) -> Iterator[Scene]:
    """The store as it is today, to be tampered with."""
    made = Scene(victim, tmp_path)
    yield made
    made.close()


@pytest.fixture
def restored(victim: Victim, tmp_path: Path) -> Iterator[Scene]:
    """A database from a backup, with the keys and files of today."""
    made = Scene(victim, tmp_path, "backup")
    yield made
    made.close()
