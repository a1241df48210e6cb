"""A town on each engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from lives import Town

from lifecycle.storage.database import Database


@pytest.fixture
def town(projecting: Database, keys: Path) -> Town:
    return Town(projecting, keys).founded()
