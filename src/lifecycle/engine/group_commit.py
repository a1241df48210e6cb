"""Group commit: commands that come at the same moment share one transaction; each caller waits until it is durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from lifecycle.commands.outcome import Outcome
from lifecycle.engine.asking import Question


@dataclass(slots=True, eq=False)
class _Ticket:
    question: Question = field(repr=False)
    outcome: Outcome | None = None
    error: Exception | None = None


class GroupCommit:
    """Whoever comes first leads: it takes along all that wait by then. There is no thread and no delay of its own."""

    def __init__(self, together: Callable[[Sequence[Question]], list[Outcome]], at_most: int) -> None:
        self._together = together
        self._at_most = at_most
        self._waiting: list[_Ticket] = []
        self._list = Lock()
        self._leading = Lock()

    def submit(self, question: Question) -> Outcome:
        ticket = _Ticket(question)
        with self._list:
            self._waiting.append(ticket)
        with self._leading:
            while ticket.outcome is None and ticket.error is None:
                self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outcome is not None
        return ticket.outcome

    def _lead(self, own: _Ticket) -> None:
        with self._list:
            batch, self._waiting = self._waiting[: self._at_most], self._waiting[self._at_most :]
        try:
            self._answer(batch)
        except BaseException:  # this thread is being interrupted: the others' commands are for the next to take along
            with self._list:
                left = [each for each in batch if each is not own and each.outcome is None and each.error is None]
                self._waiting = [*left, *self._waiting]
            raise

    def _answer(self, batch: Sequence[_Ticket]) -> None:
        try:
            outcomes = self._together([ticket.question for ticket in batch])
        except Exception as error:  # noqa: BLE001 -- it is raised again, in the thread of the command's own caller
            if len(batch) == 1:
                batch[0].error = error
                return
            self._one_by_one(batch)
            return
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome

    def _one_by_one(self, batch: Sequence[_Ticket]) -> None:
        """One command's failure must not be its neighbours'. What was committed answers as before, by its id."""
        for ticket in batch:
            try:
                (ticket.outcome,) = self._together([ticket.question])
            except Exception as error:  # noqa: BLE001 -- as above
                ticket.error = error
