"""Ask for deletion on one of the grounds of clause 7.3."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import ending
from lifecycle.policy.vocabulary import ErasureGround


class Erase(SubjectCommand):
    """Without `categories` and `purposes` it is about everything that the ground allows. Policy clause 7.3."""

    command: Literal["erase"] = "erase"
    ground: ErasureGround
    categories: tuple[Name, ...] = ()
    purposes: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _purposes_are_named(self) -> Self:
        if self.ground is ErasureGround.PURPOSE_OVER and not self.purposes:
            raise ValueError("ground 7.3a needs `purposes`: which are achieved or no longer necessary")
        return self


def erase(command: Erase, person: PersonContext) -> Decision:
    return ending.erase(
        person.subject,
        person.asked,
        ground=command.ground,
        categories=command.categories,
        purposes=command.purposes,
    )
