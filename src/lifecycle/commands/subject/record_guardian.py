"""Record who answers for a person under age."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said, SubjectCommand, SubjectRef
from lifecycle.commands.subject.naming import canonical
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import identity


class RecordGuardian(SubjectCommand):
    command: Literal["record-guardian"] = "record-guardian"
    guardian: SubjectRef
    evidence: Said


def record_guardian(command: RecordGuardian, person: PersonContext) -> Decision:
    named = canonical(command.guardian)
    return identity.record_guardian(
        person.subject,
        person.asked,
        guardian=person.reference("guardian", named),
        reference=named,
        evidence=command.evidence,
    )
