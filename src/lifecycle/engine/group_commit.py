"""Group commit: commands that come at the same moment share one transaction; each caller waits until it is durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from lifecycle.commands.outcome import Outcome
from lifecycle.engine.asking import Question
from lifecycle.engine.ever_rarer import EverRarer
from lifecycle.storage.failures import Unavailable

EACH = 0.0003  # seconds that are waited for one who was answered just now
ALL = 0.01  # and for however many


@dataclass(slots=True, eq=False)
class _Ticket:
    question: Question = field(repr=False)
    outcome: Outcome | None = None
    error: Exception | None = None
    leads: bool = False
    woken: Lock = field(default_factory=Lock, repr=False)  # let go once: when it leads, or when it is answered

    def __post_init__(self) -> None:
        self.woken.acquire()

    @property
    def is_answered(self) -> bool:
        return self.outcome is not None or self.error is not None


class GroupCommit:
    """Whoever finds nobody leading leads: it takes along all that wait by then. There is no thread of its own.

    The lead is handed on to the first who waits, before those who were answered go their way: nobody is woken who has
    to wait on. Threads that ask one command after the other are back in a moment, and one batch of all of them costs
    less than two by turns: so the leader waits that moment, unless such waiting has been in vain of late.
    """

    def __init__(self, together: Callable[[Sequence[Question]], list[Outcome]], at_most: int) -> None:
        self._together = together
        self._at_most = at_most
        self._waiting: list[_Ticket] = []
        self._is_led = False
        self._expected = 0  # so many wait when all who were answered last are back
        self._are_back: Lock | None = None  # let go then, while somebody waits for it
        self._waiting_for_them = EverRarer()
        self._lock = Lock()

    def submit(self, question: Question) -> Outcome:
        ticket = _Ticket(question)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads, self._is_led = not self._is_led, True
            if self._are_back is not None and len(self._waiting) >= self._expected:
                self._are_back.release()
                self._are_back = None
        if not ticket.leads:
            self._wait(ticket, ticket.woken.acquire)
        if ticket.leads:
            self._gather(ticket)
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcome is not None
        return ticket.outcome

    def _wait(self, own: _Ticket, until: Callable[[], bool]) -> None:
        """While the own command is among those that wait: until it is answered, or the first of those to be answered
        next, or all are back."""
        try:
            until()
        except BaseException as error:  # interrupted; if nobody took it along, it is not carried out
            with self._lock:
                own.error = InterruptedError(type(error).__name__)  # the lead is handed to nobody who has left
                if own in self._waiting:
                    self._waiting.remove(own)
                if own.leads:
                    self._hand_on()
            raise

    def _gather(self, own: _Ticket) -> None:
        with self._lock:
            missing = self._expected - len(self._waiting)
            if missing <= 0 or not self._waiting_for_them.is_due():
                return
            self._are_back = are_back = Lock()
            are_back.acquire()
        self._wait(own, partial(are_back.acquire, timeout=min(EACH * missing, ALL)))
        with self._lock:
            self._are_back = None
            if len(self._waiting) >= self._expected:
                self._waiting_for_them.was_right()
            else:
                self._waiting_for_them.was_in_vain()

    def _lead(self, own: _Ticket) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
        try:
            self._answer(batch)
        finally:  # when this thread is being interrupted, the others' commands are for the next to take along
            others = [each for each in batch if each is not own]
            with self._lock:
                self._waiting = [*(each for each in others if not each.is_answered), *self._waiting]
                self._expected = len(batch) + len(self._waiting)
                self._hand_on()
            for each in others:
                if each.is_answered:
                    each.woken.release()

    def _hand_on(self) -> None:
        self._is_led = bool(self._waiting)
        if self._is_led:
            self._waiting[0].leads = True
            self._waiting[0].woken.release()

    def _answer(self, batch: Sequence[_Ticket]) -> None:
        try:
            outcomes = self._together([ticket.question for ticket in batch])
        except Unavailable as error:  # the store itself, not a command: it would fail them one after the other
            for ticket in batch:
                ticket.error = error
        except Exception as error:  # noqa: BLE001 -- it is raised again, in the thread of the command's own caller
            if len(batch) == 1:
                batch[0].error = error
                return
            self._one_by_one(batch)
        else:
            for ticket, outcome in zip(batch, outcomes, strict=True):
                ticket.outcome = outcome

    def _one_by_one(self, batch: Sequence[_Ticket]) -> None:
        """One command's failure must not be its neighbours'. What was committed answers as before, by its id."""
        for ticket in batch:
            self._answer([ticket])
