"""Lift a restriction that somebody asked for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import restricting


class LiftRestriction(SubjectCommand):
    command: Literal["lift-restriction"] = "lift-restriction"
    categories: tuple[Name, ...] = ()
    holdings: tuple[Name, ...] = ()
    reason: Said

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.categories) == bool(self.holdings):
            raise ValueError("give either `categories` or `holdings`")
        return self


def lift_restriction(command: LiftRestriction, person: PersonContext) -> Decision:
    return restricting.lift_restriction(
        person.subject,
        person.asked,
        categories=command.categories,
        holdings=command.holdings,
        reason=command.reason,
    )
