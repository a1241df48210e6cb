"""Open what is stored only. Not a document of the doors: the engine asks it before it opens anything."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.commands.subject.requests import RequestName, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import custody


class OpenCustody(SubjectCommand):
    """By `categories` or `holdings`, or all that the `hold` or the `law` keeps. What is disputed and kept by neither is
    opened for a `request` of the person's."""

    command: Literal["open-custody"] = "open-custody"
    hold: Said | None = None
    law: Said | None = None
    request: RequestName | None = None
    categories: tuple[Name, ...] = ()
    holdings: tuple[Name, ...] = ()
    reason: Said

    @model_validator(mode="after")
    def _one_title(self) -> Self:
        if sum(said is not None for said in (self.hold, self.law, self.request)) > 1:
            raise ValueError("give one of `hold`, `law` and `request`")
        if self.categories and self.holdings:
            raise ValueError("give either `categories` or `holdings`")
        return self


def open_custody(command: OpenCustody, person: PersonContext) -> Decision:
    title = custody.Title(
        hold=person.reference("hold", command.hold) if command.hold is not None else None,
        law=command.law,
        law_reference=person.reference("law", command.law) if command.law is not None else None,
        request=id_of(person, command.request) if command.request is not None else None,
    )
    return custody.open_custody(
        person.subject,
        person.asked,
        role=command.actor.role,
        title=title,
        categories=command.categories,
        holdings=command.holdings,
        reason=command.reason,
    )
