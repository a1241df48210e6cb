"""Record that a trustee has mended what was found."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Name, Said, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import supervising


class RemedyFinding(TrusteeCommand):
    command: Literal["remedy-finding"] = "remedy-finding"
    finding: Name
    evidence: Said


def remedy_finding(command: RemedyFinding, context: TrusteeContext) -> Decision:
    return supervising.remedy(context.named, context.asked, finding=command.finding, evidence=command.evidence)
