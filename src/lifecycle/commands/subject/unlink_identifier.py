"""Take an identifier from a person; its entry in the blind index is destroyed."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.subject.link_identifier import IdentifierCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import identity


class UnlinkIdentifier(IdentifierCommand):
    command: Literal["unlink-identifier"] = "unlink-identifier"


def unlink_identifier(command: UnlinkIdentifier, person: PersonContext) -> Decision:
    found = person.find(*command.normalised())
    own = found.identifier if found is not None and found.is_own else None
    return identity.unlink_identifier(person.subject, person.asked, identifier=own)
