"""Transfer a person who was told of it."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.transfer.naming import PersonTransferCommand, transfer_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import transferring


class TransferSubject(PersonTransferCommand):
    """Policy clause 3.2."""

    command: Literal["transfer"] = "transfer"


def transfer_subject(command: TransferSubject, person: PersonContext) -> Decision:
    return transferring.transfer(person.subject, person.asked, transfer=transfer_of(command, person))
