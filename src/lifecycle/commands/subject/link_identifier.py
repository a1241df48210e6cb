"""Let a person be found by one more identifier."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import SubjectCommand, SubjectRef
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import identity
from lifecycle.policy.values import normalise_identifier
from lifecycle.policy.vocabulary import IdentifierType


class IdentifierCommand(SubjectCommand):
    identifier: SubjectRef

    @model_validator(mode="after")
    def _not_our_id(self) -> Self:
        if self.identifier.identifier is None:
            raise ValueError("identifier: give an email, a phone or a ref")
        return self

    def normalised(self) -> tuple[IdentifierType, str]:
        named = self.identifier.identifier
        assert named is not None
        type, value = named
        return type, normalise_identifier(type, value)

    def also_named(self) -> tuple[tuple[IdentifierType, str]]:
        return (self.normalised(),)


class LinkIdentifier(IdentifierCommand):
    command: Literal["link-identifier"] = "link-identifier"


def link_identifier(command: LinkIdentifier, person: PersonContext) -> Decision:
    type, value = command.normalised()
    found = person.find(type, value)
    return identity.link_identifier(
        person.subject,
        person.asked,
        identifier=found.identifier if found else person.link(type, value),
        type=type,
        is_own=found is not None and found.is_own,
        is_taken=found is not None and not found.is_own,
    )
