"""Let the clock rest while the person has something to do."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import requesting
from lifecycle.policy.vocabulary import PauseReason


class PauseRequest(RequestCommand):
    command: Literal["pause-request"] = "pause-request"
    because: PauseReason = PauseReason.IDENTITY
    reason: Said


def pause_request(command: PauseRequest, person: PersonContext) -> Decision:
    return requesting.pause_request(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        because=command.because,
        reason=command.reason,
    )
