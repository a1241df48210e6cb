"""Engage a trustee, who may then be given agreements."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Said, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import trustee


class EngageTrustee(TrusteeCommand):
    command: Literal["engage-trustee"] = "engage-trustee"
    name: Said
    contact: Said
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


def engage_trustee(command: EngageTrustee, context: TrusteeContext) -> Decision:
    return trustee.engage(
        context.named, context.asked, name=command.name, contact=command.contact, country=command.country
    )
