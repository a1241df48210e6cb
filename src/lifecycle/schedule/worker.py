"""The worker: an in-memory tick that asks what is due. What must not be forgotten is in the store, never in here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lifecycle.schedule.leader import Leader

SWEEP_EVERY = timedelta(seconds=60)
DRAIN_EVERY = timedelta(seconds=1)
PUBLISH_EVERY = timedelta(seconds=5)
VOUCH_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done again and again by one worker at a time; it must be harmless to repeat. What `waits` for
    others, who may never answer, holds up no other duty."""

    name: str
    every: timedelta
    act: Callable[[], None]
    waits: bool = False


class Worker:
    """Ticks each duty at its interval while this process leads. A late tick runs once, not once for each miss."""

    def __init__(self, leader: Leader, duties: list[Duty], failed: Callable[[str, Exception], None]) -> None:
        self._leader = leader
        self._duties = duties
        self._failed = failed
        self._one_at_a_time = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; a tick under way is finished first."""
        # Loading APScheduler takes a while, and only the worker needs it.
        from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for duty in self._duties:
            at_once = {"next_run_time": datetime.now(UTC)} if duty.waits else {}
            seconds = duty.every.total_seconds()
            scheduler.add_job(self.tick, "interval", args=[duty], seconds=seconds, id=duty.name, **at_once)
        for duty in self._duties:
            if not duty.waits:
                self.tick(duty)
        scheduler.start()
        try:
            stop.wait()
        finally:
            scheduler.shutdown(wait=True)

    def tick_all(self) -> None:
        for duty in self._duties:
            self.tick(duty)

    def tick(self, duty: Duty) -> None:
        """A failing duty is reported and tried again at its next tick; it never ends the worker."""
        try:
            with self._one_at_a_time:
                leads = self._leader.leads()
                if leads and not duty.waits:
                    duty.act()
            if leads and duty.waits:
                duty.act()
        except Exception as error:  # noqa: BLE001 -- whatever it is, tomorrow's deadlines must still be met
            self._failed(duty.name, error)
