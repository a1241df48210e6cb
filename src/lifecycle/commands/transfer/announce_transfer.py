"""Announce that another controller takes over: why, who, and what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.document import Name, Shape
from lifecycle.commands.transfer.naming import TransferCommand, named
from lifecycle.domain.decision import Decision
from lifecycle.domain.transfer import transfer
from lifecycle.domain.transfer.cause import Cause


class Recipient(Shape):
    """A name or contact that is left out is not malformed: it is refused, by clause 3.2."""

    name: Annotated[str, Field(max_length=4096)] | None = None
    contact: Annotated[str, Field(max_length=4096)] | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class AnnounceTransfer(TransferCommand):
    """Without `purposes` everything is in scope. Policy clause 3.2."""

    command: Literal["announce-transfer"] = "announce-transfer"
    cause: Cause
    recipient: Recipient
    purposes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None


def announce_transfer(command: AnnounceTransfer, context: OpenRecordContext) -> Decision:
    return transfer.announce(
        named(context),
        context.asked,
        cause=command.cause,
        name=command.recipient.name,
        contact=command.recipient.contact,
        country=command.recipient.country,
        purposes=command.purposes,
    )
