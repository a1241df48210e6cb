"""Call a transfer off before it has begun."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.document import Said
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer


class CancelTransfer(TransferCommand):
    command: Literal["cancel-transfer"] = "cancel-transfer"
    reason: Said


def cancel_transfer(command: CancelTransfer, context: OpenRecordContext) -> Decision:
    return transfer.cancel(named(context), context.asked, reason=command.reason)
