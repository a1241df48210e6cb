"""Group commit: commands that come at the same moment share one transaction; each caller waits until it is durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition

from lifecycle.commands.outcome import Outcome
from lifecycle.engine.asking import Question
from lifecycle.storage.failures import Unavailable


@dataclass(slots=True, eq=False)
class _Ticket:
    question: Question = field(repr=False)
    outcome: Outcome | None = None
    error: Exception | None = None

    @property
    def is_answered(self) -> bool:
        return self.outcome is not None or self.error is not None


class GroupCommit:
    """Whoever finds nobody leading leads: it takes along all that wait by then. There is no thread and no delay of its
    own.

    Those who were answered go their way at once, also while the next one leads. If they had to wait for their turn to
    find out, a caller that comes back quickly would commit alone again and again, and the batches would fall apart.
    """

    def __init__(self, together: Callable[[Sequence[Question]], list[Outcome]], at_most: int) -> None:
        self._together = together
        self._at_most = at_most
        self._waiting: list[_Ticket] = []
        self._is_led = False
        self._turn = Condition()

    def submit(self, question: Question) -> Outcome:
        ticket = _Ticket(question)
        with self._turn:
            self._waiting.append(ticket)
        while batch := self._batch_to_lead(ticket):
            self._lead(batch, ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcome is not None
        return ticket.outcome

    def _batch_to_lead(self, own: _Ticket) -> list[_Ticket]:
        """Wait until the own command is answered, or until nobody leads: then these are to be answered next."""
        with self._turn:
            try:
                self._turn.wait_for(lambda: own.is_answered or not self._is_led)
            except BaseException:  # interrupted before anybody took it along: it is not carried out
                if own in self._waiting:
                    self._waiting.remove(own)
                raise
            if own.is_answered:
                return []
            batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
            self._is_led = True
            return batch

    def _lead(self, batch: Sequence[_Ticket], own: _Ticket) -> None:
        try:
            self._answer(batch)
        finally:  # when this thread is being interrupted, the others' commands are for the next to take along
            with self._turn:
                left = [each for each in batch if each is not own and not each.is_answered]
                self._waiting = [*left, *self._waiting]
                self._is_led = False
                self._turn.notify_all()

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
