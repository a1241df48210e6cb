"""Record that whoever asked does so no longer."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import answering


class WithdrawRequest(RequestCommand):
    command: Literal["withdraw-request"] = "withdraw-request"
    reason: Said | None = None


def withdraw_request(command: WithdrawRequest, person: PersonContext) -> Decision:
    return answering.withdraw_request(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        reason=command.reason,
    )
