"""The worker: an in-memory tick that asks what is due. What must not be forgotten is in the store, never in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta

from lifecycle.errors import NeedsAnother
from lifecycle.schedule.leader import Leader

SWEEP_EVERY = timedelta(seconds=60)
DRAIN_EVERY = timedelta(seconds=1)
PUBLISH_EVERY = timedelta(seconds=5)
STANDS_BACK = 5.0  # seconds: long enough for the next tick of whoever stands by


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done again and again by one worker at a time; it must be harmless to repeat."""

    name: str
    every: timedelta
    act: Callable[[], None]


class Worker:
    """Ticks each duty at its interval while this process leads. A late tick runs once, not once for each miss."""

    def __init__(self, leader: Leader, duties: list[Duty], failed: Callable[[str, Exception], None]) -> None:
        self._leader = leader
        self._duties = duties
        self._failed = failed
        self._one_at_a_time = threading.Lock()
        self._back_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; a tick under way is finished first."""
        # Loading APScheduler takes a while, and only the worker needs it.
        from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for duty in self._duties:
            scheduler.add_job(self.tick, "interval", args=[duty], seconds=duty.every.total_seconds(), id=duty.name)
        self.tick_all()
        scheduler.start()
        try:
            stop.wait()
        finally:
            scheduler.shutdown(wait=True)

    def tick_all(self) -> None:
        for duty in self._duties:
            self.tick(duty)

    def tick(self, duty: Duty) -> None:
        """A failing duty is reported and tried again at its next tick; it never ends the worker. One that lacks what
        another worker may have lets that one lead."""
        with self._one_at_a_time:
            try:
                if time.monotonic() >= self._back_at and self._leader.leads():
                    duty.act()
            except NeedsAnother as error:
                self._failed(duty.name, error)
                self._leader.step_down()
                self._back_at = time.monotonic() + STANDS_BACK
            except Exception as error:  # noqa: BLE001 -- whatever it is, tomorrow's deadlines must still be met
                self._failed(duty.name, error)
