"""Record a measure that was taken against an incident."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding


class TakeRemedy(IncidentCommand):
    command: Literal["take-remedy"] = "take-remedy"
    measure: Said


def take_remedy(command: TakeRemedy, context: IncidentContext) -> Decision:
    return deciding.remedy(context.named, context.asked, measure=command.measure)
