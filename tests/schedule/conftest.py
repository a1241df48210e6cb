from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.dying import Dying
from whole.stores import Store


@pytest.fixture
def store(database_url: str, keys: Path) -> Iterator[Store]:
    """A simulated store under the example policy, on SQLite and on PostgreSQL."""
    made = Store(database_url, keys)
    yield made
    made.engine.close()


@pytest.fixture(scope="session")
def dying() -> Iterator[Dying]:
    """Processes to be killed."""
    with Dying() as started:
        yield started
