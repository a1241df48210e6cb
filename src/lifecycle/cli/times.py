"""retention … and worker: what time brings."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from lifecycle.cli.here import here, opened, progress
from lifecycle.cli.telling import json_line, rows_of, say
from lifecycle.cli.words import LocalTime, plain, short
from lifecycle.errors import LifecycleError, Refused

if TYPE_CHECKING:
    from lifecycle.engine import Engine
    from lifecycle.schedule.worker import Duty, Worker

retention = typer.Typer(no_args_is_help=True, help="What falls due, and carrying it out.")
log = logging.getLogger("lifecycle.worker")
MANY = 100_000
FALLS_DUE = {
    "retention": "the storage period is over",
    "storage-only-end": "it need not be kept any longer",
    "consent-lapse": "the consent lapses",
    "recipient-duty": "a recipient has to have answered",
    "disclosure-notice": "the person is to be told of a disclosure",
    "identifiers": "nothing is left about this person",
    "request-warning": "few working days are left to answer",
    "request-deadline": "a request should have been answered",
    "request-pause-end": "the clock of a request goes on",
    "request-provisional": "the calendar knows more than when the day was counted",
    "request-records": "what was said about a request need not be kept any longer",
    "evidence": "erased, and the evidence of it need not be kept",
}


class WorkerInRealTime(Refused):
    code = "simulated"
    remedy = "use `lifecycle retention sweep`, or an `advance-clock` document"

    def __init__(self) -> None:
        super().__init__("A simulated store has no worker: its clock stands still.")


def add_to(app: typer.Typer) -> None:
    app.command()(worker)


@retention.command()
def due(context: typer.Context) -> None:
    """What a sweep would act on now."""
    _tell_due(context)


@retention.command()
def sweep(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be acted on")] = False,
) -> None:
    """Carry out everything that is due."""
    if dry_run:
        _tell_due(context)
        return
    with opened(context, publishing=True) as engine, progress("sweeping") as bar:
        swept = engine.sweep(bar)
    if here(context).json:
        json_line(asdict(swept))
    else:
        say(f"{swept.people} people, {swept.expired} periods over, {swept.erased} erasures, {swept.expunged} expunged.")
        if swept.busy:
            say(f"{swept.busy} people were being written about all the time. Try: sweep again.")


def _tell_due(context: typer.Context) -> None:
    from lifecycle.audit.records import falling  # noqa: PLC0415

    with opened(context) as engine:
        local = LocalTime.of(engine)
        rows = [falling(one) for one in engine.due(MANY)]
    if here(context).json:
        json_line(rows)
        return
    columns = (
        ("due", lambda row: local.when(row["due"])),
        ("person", lambda row: short(row["subject"])),
        ("what", lambda row: FALLS_DUE.get(row["what"], plain(row["what"]))),
        ("purpose", lambda row: row["purpose"]),
        ("rule", lambda row: row["rule"]),
        ("holding", lambda row: short(row["holding"])),
    )
    rows_of(f"Due (times of {local.zone})", rows, columns)


def worker(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Do every duty once, then stop")] = False,
) -> None:
    """Do by itself what time brings: sequence, project, publish, sweep, end epochs. One leads, others stand by."""
    with _logging(), opened(context) as engine:
        if engine.is_simulated:
            raise WorkerInRealTime
        failures = _work(engine, once)
    if once and here(context).json:
        json_line({"failed": failures})
    if once and failures:
        raise typer.Exit(1)


def _work(engine: Engine, once: bool) -> list[str]:
    """Return which duties failed."""
    from lifecycle.schedule.leader import leader_of  # noqa: PLC0415
    from lifecycle.schedule.worker import Worker  # noqa: PLC0415

    failures: list[str] = []

    def failed(duty: str, error: Exception) -> None:
        failures.append(duty)
        code = error.code if isinstance(error, LifecycleError) else "bug"
        log.error("duty=%s failed=%s code=%s", duty, type(error).__name__, code)  # a message could quote a value

    with leader_of(engine.database) as leader:
        runner = Worker(leader, _duties(engine), failed)
        if once:
            runner.tick_all()
        else:
            _run_until_asked(runner)
    return failures


def _run_until_asked(runner: Worker) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("started")
    runner.run(stop)
    log.info("stopped")


@contextmanager
def _logging() -> Iterator[None]:
    """To the error stream, a line for each thing done: counts, never who."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    levels = {"lifecycle.worker": logging.INFO, "apscheduler": logging.WARNING}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in levels:
            logging.getLogger(name).removeHandler(handler)


def _duties(engine: Engine) -> list[Duty]:
    from lifecycle.engine.vouched import Vouched  # noqa: PLC0415
    from lifecycle.schedule.worker import (  # noqa: PLC0415
        DRAIN_EVERY,
        PUBLISH_EVERY,
        SWEEP_EVERY,
        VOUCH_EVERY,
        Duty,
    )

    vouched = Vouched(engine.log)

    def sweep_now() -> None:
        resumed, swept = engine.resume(), engine.sweep()
        done = {**asdict(swept), "resumed": resumed}
        if any(done.values()):
            log.info("duty=sweep %s", " ".join(f"{name}={count}" for name, count in done.items()))

    def end_epoch() -> None:
        if engine.ending.is_due(engine.clock.now()):
            ended = engine.rotate()
            log.info("duty=epoch ended=%d finalised=%d people=%d", ended.epoch, ended.finalised, ended.people)

    def forget() -> None:
        engine.forget_old_commands()

    def publish() -> None:
        if engine.log.may_sign:  # of several workers only those beside the log's key
            engine.publish()

    def witness() -> None:
        asked = vouched.by_witnesses(engine.clock.now())
        if asked is not None:
            counts = (asked.size, len(asked.cosigned), len(asked.silent))
            log.info("duty=witness size=%d cosigned=%d silent=%d", *counts)

    def timestamp() -> None:
        stamped = vouched.by_an_authority(engine.clock.now())
        if stamped is not None:
            log.info("duty=timestamp at=%s", stamped.at.isoformat())

    return [
        Duty("drain", DRAIN_EVERY, lambda: None if engine.react() else engine.drain()),
        Duty("publish", PUBLISH_EVERY, publish),
        Duty("sweep", SWEEP_EVERY, sweep_now),
        Duty("epoch", timedelta(minutes=10), end_epoch),
        Duty("forget", timedelta(hours=6), forget),
        Duty("witness", VOUCH_EVERY, witness, waits=True),
        Duty("timestamp", VOUCH_EVERY, timestamp, waits=True),
    ]
