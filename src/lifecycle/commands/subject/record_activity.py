"""Record that a person used the service for a purpose; moves retention that counts from last activity."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import collecting


class RecordActivity(SubjectCommand):
    command: Literal["record-activity"] = "record-activity"
    purpose: Name


def record_activity(command: RecordActivity, person: PersonContext) -> Decision:
    return collecting.record_activity(person.subject, person.asked, purpose=command.purpose)
