"""Record that people who had been told are not transferred, and why. No document can ask this."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer
from lifecycle.domain.transfer.events import Why


class SkipInTransfer(TransferCommand):
    command: Literal["skip-in-transfer"] = "skip-in-transfer"
    because: Why
    digests: tuple[str, ...]


def skip_in_transfer(command: SkipInTransfer, context: OpenRecordContext) -> Decision:
    return transfer.skip(named(context), context.asked, because=command.because, digests=command.digests)
