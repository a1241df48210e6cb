"""Record the recipient's confirmation: it has the archive, and opened it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.document import Said
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer


class ConfirmTransfer(TransferCommand):
    """`token` is what the recipient's `transfer accept` told; `evidence` is whatever came with it."""

    command: Literal["confirm-transfer"] = "confirm-transfer"
    token: Annotated[str, Field(min_length=1, max_length=200)]
    evidence: Said | None = None


def confirm_transfer(command: ConfirmTransfer, context: OpenRecordContext) -> Decision:
    return transfer.confirm(named(context), context.asked, token=command.token, evidence=command.evidence)
