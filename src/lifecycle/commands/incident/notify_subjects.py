"""Begin to tell everybody who was hit by an incident; the engine goes through them until nobody is left."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.document import Name
from lifecycle.commands.incident.about import Contents, IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding


class NotifySubjects(IncidentCommand):
    command: Literal["notify-subjects"] = "notify-subjects"
    channel: Name
    contents: Contents


def notify_subjects(command: NotifySubjects, context: IncidentContext) -> Decision:
    return deciding.notify_subjects(context.named, context.asked, channel=command.channel, contents=command.contents)
