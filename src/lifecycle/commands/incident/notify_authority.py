"""Record that an authority was told of an incident, with what law wants it to be told."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.document import Said
from lifecycle.commands.incident.about import Contents, IncidentCommand, IncidentContext
from lifecycle.domain.decision import Decision
from lifecycle.domain.incident import deciding


class NotifyAuthority(IncidentCommand):
    """Without `jurisdictions` the notice went to the authorities of all that the policy names."""

    command: Literal["notify-authority"] = "notify-authority"
    authority: Said
    jurisdictions: tuple[str, ...] = ()
    reference: Said | None = None
    contents: Contents


def notify_authority(command: NotifyAuthority, context: IncidentContext) -> Decision:
    return deciding.notify_authority(
        context.named,
        context.asked,
        jurisdictions=command.jurisdictions,
        authority=command.authority,
        reference=command.reference,
        contents=command.contents,
    )
