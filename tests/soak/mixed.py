"""`python -m soak.mixed --minutes 30 --engine sqlite`: mixed load from several processes, then every invariant.

Writers of several threads, an importer, a reader and a worker share one store whose clock runs two hours each
second. Every few seconds memory, write-ahead log and lag are measured; at the end the store is audited. Exits 1 if
anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from audit.portfolios import POLICY_TEXT
from postgres import start, stop
from psycopg import sql
from soak import invariants, load
from sqlalchemy import URL, text

from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import create
from lifecycle.settings import Settings

EACH = 5.0  # seconds between two measurements
MEGABYTE = 1 << 20
MAY_GROW = 0.15  # of its memory, from the middle of the time to its end
SWEEPS_A_SECOND = 1 / 12  # two hours pass each second
WAL_MEGABYTES = {"sqlite": 64, "postgresql": 1_100}  # PostgreSQL's max_wal_size is a gigabyte


@dataclass
class Measured:
    """By process the resident memory in bytes, at each measurement; the write-ahead log; the projections' lag."""

    memory: dict[str, list[int]] = field(default_factory=dict)
    wal: list[int] = field(default_factory=list)
    lag: list[int] = field(default_factory=list)

    def growth(self) -> dict[str, float]:
        """Of each process: what the last fifth's median is above the median of the fifth in the middle."""
        return {name: _median(some[-len(some) // 5 :]) / _median(some[len(some) * 2 // 5 : len(some) * 3 // 5]) - 1
                for name, some in self.memory.items() if len(some) >= 10}  # fmt: skip


def _median(numbers: list[int]) -> float:
    return float(sorted(numbers)[len(numbers) // 2])


@contextlib.contextmanager
def store_on(engine: str, dsn: str | None, folder: Path) -> Iterator[Settings]:
    if engine == "sqlite":
        yield _created(Settings(f"sqlite:///{folder / 'store.db'}", folder / "keys"))
        return
    started = None if dsn else start(where=None)  # it grows as long as the soak lasts
    name = f"lifecycle_soak_{uuid4().hex[:8]}"
    server = dsn or str(started and started["dsn"])
    with psycopg.connect(server, autocommit=True) as c:
        c.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = _url(c.info, name)
    try:
        yield _created(Settings(url.render_as_string(hide_password=False), folder / "keys"))
    finally:
        with psycopg.connect(server, autocommit=True) as c:
            c.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        if started is not None:
            stop(started)


def _url(info: psycopg.ConnectionInfo, name: str) -> URL:
    by_socket = info.host.startswith("/")
    where = {"query": {"host": info.host}} if by_socket else {"host": info.host, "port": info.port}
    return URL.create("postgresql", username=info.user, password=info.password or None, database=name, **where)


def _created(settings: Settings) -> Settings:
    engine, outcome = create(settings, POLICY_TEXT, simulated_clock=True)
    assert outcome.outcome == "done"
    engine.close()
    return settings


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def wal_of(engine: Engine) -> int:
    """Bytes of the write-ahead log. PostgreSQL's is of the whole server."""
    if engine.database.path is not None:
        file = engine.database.path.with_name(engine.database.path.name + "-wal")
        return file.stat().st_size if file.exists() else 0
    with engine.database.own() as c:
        return int(c.execute(text("SELECT sum(size) FROM pg_ls_waldir()")).scalar_one())


def loaded(settings: Settings, folder: Path, seconds: float) -> Measured:
    """Let all processes work for so long, and measure."""
    spawn = multiprocessing.get_context("spawn")
    stop_writing, stop_time, ready = spawn.Event(), spawn.Event(), spawn.Barrier(6)
    arguments = (settings.db, str(settings.keys), str(folder))
    processes: dict[str, Any] = {
        "writer-0": spawn.Process(target=load.write, args=(*arguments, 0, stop_writing, ready)),
        "writer-1": spawn.Process(target=load.write, args=(*arguments, 1, stop_writing, ready)),
        "importer": spawn.Process(target=load.import_many, args=(*arguments, stop_writing, ready)),
        "reader": spawn.Process(target=load.read, args=(*arguments, stop_writing, ready)),
        "worker": spawn.Process(target=load.keep_time, args=(*arguments, stop_time, ready)),
    }
    for process in processes.values():
        process.start()
    measured = Measured({name: [] for name in processes})
    with open_engine(settings.db, keys=settings.keys) as engine:
        ready.wait(300)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(EACH)
            for name, process in processes.items():
                assert process.is_alive(), f"{name} died: {process.exitcode}"
                measured.memory[name].append(resident(process.pid))
            measured.wal.append(wal_of(engine))
            measured.lag.append(_lag(engine))
        stop_writing.set()
        for name in ("writer-0", "writer-1", "importer", "reader"):
            processes[name].join(120)
        _until(lambda: _lag(engine) == 0)
        stop_time.set()
        processes["worker"].join(300)
    assert {name: process.exitcode for name, process in processes.items()} == dict.fromkeys(processes, 0)
    return measured


def _lag(engine: Engine) -> int:
    return max(row["lag"] + row["waiting"] for row in engine.follower.status())


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "the lag did not come back to zero"
        time.sleep(0.2)


def told(engine: str, seconds: float, measured: Measured, found: dict[str, Any], folder: Path) -> dict[str, Any]:
    counts = {
        file.name.partition(".")[0]: json.loads(file.read_text()) for file in sorted(folder.glob("*.counts.json"))
    }
    growth = measured.growth()
    against = {name: what for name, what in found.pop("against").items() if what}
    if grown := {name: round(by, 3) for name, by in growth.items() if by > MAY_GROW}:
        against["memory grows"] = grown
    if counts["worker"].get("sweeps", 0) < seconds * SWEEPS_A_SECOND / 10:  # a busy machine is slow, and not ten times
        against["hardly swept"] = counts["worker"]
    if max(measured.wal) > WAL_MEGABYTES[engine] * MEGABYTE:
        against["write-ahead log"] = max(measured.wal)
    return {
        "engine": engine,
        "seconds": round(seconds),
        "memory_mb": {
            name: [round(some[0] / MEGABYTE), round(max(some) / MEGABYTE)] for name, some in measured.memory.items()
        },
        "memory_growth": {name: round(by, 3) for name, by in growth.items()},
        "wal_mb": {"highest": round(max(measured.wal) / MEGABYTE, 1), "last": round(measured.wal[-1] / MEGABYTE, 1)},
        "lag": {"highest": max(measured.lag), "in the end": 0},
        "counts": counts,
        **found,
        "against": against,
    }


def main(arguments: list[str] | None = None) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=float(os.environ.get("LIFECYCLE_SOAK_MINUTES", "30")))
    asked.add_argument("--engine", choices=list(WAL_MEGABYTES), default="sqlite")
    asked.add_argument("--dsn", default=None, help="a PostgreSQL server to make a database on; else one is started")
    options = asked.parse_args(arguments)
    seconds = options.minutes * 60
    with tempfile.TemporaryDirectory() as name, store_on(options.engine, options.dsn, Path(name)) as settings:
        folder = Path(name)
        measured = loaded(settings, folder, seconds)
        with open_engine(settings.db, keys=settings.keys) as engine:
            found = invariants.checks(engine, folder)
        report = told(options.engine, seconds, measured, found, folder)
    print(json.dumps(report, indent=2))  # noqa: T201
    return 1 if report["against"] else 0


if __name__ == "__main__":
    sys.exit(main())
