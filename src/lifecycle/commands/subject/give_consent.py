"""Record that a person consented to purposes, having been shown a notice."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand, SubjectRef
from lifecycle.commands.subject.naming import canonical
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import consent


class GiveConsent(SubjectCommand):
    """`notice` is the policy version that was shown; `guardian` gave the consent for a person under age.

    With `technologies` the consent is to these for the purposes, and to nothing else. Policy clause 2.
    """

    command: Literal["give-consent"] = "give-consent"
    purposes: tuple[Name, ...] = Field(min_length=1)
    technologies: tuple[Name, ...] = ()
    notice: Name
    channel: Name
    separate: bool = Field(default=False, strict=True)
    guardian: SubjectRef | None = None


def give_consent(command: GiveConsent, person: PersonContext) -> Decision:
    guardian = canonical(command.guardian) if command.guardian else None
    return consent.give_consent(
        person.subject,
        person.asked,
        purposes=command.purposes,
        technologies=command.technologies,
        notice=command.notice,
        channel=command.channel,
        separate=command.separate,
        guardian=guardian,
        guardian_reference=person.reference("guardian", guardian) if guardian else None,
    )
