"""Pass a complaint on to the authority of the person's region."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import answering


class EscalateComplaint(RequestCommand):
    command: Literal["escalate-complaint"] = "escalate-complaint"
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    reason: Said | None = None


def escalate_complaint(command: EscalateComplaint, person: PersonContext) -> Decision:
    return answering.escalate_complaint(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        region=command.region,
        reason=command.reason,
    )
