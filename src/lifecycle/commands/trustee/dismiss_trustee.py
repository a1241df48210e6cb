"""Dismiss a trustee; every open agreement with it ends."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Said, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import trustee


class DismissTrustee(TrusteeCommand):
    command: Literal["dismiss-trustee"] = "dismiss-trustee"
    reason: Said | None = None


def dismiss_trustee(command: DismissTrustee, context: TrusteeContext) -> Decision:
    return trustee.dismiss(context.named, context.asked, reason=command.reason or "dismissed")
