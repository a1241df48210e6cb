"""A recipient says that it will not do what it was told, and why."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.answers import AnswerCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import instructing
from lifecycle.domain.subject.duty_events import Why


class Decline(AnswerCommand):
    """`because` is one of a few words; `reason` says it in the recipient's own, and is sealed as `evidence` is."""

    command: Literal["decline"] = "decline"
    because: Why
    reason: Said | None = None


def decline(command: Decline, person: PersonContext) -> Decision:
    return instructing.decline(
        person.subject, person.asked, answer=command.answer, because=command.because, reason=command.reason
    )
