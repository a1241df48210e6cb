"""Stores for tests: every test that asks for `database` runs on SQLite and on PostgreSQL, and is never skipped."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import judges
import pytest
from compiled import compile_once
from forked import Forks
from founding import InAFile, OnAServer, with_projections
from hypothesis import settings
from in_memory import IN_MEMORY
from postgres import Copies, Server, server_of, stop_server_of
from sessions import use_sessions_again
from sharing_out import ByFileAndDatabase, rank_of
from whole.stores import Store

from lifecycle.storage.database import Database
from lifecycle.storage.schema import migrate

ENGINES = ("sqlite", "postgresql")

# How many examples a property is tried with where it does not say so itself. A deadline measures the machine.
settings.register_profile("suite", max_examples=40, deadline=None)
settings.register_profile("soak", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("LIFECYCLE_EXAMPLES", "suite"))
compile_once()
use_sessions_again()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Files lie in memory where there is room, however often what is tested syncs them."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # each short process would compile all that it imports again
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(config.rootpath / ".pytest_cache" / "pycache"))
    if hasattr(config, "workerinput"):
        return
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # xdist would begin with the group of the most tests
    if IN_MEMORY is not None and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(IN_MEMORY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileAndDatabase | None:
    return ByFileAndDatabase(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank_of(item.nodeid))


def pytest_collectstart() -> None:
    gc.disable()  # until all tests are collected


def pytest_collection_finish() -> None:
    """Modules, tests and their parameters stay to the end: looking through them for garbage took a tenth of a run, and
    while they were collected a sixth of that."""
    gc.collect()
    gc.freeze()
    gc.enable()


def run_folder(factory: pytest.TempPathFactory, config: pytest.Config) -> Path:
    """One folder for the whole run, also when xdist gives each worker its own below it."""
    own = factory.getbasetemp()
    return own.parent if hasattr(config, "workerinput") else own


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workerinput") or not hasattr(config, "_tmp_path_factory"):
        return  # only the process that outlives the workers ends the server
    if config._tmp_path_factory._basetemp is not None:
        stop_server_of(config._tmp_path_factory._basetemp)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Server]:
    """The run's PostgreSQL: from the wheel in the dev group, or the one that LIFECYCLE_TEST_PG_DSN names."""
    server = server_of(run_folder(tmp_path_factory, pytestconfig))
    yield server
    server.leave()


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[judges.Go]:
    """Go's own transparency log code, as a judge of ours; skipped by name, or failed in CI, where Go is missing."""
    judge = judges.go_judge(run_folder(tmp_path_factory, pytestconfig))
    yield judge
    judge.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    db = Database(f"sqlite:///{path}")
    migrate(db)
    db.truncate_wal()
    db.close()
    return path


@pytest.fixture(params=ENGINES)
def kind_of_database(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(kind_of_database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database that nobody has opened."""
    yield from _url(kind_of_database, request, tmp_path, migrated=True)


@pytest.fixture
def empty_database_url(kind_of_database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables; for SQLite there is no file yet."""
    yield from _url(kind_of_database, request, tmp_path, migrated=False)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated store, without genesis entry, keys or policy."""
    db = Database(database_url)
    yield db
    db.close()


@pytest.fixture(scope="session")
def projected(postgresql: Server) -> Iterator[Copies]:
    made = Copies(postgresql, with_projections(postgresql))
    yield made
    made.drop()


@pytest.fixture
def projecting(kind_of_database: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated store whose projections have followed nothing; on PostgreSQL, where making their tables takes longer
    than most tests, those are there already."""
    if kind_of_database == "sqlite":
        yield request.getfixturevalue("database")
        return
    copies: Copies = request.getfixturevalue("projected")
    with copies.database() as url:
        db = Database(url)
        yield db
        db.close()


@pytest.fixture(scope="session")
def founded_file(tmp_path_factory: pytest.TempPathFactory) -> InAFile:
    return InAFile(tmp_path_factory.mktemp("founded"))


@pytest.fixture(scope="session")
def founded_database(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnAServer]:
    founded = OnAServer(postgresql, tmp_path_factory.mktemp("founded"))
    yield founded
    founded.drop()


@pytest.fixture
def founded(kind_of_database: str, request: pytest.FixtureRequest) -> InAFile | OnAServer:
    """Simulated stores to begin with, under a policy and after a life that the test names."""
    name = "founded_file" if kind_of_database == "sqlite" else "founded_database"
    made: InAFile | OnAServer = request.getfixturevalue(name)
    return made


@pytest.fixture
def store(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    """A simulated store under the example policy, in which nobody is yet."""
    with founded.store(tmp_path, keys) as copied:
        yield copied


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Processes of the tests' own, to be stopped and killed."""
    with Forks() as started:
        yield started


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The folder for epoch keys, anchor and erasure journal; not made yet."""
    return tmp_path / "keys"


def _url(kind: str, request: pytest.FixtureRequest, folder: Path, *, migrated: bool) -> Iterator[str]:
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        with server.database(migrated=migrated) as url:
            yield url
        return
    path = folder / "store.db"
    if migrated:
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
    yield f"sqlite:///{path}"
