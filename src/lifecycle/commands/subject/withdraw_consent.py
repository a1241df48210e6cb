"""End consents, and the grounds that stand on them."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import consent


class WithdrawConsent(SubjectCommand):
    """No `purposes` means all; `technologies` narrow it to themselves. As easy as giving: policy clauses 2, 7.5; GDPR
    Art. 7(3)."""

    command: Literal["withdraw-consent"] = "withdraw-consent"
    purposes: tuple[Name, ...] = ()
    technologies: tuple[Name, ...] = ()
    channel: Name


def withdraw_consent(command: WithdrawConsent, person: PersonContext) -> Decision:
    return consent.withdraw_consent(
        person.subject,
        person.asked,
        purposes=command.purposes,
        technologies=command.technologies,
        channel=command.channel,
    )
