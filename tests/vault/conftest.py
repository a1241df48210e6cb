"""A vault over a migrated database, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from vault.people import Store

from lifecycle.storage.database import Database


@pytest.fixture
def store(database: Database, keys: Path) -> Store:
    return Store(database, keys).initialised()
