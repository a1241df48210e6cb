"""Assess an incident: how severe, at which risk for people, from what cause. Who was hit is computed, not said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import IncidentCommand, IncidentContext, IncidentScope, IncidentWindow
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding
from lifecycle.domain.incident.events import Risk, Severity
from lifecycle.domain.open_records import Named


class AssessIncident(IncidentCommand):
    """`window` and `scope` are given where more is known by now than at the detection."""

    command: Literal["assess-incident"] = "assess-incident"
    severity: Severity
    risk: Risk
    cause: Said
    window: IncidentWindow | None = None
    scope: IncidentScope | None = None

    def reads(self) -> Iterable[Named]:
        yield self.named
        yield from self.scope.reads() if self.scope is not None else ()


def assess_incident(command: AssessIncident, context: IncidentContext) -> Decision:
    window = command.window
    return deciding.assess(
        context.named,
        context.asked,
        severity=command.severity,
        risk=command.risk,
        cause=command.cause,
        starts=window.from_ if window is not None else None,
        ends=window.to if window is not None else None,
        scope=command.scope.known(context) if command.scope is not None else None,
    )
