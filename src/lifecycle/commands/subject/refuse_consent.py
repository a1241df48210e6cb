"""Record that a person refused consent to purposes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import consent


class RefuseConsent(SubjectCommand):
    """With `technologies` the no is to these for the purposes, and to nothing else. Policy clause 2."""

    command: Literal["refuse-consent"] = "refuse-consent"
    purposes: tuple[Name, ...] = Field(min_length=1)
    technologies: tuple[Name, ...] = ()
    notice: Name
    channel: Name


def refuse_consent(command: RefuseConsent, person: PersonContext) -> Decision:
    return consent.refuse_consent(
        person.subject,
        person.asked,
        purposes=command.purposes,
        technologies=command.technologies,
        notice=command.notice,
        channel=command.channel,
    )
