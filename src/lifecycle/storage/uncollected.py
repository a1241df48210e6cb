"""Work in batches without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """A batch makes objects by the ten thousand that live until its end, and none that refer to each other in a circle:
    looking for circles took a fifth to a third of its time. Between two batches the interpreter collects as ever."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
