"""Tell a recipient by hand what to do with its copies."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import instructing
from lifecycle.domain.subject.duty_events import Act


class Instruct(SubjectCommand):
    """About `holdings`, or about all that it was given and still has. Policy clauses 3.1a, 7.2 and 7.3."""

    command: Literal["instruct"] = "instruct"
    recipient: Name
    duty: Act
    holdings: tuple[Name, ...] = ()


def instruct(command: Instruct, person: PersonContext) -> Decision:
    return instructing.instruct(
        person.subject,
        person.asked,
        recipient=command.recipient,
        duty=command.duty,
        holdings=command.holdings,
        new=person.new_instruction,
    )
