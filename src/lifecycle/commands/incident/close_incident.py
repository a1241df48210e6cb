"""Close an incident: only after remedy, authority's notice, and people's notice or its waiver."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding


class CloseIncident(IncidentCommand):
    command: Literal["close-incident"] = "close-incident"
    conclusion: Said


def close_incident(command: CloseIncident, context: IncidentContext) -> Decision:
    return deciding.close(context.named, context.asked, conclusion=command.conclusion)
