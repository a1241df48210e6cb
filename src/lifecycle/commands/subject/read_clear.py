"""Read clear values for a purpose. Not a document of the doors: the engine asks it before it opens anything."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import reading


class ReadClear(SubjectCommand):
    command: Literal["read-clear"] = "read-clear"
    purpose: Name


def read_clear(command: ReadClear, person: PersonContext) -> Decision:
    return reading.read_clear(person.subject, person.asked, role=command.actor.role, purpose=command.purpose)
