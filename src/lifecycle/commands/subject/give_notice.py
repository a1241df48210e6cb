"""Record that a person was shown a policy version."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import identity


class GiveNotice(SubjectCommand):
    command: Literal["give-notice"] = "give-notice"
    policy: Name
    channel: Name


def give_notice(command: GiveNotice, person: PersonContext) -> Decision:
    return identity.give_notice(person.subject, person.asked, notice=command.policy, channel=command.channel)
