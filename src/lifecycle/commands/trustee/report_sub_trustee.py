"""Record that a trustee entrusts somebody else: without our consent it is refused, and a finding."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import TrusteeCommand, TrusteeId
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import supervising


class ReportSubTrustee(TrusteeCommand):
    command: Literal["report-sub-trustee"] = "report-sub-trustee"
    sub_trustee: TrusteeId


def report_sub_trustee(command: ReportSubTrustee, context: TrusteeContext) -> Decision:
    return supervising.report_sub_trustee(context.named, context.asked, sub_trustee=command.sub_trustee)
