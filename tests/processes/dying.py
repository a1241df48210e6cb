"""Faults: a step of a saga that is never finished, and a process that is killed in the middle of a statement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from whole.stores import Store

from lifecycle.engine import Engine, open_engine


class Crash(BaseException):
    """As if the process ended here: nothing catches it."""


def dies(room: Any, step: str, when: str) -> None:
    """Let one step of a saga be the last: `when` is "before" or "after" its work is done."""
    work = getattr(room, step)

    def last(*arguments: Any, **named: Any) -> None:
        if when == "after":
            work(*arguments, **named)
        raise Crash

    setattr(room, step, last)


def kill_at(engine: Engine, statement: int) -> list[str]:
    """Kill this process when it has executed so many statements; count only with 0."""
    seen: list[str] = []

    @event.listens_for(engine.database.engine, "after_cursor_execute")
    def note(_conn: Any, _cursor: Any, said: str, *_: Any) -> None:
        seen.append(said)
        if len(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    return seen


def killed(store: Store, act: str, statement: int) -> None:
    """Do `act` ("erase EMAIL" or "rotate" or "sweep") in a process that is killed on its way."""
    arguments = [
        sys.executable,
        "-m",
        "processes.dying",
        store.settings.db,
        str(store.settings.keys),
        act,
        str(statement),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    ended = subprocess.run(arguments, env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def act_in(engine: Engine, act: str) -> None:
    if act == "rotate":
        engine.rotate()
    elif act == "sweep":
        engine.sweep()
    else:
        engine.execute(erasure(act.removeprefix("erase ")))


def erasure(email: str) -> dict[str, Any]:
    actor = {"id": "dpo", "role": "officer"}
    return {"command": "erase", "id": "erasure", "actor": actor, "subject": {"email": email}, "ground": "7.3c"}


def main(db: str, keys: str, act: str, statement: str) -> None:
    engine = open_engine(db, keys=keys)
    kill_at(engine, int(statement))
    act_in(engine, act)


if __name__ == "__main__":
    main(*sys.argv[1:])
