"""Destroy what went, once the recipient has confirmed. No document can ask this."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.transfer.naming import PersonTransferCommand, transfer_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import transferring


class LeaveTransferred(PersonTransferCommand):
    """Policy clause 3.2."""

    command: Literal["leave-transferred"] = "leave-transferred"


def leave_transferred(command: LeaveTransferred, person: PersonContext) -> Decision:
    return transferring.leave(person.subject, person.asked, transfer=transfer_of(command, person))
