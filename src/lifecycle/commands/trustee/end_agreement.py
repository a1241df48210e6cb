"""End an agreement with a trustee."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Name, Said, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import trustee


class EndAgreement(TrusteeCommand):
    """Without `agreement`, every open agreement with the trustee ends."""

    command: Literal["end-agreement"] = "end-agreement"
    agreement: Name | None = None
    reason: Said | None = None


def end_agreement(command: EndAgreement, context: TrusteeContext) -> Decision:
    return trustee.end_agreement(
        context.named, context.asked, agreement=command.agreement, reason=command.reason or "ended"
    )
