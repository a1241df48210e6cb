"""The worker: an in-memory tick that asks what is due. What must not be forgotten is in the store, never in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lifecycle.errors import NeedsAnother
from lifecycle.schedule.leader import Leader

SWEEP_EVERY = timedelta(seconds=60)
DRAIN_EVERY = timedelta(seconds=1)
PUBLISH_EVERY = timedelta(seconds=5)
PAUSE = 0.25  # seconds between two looks at whether this worker still leads
AFTER_A_FAILURE = 1.0  # seconds
STANDS_BACK = 5.0  # seconds: long enough for the next look of whoever stands by
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
        self._is_leading = False
        self._back_at = 0.0
        self._not_before: dict[str, float] = {}  # when a duty that lacked something is tried again

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
            scheduler.add_job(self._turn, "interval", args=[duty], seconds=seconds, id=duty.name, **at_once)
        self._tick_own()
        scheduler.start()
        standing_by = threading.Thread(target=self._stand_by, args=[stop], name="stand by", daemon=True)
        standing_by.start()
        try:
            stop.wait()
        finally:
            scheduler.shutdown(wait=True)
            standing_by.join()

    def _turn(self, duty: Duty) -> None:
        """Of whoever stands by no duty has a turn: it waits for the lead, and asks for nothing else."""
        if self._is_leading:
            self.tick(duty)

    def _stand_by(self, stop: threading.Event) -> None:
        """Wait for the lead. Whoever takes over does everything at once, not only when its turn comes."""
        while not stop.is_set():
            try:
                if self._is_leading or time.monotonic() < self._back_at:
                    stop.wait(PAUSE)
                elif self._leader.await_vacancy() and not stop.is_set():
                    self._tick_own()
                    stop.wait(0 if self._is_leading else PAUSE)
            except Exception as error:  # noqa: BLE001 -- whatever it is, somebody has to lead again
                self._failed("stand by", error)
                stop.wait(AFTER_A_FAILURE)

    def tick_all(self) -> None:
        """Each once; what waits for others comes last."""
        for duty in sorted(self._duties, key=lambda duty: duty.waits):
            self.tick(duty)

    def _tick_own(self) -> None:
        """What waits for others has a thread of its own at its interval."""
        for duty in self._duties:
            if not duty.waits:
                self.tick(duty)

    def tick(self, duty: Duty) -> None:
        """A failing duty is reported and tried again at its next tick; it never ends the worker. One that lacks what
        another worker may have lets that one lead."""
        try:
            with self._one_at_a_time:
                if time.monotonic() < self._not_before.get(duty.name, 0.0):
                    return
                leads = self._is_leading = self._may_lead()
                if leads and not duty.waits:
                    self._act(duty)
            if leads and duty.waits:
                self._act(duty)
        except NeedsAnother as error:
            self._failed(duty.name, error)
            with self._one_at_a_time:
                self._let_another_lead(duty)
        except Exception as error:  # noqa: BLE001 -- whatever it is, tomorrow's deadlines must still be met
            self._failed(duty.name, error)

    def _act(self, duty: Duty) -> None:
        with self._leader.acting():
            duty.act()

    def _may_lead(self) -> bool:
        return time.monotonic() >= self._back_at and self._leader.leads()

    def _let_another_lead(self, duty: Duty) -> None:
        """For a moment; if nobody takes over, all other duties go on here, and this one at its own interval."""
        self._leader.step_down()
        self._is_leading = False
        now = time.monotonic()
        self._back_at = now + STANDS_BACK
        self._not_before[duty.name] = now + max(STANDS_BACK, 0.9 * duty.every.total_seconds())
