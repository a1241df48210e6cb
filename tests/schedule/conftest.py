import pytest
from forked import Forks
from processes.dying import Dying


@pytest.fixture(scope="session")
def dying(forks: Forks) -> Dying:
    """Processes to be killed."""
    return Dying(forks)
