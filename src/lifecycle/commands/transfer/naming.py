"""How documents name a transfer, and the record of it that a command about a person reads."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from lifecycle.commands.context import OpenRecordContext, PersonContext
from lifecycle.commands.document import OpenRecordCommand, SubjectCommand
from lifecycle.domain.transfer.transfer import Transfer

TransferId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]


class TransferCommand(OpenRecordCommand):
    """Concerns one transfer, named by an id of ours in the policy's style."""

    noun: ClassVar[str] = "transfer"
    transfer: TransferId


class PersonTransferCommand(SubjectCommand):
    """Concerns one person in a transfer."""

    transfer: TransferId


def transfer_of(command: PersonTransferCommand, person: PersonContext) -> Transfer:
    found: Transfer = person.open_record(("transfer", command.transfer))
    return found


def named(context: OpenRecordContext) -> Transfer:
    found: Transfer = context.named
    return found
