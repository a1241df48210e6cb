"""Record that holdings were given to a trustee."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import sharing


class Share(SubjectCommand):
    """By `categories`, or by `holdings`. Policy clause 3.1a."""

    command: Literal["share"] = "share"
    trustee: Name
    purpose: Name
    categories: tuple[Name, ...] = ()
    holdings: tuple[Name, ...] = ()
    method: Name

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.categories) == bool(self.holdings):
            raise ValueError("give either `categories` or `holdings`")
        return self


def share(command: Share, person: PersonContext) -> Decision:
    return sharing.share(
        person.subject,
        person.asked,
        trustee=person.trustee(command.trustee),
        purpose=command.purpose,
        categories=command.categories,
        holdings=command.holdings,
        method=command.method,
    )
