"""Issue a token for an access package. Not a document of the doors: the engine makes the token and asks this."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import packaging

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class IssueAccessToken(RequestCommand):
    command: Literal["issue-access-token"] = "issue-access-token"
    token: Sha256


def issue_access_token(command: IssueAccessToken, person: PersonContext) -> Decision:
    return packaging.issue_access_token(
        person.subject,
        person.asked,
        role=command.actor.role,
        request=id_of(person, command.request),
        token=command.token,
    )
