"""Release a legal hold; what only it kept is erased."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import restricting


class ReleaseHold(SubjectCommand):
    command: Literal["release-hold"] = "release-hold"
    hold: Said
    reason: Said
    authority: Said


def release_hold(command: ReleaseHold, person: PersonContext) -> Decision:
    return restricting.release_hold(
        person.subject,
        person.asked,
        hold=person.reference("hold", command.hold),
        reason=command.reason,
        authority=command.authority,
    )
