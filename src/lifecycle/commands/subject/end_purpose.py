"""Say that a purpose is over for a person."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import ending
from lifecycle.policy.vocabulary import EndReason


class EndPurpose(SubjectCommand):
    command: Literal["end-purpose"] = "end-purpose"
    purpose: Name
    reason: EndReason


def end_purpose(command: EndPurpose, person: PersonContext) -> Decision:
    return ending.end_purpose(person.subject, person.asked, purpose=command.purpose, reason=command.reason)
