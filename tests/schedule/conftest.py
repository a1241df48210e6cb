from collections.abc import Iterator

import pytest
from processes.dying import Dying


@pytest.fixture(scope="session")
def dying() -> Iterator[Dying]:
    """Processes to be killed."""
    with Dying() as started:
        yield started
