"""Record that data was leaked, changed or lost: what is known of it, in which window, and what was reached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import IncidentCommand, IncidentContext, IncidentScope, IncidentWindow
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding
from lifecycle.domain.incident.events import Nature
from lifecycle.domain.open_records import Named


class DetectIncident(IncidentCommand):
    """`at` is when it was noticed: the clocks count from there."""

    command: Literal["detect-incident"] = "detect-incident"
    nature: Nature
    window: IncidentWindow
    scope: IncidentScope
    description: Said | None = None

    def reads(self) -> Iterable[Named]:
        yield self.named
        yield from self.scope.reads()


def detect_incident(command: DetectIncident, context: IncidentContext) -> Decision:
    return deciding.detect(
        context.named,
        context.asked,
        nature=command.nature,
        starts=command.window.from_,
        ends=command.window.to,
        scope=command.scope.known(context),
        description=command.description,
    )
