"""Processes for tests to stop and to kill: forked from one that has imported everything, so that each costs little."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from compiled import compile_once

READY = (
    "lifecycle.engine.creation",
    "lifecycle.schedule.worker",
    "apscheduler.schedulers.background",
    "sqlalchemy.dialects.postgresql.psycopg",
    "whole.stores",
)


class Forked:
    """One process. It is killed at the end of its `with` block if it still lives."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self._forks = forks
        self.pid = pid
        self.code: int | None = None

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """How it ended; the negative number of a signal that killed it."""
        if self.code is None:
            self.code = int(self._forks.ask({"wait": self.pid}))
        return self.code

    def is_stopped(self) -> bool:
        """Whether it was sent SIGSTOP, and has noticed."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Forks:
    """Forks a process for each call; it holds nothing of the tests' own."""

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([sys.executable, "-m", "forked"], env=environment, text=True, **pipes)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def __call__(self, function: str, **arguments: Any) -> Forked:
        """Let `function` ("module:name") run by itself. Arguments pass as JSON; its process ends with 0, or 1 where it
        raised."""
        return Forked(self, int(self.ask({"call": function, "arguments": arguments})))

    def here(self, function: str, **arguments: Any) -> None:
        """Let it run in the process that forks, so that those that are forked from then on know what it learnt."""
        assert self.ask({"here": function, "arguments": arguments}) == "0\n"

    def know(self, db: str, keys: Path) -> None:
        """What opening this store takes, those that are forked from then on need not compile and parse again."""
        self.here("forked:open_and_close", db=db, keys=str(keys))

    def ask(self, order: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def wait_until(condition: Any, seconds: float = 60) -> None:
    over = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < over, "it did not come so far"
        time.sleep(0.005)


def open_and_close(db: str, keys: str) -> None:
    from lifecycle.engine import open_engine  # noqa: PLC0415 -- only the process that forks needs it

    with open_engine(db, keys=keys) as engine:
        engine.follower.status()
        engine.reacting.behind()


def main() -> None:
    compile_once()
    for module in READY:
        importlib.import_module(module)
    _live()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed by what runs here is no answer
    for line in sys.stdin:
        print(_answer(json.loads(line)), file=answers, flush=True)


def _live() -> None:
    """A small life, so that everything that is imported at its first use has been."""
    from whole.stores import Store  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db", Path(folder) / "keys")
        store.consent()
        store.collect()
        store.engine.react()
        store.engine.close()


def _answer(order: dict[str, Any]) -> int:
    if "wait" in order:
        return os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
    module, _, name = (order.get("call") or order["here"]).partition(":")
    function = getattr(importlib.import_module(module), name)
    if "here" in order:
        return _ended(function, order["arguments"])
    child = os.fork()
    if child == 0:
        os._exit(_ended(function, order["arguments"]))
    return child


def _ended(function: Any, arguments: dict[str, Any]) -> int:
    try:
        function(**arguments)
    except BaseException:  # noqa: BLE001 -- the process that was forked must never come back
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    main()
