"""Open an incident again: because more is known, or because an authority orders that people are told."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding


class ReopenIncident(IncidentCommand):
    """`ordered` by an `authority` under a `reference`: a waiver ends, and none is accepted any more."""

    command: Literal["reopen-incident"] = "reopen-incident"
    reason: Said
    ordered: bool = False
    authority: Said | None = None
    reference: Said | None = None


def reopen_incident(command: ReopenIncident, context: IncidentContext) -> Decision:
    return deciding.reopen(
        context.named,
        context.asked,
        reason=command.reason,
        authority=command.authority,
        reference=command.reference,
        ordered=command.ordered,
    )
