"""Restrict holdings to storage only."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Instant, Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import restricting


class Restrict(SubjectCommand):
    """By `categories`, or by `holdings`; `law` prolongs life beyond the grounds (settled rule 24)."""

    command: Literal["restrict"] = "restrict"
    categories: tuple[Name, ...] = ()
    holdings: tuple[Name, ...] = ()
    reason: Said
    until: Instant | None = None
    law: Said | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.categories) == bool(self.holdings):
            raise ValueError("give either `categories` or `holdings`")
        return self


def restrict(command: Restrict, person: PersonContext) -> Decision:
    return restricting.restrict(
        person.subject,
        person.asked,
        categories=command.categories,
        holdings=command.holdings,
        reason=command.reason,
        until=command.until,
        law=command.law,
        law_reference=person.reference("law", command.law) if command.law is not None else None,
    )
