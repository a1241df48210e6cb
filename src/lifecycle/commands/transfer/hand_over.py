"""Record that an archive was written for the recipient. No document can ask this."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer


class HandOver(TransferCommand):
    command: Literal["hand-over"] = "hand-over"
    people: int
    size: int
    manifest: str
    proof: str


def hand_over(command: HandOver, context: OpenRecordContext) -> Decision:
    written = transfer.Handover(command.manifest, command.size, command.people, command.proof)
    return transfer.hand_over(named(context), context.asked, written)
