"""When a recipient is instructed: deliver the instruction, if the engine was opened with an outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from lifecycle.domain.event import Recorded
from lifecycle.domain.subject.duty_events import RecipientInstructed
from lifecycle.outbox.delivery import Delivery, Letter
from lifecycle.processes.reacting import Asked
from lifecycle.projections.duties import Told, told

TokenOf = Callable[[str], str]


class DeliverInstructions:
    """It asks nothing of the engine. Instructions wait while there is no outbox; the first that is opened takes all
    that are open still."""

    name = "deliver-instructions"
    kinds = frozenset({RecipientInstructed.kind})

    def __init__(self, delivery: Delivery, token_of: TokenOf) -> None:
        self._delivery = delivery
        self._token_of = token_of

    def commands(self, c: Connection, happened: Recorded) -> Iterable[Asked]:
        event = happened.event
        assert isinstance(event, RecipientInstructed), "this is its kind"
        duty = told(c, event.instruction)
        if duty is not None and duty.is_open:
            self._delivery.deliver(letter_of(duty, self._token_of(event.instruction)))
        return ()


def letter_of(duty: Told, token: str) -> Letter:
    return Letter(
        duty.instruction,
        duty.recipient,
        duty.subject_id,
        duty.duty,
        tuple(duty.holdings),
        tuple(duty.purposes),
        duty.agreement,
        duty.because,
        duty.since,
        duty.due,
        token,
    )
