"""Record a review of a trustee: policy clause 3.1a promises supervision."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Day, Said, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import trustee


class ReviewTrustee(TrusteeCommand):
    command: Literal["review-trustee"] = "review-trustee"
    finding: Said
    remedy_by: Day | None = None


def review_trustee(command: ReviewTrustee, context: TrusteeContext) -> Decision:
    return trustee.review(context.named, context.asked, finding=command.finding, remedy_by=command.remedy_by)
