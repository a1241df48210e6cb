"""Place a legal hold: nothing it covers may be erased or changed."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import restricting


class PlaceHold(SubjectCommand):
    """`hold` is the caller's own name for it; no `categories` means everything, present and to come."""

    command: Literal["place-hold"] = "place-hold"
    hold: Said
    reason: Said
    authority: Said
    categories: tuple[Name, ...] = ()


def place_hold(command: PlaceHold, person: PersonContext) -> Decision:
    return restricting.place_hold(
        person.subject,
        person.asked,
        hold=person.reference("hold", command.hold),
        name=command.hold,
        reason=command.reason,
        authority=command.authority,
        categories=command.categories,
    )
