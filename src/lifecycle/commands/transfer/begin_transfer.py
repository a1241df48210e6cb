"""Begin a transfer: from here on it can no longer be called off."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer


class BeginTransfer(TransferCommand):
    command: Literal["begin-transfer"] = "begin-transfer"


def begin_transfer(command: BeginTransfer, context: OpenRecordContext) -> Decision:
    return transfer.begin(named(context), context.asked)
