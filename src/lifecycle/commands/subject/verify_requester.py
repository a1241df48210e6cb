"""Record that whoever asks has proven who they are."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import requesting


class VerifyRequester(RequestCommand):
    """`evidence` says how; who asks for another shows by what `authority` too."""

    command: Literal["verify-requester"] = "verify-requester"
    evidence: Said
    authority: Said | None = None


def verify_requester(command: VerifyRequester, person: PersonContext) -> Decision:
    return requesting.verify_requester(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        evidence=command.evidence,
        authority=command.authority,
    )
