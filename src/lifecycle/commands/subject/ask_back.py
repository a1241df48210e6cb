"""What the engine asks itself when an agreement is over: to have returned what one person's record says was given."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import instructing


class AskBack(SubjectCommand):
    """No document can ask this. Asked again it changes nothing."""

    command: Literal["ask-back"] = "ask-back"
    recipient: Name
    agreement: Name


def ask_back(command: AskBack, person: PersonContext) -> Decision:
    return instructing.ask_back(
        person.subject,
        person.asked,
        recipient=command.recipient,
        agreement=command.agreement,
        new=person.new_instruction,
    )
