"""Who may tick: one worker at a time, by a lease with a number that fences whatever it writes."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection

from lifecycle.errors import StoreUnavailable
from lifecycle.schedule.presence import Presence, presence_in
from lifecycle.storage import leases
from lifecycle.storage.database import Database
from lifecycle.storage.failures import WroteFirst
from lifecycle.storage.leases import LeadLost, Term

DUTY = "worker"
LEASE = timedelta(seconds=30)  # how long one that is asleep keeps the lead; one that is dead loses it at once
RENEWALS = 3  # in the time of a lease


class Leader(Protocol):
    """A worker's claim to the lead."""

    def leads(self) -> bool:
        """Whether this worker may act now; asked before every tick. It takes the lead where nobody has it."""
        ...

    def await_vacancy(self) -> bool:
        """Wait a while for the lead to be free, while another has it; whether it is."""
        ...

    def acting(self) -> AbstractContextManager[None]:
        """What this thread writes in here is written as the leader, or refused with LeadLost."""
        ...

    def step_down(self) -> None: ...


class LeaseLeader:
    """A row with a number and an end, and a lock that dies with the process. Serves all threads of a worker."""

    def __init__(self, database: Database, lasts: timedelta = LEASE) -> None:
        self._database = database
        self._lasts = lasts
        self._name = secrets.token_hex(8)
        self._presence: Presence = presence_in(database)
        self._term: Term | None = None
        self._renewed = 0.0
        self._is_vacant = False  # as it was seen last; whoever takes the lead looks again in the same transaction
        self._one_at_a_time = threading.Lock()

    @property
    def term(self) -> Term | None:
        """The term that this worker began last, unless it knows that it is over."""
        return self._term

    def leads(self) -> bool:
        with self._one_at_a_time:
            if self._term is not None and self._goes_on(self._term):
                return True
            self._forget()
            self._term = self._take()
            return self._term is not None

    def await_vacancy(self) -> bool:
        with self._database.read() as c:
            now = leases.standing(c, DUTY)
        self._is_vacant = now is None or now.is_over(self._lasts) or self._presence.await_end(now.number)
        return self._is_vacant

    @contextmanager
    def acting(self) -> Iterator[None]:
        term, is_over = self._term, threading.Event()
        if term is None:
            raise LeadLost("This worker does not lead.")
        heart = threading.Thread(target=self._beat, args=[term, is_over], name="heartbeat", daemon=True)
        heart.start()
        try:
            with self._database.fenced(term.hold):
                yield
        finally:
            is_over.set()
            heart.join()

    def step_down(self) -> None:
        with self._one_at_a_time:
            term = self._term
            self._forget()
            if term is not None:
                with suppress(StoreUnavailable), self._database.write("sequencer") as c:
                    leases.give_back(c, term)

    def close(self) -> None:
        self.step_down()
        self._presence.close()

    def _goes_on(self, term: Term) -> bool:
        with self._database.read() as c:
            now = leases.standing(c, DUTY)
        if now is None or now.holder != term.holder or self._presence.is_lost():
            return False
        return time.monotonic() < self._renewed + self._lasts.total_seconds() / RENEWALS or self._renew(term)

    def _renew(self, term: Term) -> bool:
        began = time.monotonic()
        with self._database.write("sequencer") as c:
            is_mine = leases.renew(c, term, self._lasts)
        self._renewed = began
        return is_mine

    def _take(self) -> Term | None:
        if not self._is_vacant and self._is_held():
            return None
        self._is_vacant = False  # seen once, taken or lost once
        began = time.monotonic()
        try:
            with self._database.write("sequencer") as c:
                term = self._begin(c)
        except WroteFirst:  # somebody else began, where nobody ever had
            term = None
        if term is None:
            self._presence.end()
        self._renewed = began
        return term

    def _is_held(self) -> bool:
        with self._database.read() as c:
            now = leases.standing(c, DUTY)
            return now is not None and not now.is_over(self._lasts) and not self._presence.is_gone(c, now.number)

    def _begin(self, c: Connection) -> Term | None:
        term = leases.take(c, DUTY, self._name, self._lasts, self._presence.is_gone)
        if term is not None:
            self._presence.begin(term.number)  # before anybody can see the number
        return term

    def _forget(self) -> None:
        self._term = None
        self._presence.end()

    def _beat(self, term: Term, is_over: threading.Event) -> None:
        """Renew the lease during a long duty. When it cannot be, the fence knows."""
        while not is_over.wait(self._lasts.total_seconds() / RENEWALS):
            with suppress(StoreUnavailable):
                if not self._renew(term):
                    return


@contextmanager
def leader_of(database: Database, lasts: timedelta = LEASE) -> Iterator[LeaseLeader]:
    leader = LeaseLeader(database, lasts)
    try:
        yield leader
    finally:
        leader.close()
