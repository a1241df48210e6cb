"""Record that a person was told who takes over and how to reach them."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name
from lifecycle.commands.transfer.naming import PersonTransferCommand, transfer_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import transferring


class NotifyTransfer(PersonTransferCommand):
    """Policy clause 3.2."""

    command: Literal["notify-transfer"] = "notify-transfer"
    channel: Name


def notify_transfer(command: NotifyTransfer, person: PersonContext) -> Decision:
    return transferring.notify(
        person.subject, person.asked, transfer=transfer_of(command, person), channel=command.channel
    )
