"""Record that a request was answered as asked."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import answering


class FulfilRequest(RequestCommand):
    """`otherwise` says how access or a copy was given, if not by an access package."""

    command: Literal["fulfil-request"] = "fulfil-request"
    note: Said | None = None
    otherwise: Said | None = None


def fulfil_request(command: FulfilRequest, person: PersonContext) -> Decision:
    return answering.fulfil_request(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        note=command.note,
        otherwise=command.otherwise,
    )
