"""A step of a process is a transaction of its own; one that meets a writer or a rotation is made anew."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from eventsourcing.persistence import IntegrityError

from lifecycle.errors import Conflict, LifecycleError
from lifecycle.storage.failures import let_go

TRIES = 32
PAUSE = 0.005  # seconds, times the tries so far
LONGEST = 8  # of these pauses
T = TypeVar("T")


def again(step: Callable[[], T], otherwise: LifecycleError) -> T:
    """What `step` returns as soon as nobody else is faster; `otherwise` is raised when somebody always was."""
    for tried in range(TRIES):
        try:
            return step()
        except (IntegrityError, Conflict) as error:
            let_go(error)
            wait(tried)
    raise otherwise


def wait(tried: int) -> None:
    """A little longer each time, and never as long as those who met this one."""
    time.sleep(random.uniform(0, PAUSE * min(tried, LONGEST)))  # noqa: S311 -- not a secret
