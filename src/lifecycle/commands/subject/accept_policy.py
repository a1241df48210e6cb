"""Record that a person accepted a policy version, by continued use or otherwise. Never counts as consent."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import identity


class AcceptPolicy(SubjectCommand):
    command: Literal["accept-policy"] = "accept-policy"
    policy: Name
    channel: Name


def accept_policy(command: AcceptPolicy, person: PersonContext) -> Decision:
    return identity.accept_policy(person.subject, person.asked, notice=command.policy, channel=command.channel)
