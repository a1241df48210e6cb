from collections.abc import Iterator
from pathlib import Path

import pytest
from whole.stores import Store


@pytest.fixture
def store(empty_database_url: str, keys: Path) -> Iterator[Store]:
    """An empty simulated store, on SQLite and on PostgreSQL."""
    made = Store(empty_database_url, keys)
    yield made
    made.engine.close()
