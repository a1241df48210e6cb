"""What the engine asks itself when a recipient left an instruction without an answer, or declined it."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Name, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import supervising


class FindFault(TrusteeCommand):
    """No document can ask this. Of a recipient that is no trustee nothing is recorded."""

    command: Literal["find-fault"] = "find-fault"
    because: Literal["overdue", "declined"]
    instruction: Name


def find_fault(command: FindFault, context: TrusteeContext) -> Decision:
    return supervising.find_fault(
        context.named, context.asked, because=command.because, instruction=command.instruction
    )
