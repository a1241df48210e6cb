"""Record that everybody who was handed over is gone from here. No document can ask this."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer


class CompleteTransfer(TransferCommand):
    command: Literal["complete-transfer"] = "complete-transfer"


def complete_transfer(command: CompleteTransfer, context: OpenRecordContext) -> Decision:
    return transfer.complete(named(context), context.asked)
