"""Record a person's date of birth, so that the young are recognised."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import collecting
from lifecycle.domain.subject.wording import possible_birth_date


def _a_day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("should be a calendar day such as 2012-05-17") from None


class RecordBirthDate(SubjectCommand):
    command: Literal["record-birth-date"] = "record-birth-date"
    birth_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_a_day)]
    evidence: Said | None = None


def record_birth_date(command: RecordBirthDate, person: PersonContext) -> Decision:
    policy = person.asked.policy
    if policy.minors is not None:
        possible_birth_date(policy, policy.minors.birth_date_category, command.birth_date, person.asked.now)
    held = person.subject.birth_date
    known = person.values_of([held])[held] if held is not None else None
    return collecting.record_birth_date(
        person.subject,
        person.asked,
        birth_date=command.birth_date,
        new_id=person.new_id(),
        known=known if isinstance(known, str) else None,
        evidence=command.evidence,
    )
