"""Refuse a request, with the reason and where to complain."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import answering


class RefuseRequest(RequestCommand):
    command: Literal["refuse-request"] = "refuse-request"
    reason: Said


def refuse_request(command: RefuseRequest, person: PersonContext) -> Decision:
    return answering.refuse_request(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        reason=command.reason,
    )
