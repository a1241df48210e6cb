"""Consent to a trustee's entrusting somebody else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Said, TrusteeCommand, TrusteeId
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import supervising


class ApproveSubTrustee(TrusteeCommand):
    command: Literal["approve-sub-trustee"] = "approve-sub-trustee"
    sub_trustee: TrusteeId
    name: Said
    contact: Said
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


def approve_sub_trustee(command: ApproveSubTrustee, context: TrusteeContext) -> Decision:
    return supervising.approve_sub_trustee(
        context.named,
        context.asked,
        sub_trustee=command.sub_trustee,
        name=command.name,
        contact=command.contact,
        country=command.country,
    )
