"""Tell the person of a later day, because the matter is complex."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Day, Name, Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import requesting


class ExtendRequest(RequestCommand):
    """`until` is the new last day, `channel` how the person was told: as they asked, if nothing is said."""

    command: Literal["extend-request"] = "extend-request"
    until: Day
    reason: Said
    channel: Name | None = None


def extend_request(command: ExtendRequest, person: PersonContext) -> Decision:
    return requesting.extend_request(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        until=command.until,
        reason=command.reason,
        channel=command.channel,
    )
