"""Let the clock of a request go on."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import requesting


class ResumeRequest(RequestCommand):
    command: Literal["resume-request"] = "resume-request"
    reason: Said | None = None


def resume_request(command: ResumeRequest, person: PersonContext) -> Decision:
    return requesting.resume_request(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        reason=command.reason,
    )
