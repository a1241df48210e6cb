"""Reactions in a process that is killed, again and again, each time a moment later, until one comes through."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from forked import Forks
from moments import moments
from whole.stores import Store

from lifecycle.engine import open_engine

TOGETHER = 2  # commands that are asked at once, so that there is much in between
ENOUGH = 400  # processes; one of them comes through


def killed_at_each_moment(forks: Forks, store: Store, folder: Path) -> set[str]:
    """Let it react in processes of which the n-th is killed at the n-th moment that it comes to. Returns the names of
    the moments at which they were killed."""
    store.engine.close()
    forks.know(store.settings.db, store.settings.keys)
    said = {"db": store.settings.db, "keys": str(store.settings.keys), "folder": str(folder)}
    for nth in range(1, ENOUGH):
        ended = forks("processes.killing:react_and_die", nth=nth, **said).wait()
        if ended == 0:
            store.engine = open_engine(store.settings.db, keys=store.settings.keys)
            return set((folder / "deaths").read_text().splitlines())
        assert ended == -signal.SIGKILL
    raise AssertionError("it never came through")


def react_and_die(db: str, keys: str, folder: str, nth: int) -> None:
    deaths = os.open(Path(folder) / "deaths", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    seen = 0

    def meets(name: str) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            os.write(deaths, f"{name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        for module in ("reacting", "tell_people_of_a_revision", "ask_back_what_a_trustee_received"):
            patch.setattr(f"lifecycle.processes.{module}.BATCH", TOGETHER)
        engine = open_engine(db, keys=keys, notices=f"{folder}/notices", outbox=f"{folder}/outbox")
        with moments(meets):
            engine.react()
        engine.close()
