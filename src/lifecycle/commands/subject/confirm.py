"""A recipient confirms that it has done what it was told."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.answers import AnswerCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import instructing


class Confirm(AnswerCommand):
    """`evidence` is sealed with the person's record; of somebody erased it is not kept."""

    command: Literal["confirm"] = "confirm"
    evidence: Said | None = None


def confirm(command: Confirm, person: PersonContext) -> Decision:
    return instructing.confirm(person.subject, person.asked, answer=command.answer, evidence=command.evidence)
